import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { Button } from "../ui";
import { DAYS, emptyWeek, scheduleOf, type Week, weekOf } from "./week";

const NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/** Hours of a week, painted with the mouse or moved through by arrow keys. No hour on means: at any time. */
export function WeekGrid({ schedule, set }: { schedule: string; set: (schedule: string) => void }): JSX.Element {
  const week = weekOf(schedule);
  const painting = useRef<boolean | null>(null);
  const [focus, setFocus] = useState<[number, number]>([0, 9]);
  const table = useRef<HTMLTableElement>(null);
  if (!week) return <p class="hint">These hours are finer than the grid: edit them as text.</p>;
  const paint = (day: number, hour: number, on: boolean) => {
    const next: Week = week.map((hours, index) => (index === day ? hours.map((was, at) => (at === hour ? on : was)) : hours));
    set(scheduleOf(next));
  };
  const fillFrom = (test: (day: number, hour: number) => boolean) => set(scheduleOf(emptyWeek().map((hours, day) => hours.map((_, hour) => test(day, hour)))));
  const key = (event: KeyboardEvent) => {
    const steps: Record<string, [number, number]> = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const next: [number, number] = [Math.max(0, Math.min(6, focus[0] + step[0])), Math.max(0, Math.min(23, focus[1] + step[1]))];
    setFocus(next);
    table.current?.querySelector<HTMLElement>(`[data-cell="${next[0]}-${next[1]}"]`)?.focus();
  };
  return (
    <div class="week">
      <div class="week-box">
        <table ref={table} role="grid" aria-label="Hours of the week" onKeyDown={key} onPointerUp={() => (painting.current = null)} onPointerLeave={() => (painting.current = null)}>
          <thead>
            <tr><th scope="col"><span class="visually-hidden">Day</span></th>{Array.from({ length: 24 }, (_, hour) => <th key={hour} scope="col">{hour % 3 === 0 ? hour : <span class="visually-hidden">{hour}</span>}</th>)}</tr>
          </thead>
          <tbody>
            {week.map((hours, day) => (
              <tr key={day}>
                <th scope="row">{DAYS[day]}</th>
                {hours.map((on, hour) => (
                  <td key={hour} role="gridcell">
                    <button
                      type="button"
                      data-cell={`${day}-${hour}`}
                      class={on ? "hour on" : "hour"}
                      aria-pressed={on}
                      aria-label={`${NAMES[day]} ${hour} to ${hour + 1}`}
                      tabIndex={focus[0] === day && focus[1] === hour ? 0 : -1}
                      onPointerDown={(event) => { event.currentTarget.releasePointerCapture(event.pointerId); painting.current = !on; paint(day, hour, !on); setFocus([day, hour]); }}
                      onPointerEnter={() => { if (painting.current !== null && painting.current !== on) paint(day, hour, painting.current); }}
                      onKeyDown={(event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); paint(day, hour, !on); } }}
                    />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="actions">
        <Button small onClick={() => set("")}>At any time</Button>
        <Button small onClick={() => fillFrom((day, hour) => day < 5 && hour >= 9 && hour < 18)}>Weekdays 9–18</Button>
        <Button small onClick={() => fillFrom((day, hour) => day > 4 && hour >= 10 && hour < 18)}>Weekend 10–18</Button>
      </div>
    </div>
  );
}
