import type { JSX } from "preact";
import { milliseconds } from "../format";
import { STAGES } from "./model";

const partsOf = (timings: Record<string, number>) =>
  STAGES.flatMap(([code, name], index) => (timings[code] === undefined ? [] : [{ name, ms: timings[code], index }]));

/** All stages together, in milliseconds. */
export const totalMs = (timings: Record<string, number>): number => partsOf(timings).reduce((sum, { ms }) => sum + ms, 0);

/** How long each stage took, as parts of one bar that is as long as `scale_ms`; without one, as the whole. */
export function Stages({ timings, scale_ms, legend = false }: { timings: Record<string, number>; scale_ms?: number; legend?: boolean }): JSX.Element | null {
  const parts = partsOf(timings);
  const total = totalMs(timings);
  if (!total) return null;
  const whole = Math.max(scale_ms ?? total, total);
  const said = parts.map(({ name, ms }) => `${name} ${milliseconds(ms)}`).join(", ");
  let from = 0;
  return (
    <div class="stages">
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" class="stage-bar" role="img" aria-label={`${milliseconds(total)}: ${said}`}>
        {parts.map(({ name, ms, index }) => {
          const x = (from / whole) * 100;
          from += ms;
          return <rect key={name} class={`stage-${index}`} x={x} y="0" width={Math.max(0.6, (ms / whole) * 100 - 0.6)} height="8" />;
        })}
      </svg>
      {legend && (
        <dl class="stage-legend">
          {parts.map(({ name, ms, index }) => (
            <div key={name}>
              <dt><svg viewBox="0 0 8 8" width="8" height="8" aria-hidden="true"><rect class={`stage-${index}`} width="8" height="8" rx="2" /></svg>{name}</dt>
              <dd class="number">{milliseconds(ms)}</dd>
            </div>
          ))}
          <div><dt>In all</dt><dd class="number">{milliseconds(total)}</dd></div>
        </dl>
      )}
    </div>
  );
}
