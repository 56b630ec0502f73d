import type { JSX } from "preact";
import { date, milliseconds } from "../format";

export interface Quick {
  day: string | null;
  pushes: number;
  in_time: number;
  p50_s: number | null;
  p95_s: number | null;
  p99_s: number | null;
}

const LINES: [part: "p50_s" | "p95_s" | "p99_s", name: string][] = [
  ["p99_s", "99 %"],
  ["p95_s", "95 %"],
  ["p50_s", "50 %"],
];
const HEIGHT = 176;
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 32, 32, 24];

/** The time from fix to push, day by day, on a scale of powers of ten, beneath the target. */
export function SpeedLines({ days, target_s, width }: { days: Quick[]; target_s: number; width: number }): JSX.Element {
  const values = [...days.flatMap(({ p50_s, p99_s }) => [p50_s, p99_s]), target_s].filter((value): value is number => value !== null && value > 0);
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(Math.ceil(Math.log10(Math.max(...values))), low + 1);
  const y = (seconds: number) => TOP + ((high - Math.log10(Math.max(seconds, 10 ** low))) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const x = (index: number) => LEFT + (days.length < 2 ? 0.5 : index / (days.length - 1)) * (width - LEFT - RIGHT);
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  const last = days[days.length - 1];
  return (
    <svg class="drawing" width={width} height={HEIGHT} role="img" aria-label={`Fix to push by day: ${days.map(({ day, p99_s }) => `${day} ${milliseconds((p99_s ?? 0) * 1000)} at 99 %`).join(", ")}`}>
      {ticks.map((tick) => (
        <g key={tick}>
          <line class="grid" x1={LEFT} x2={width - RIGHT} y1={y(tick)} y2={y(tick)} />
          <text class="chart-value end" x={LEFT - 8} y={y(tick) + 4}>{milliseconds(tick * 1000).replace(".0", "")}</text>
        </g>
      ))}
      <line class="target" x1={LEFT} x2={width - RIGHT} y1={y(target_s)} y2={y(target_s)} />
      <text class="chart-value" x={width - RIGHT + 6} y={y(target_s) + 4}>{target_s} s</text>
      {LINES.map(([part, name], index) => {
        const points = days.flatMap((day, at) => (day[part] === null ? [] : [`${x(at)},${y(day[part])}`]));
        return (
          <g key={part} class={`line-${index}`}>
            <polyline points={points.join(" ")} />
            {days.map((day, at) => day[part] !== null && <circle key={day.day} cx={x(at)} cy={y(day[part])} r="3" />)}
            <circle cx={LEFT + 4 + index * 72} cy="8" r="4" />
            <text x={LEFT + 14 + index * 72} y="12">{name}</text>
          </g>
        );
      })}
      {days.length > 0 && <text class="chart-value" x={LEFT} y={HEIGHT - 4}>{date(days[0]?.day ?? "")}</text>}
      {days.length > 1 && <text class="chart-value end" x={width - RIGHT} y={HEIGHT - 4}>{date(last?.day ?? "")}</text>}
    </svg>
  );
}
