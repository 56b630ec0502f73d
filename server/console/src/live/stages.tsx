import type { JSX } from "preact";
import { milliseconds } from "../format";
import { STAGES } from "./model";

/** How long each stage took, as parts of one bar; the deadline is 3 s. */
export function Stages({ timings, legend = false }: { timings: Record<string, number>; legend?: boolean }): JSX.Element | null {
  const parts = STAGES.flatMap(([code, name], index) => (timings[code] === undefined ? [] : [{ name, ms: timings[code], index }]));
  const total = parts.reduce((sum, { ms }) => sum + ms, 0);
  if (!total) return null;
  const said = parts.map(({ name, ms }) => `${name} ${milliseconds(ms)}`).join(", ");
  let from = 0;
  return (
    <div class="stages">
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" class="stage-bar" role="img" aria-label={`${milliseconds(total)}: ${said}`}>
        {parts.map(({ name, ms, index }) => {
          const x = (from / total) * 100;
          from += ms;
          return <rect key={name} class={`stage-${index}`} x={x} y="0" width={Math.max(0.6, (ms / total) * 100 - 0.6)} height="8" />;
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
