import type { JSX } from "preact";
import { number } from "../format";

export interface Bar {
  name: string;
  value: number | null;
  text?: string;
  /** Drawn as what is compared with the bar above it. */
  second?: boolean;
}

/** From this width on names stand beside their bars, else above them. */
const BESIDE = 520;
const NAMES = 200;
const VALUES = 168;
const WITHHELD = "fewer than 20 shoppers";

/** Bars with their names and values; one that is withheld says so. */
export function Bars({ bars, label, width, most }: { bars: Bar[]; label: string; width: number; most?: number }): JSX.Element {
  const beside = width >= BESIDE;
  const [left, row, down] = beside ? [NAMES, 28, 0] : [0, 48, 18];
  const whole = most ?? Math.max(1, ...bars.map(({ value }) => value ?? 0));
  const room = Math.max(40, width - left - (beside ? VALUES : 120));
  const said = ({ value, text }: Bar) => (value === null ? WITHHELD : (text ?? number(value)));
  return (
    <svg class="drawing" width={width} height={bars.length * row} role="img" aria-label={`${label}: ${bars.map((bar) => `${bar.name} ${said(bar)}`).join(", ")}`}>
      {bars.map((bar, index) => {
        const long = bar.value === null ? 0 : Math.max(2, Math.min(1, bar.value / whole) * room);
        const above = !beside && said(bar).length > 14;
        return (
          <g key={index} transform={`translate(0 ${index * row})`}>
            <text class="chart-name" x="0" y={beside ? 18 : 14}>{short(bar.name, beside ? 29 : above ? 24 : 44)}</text>
            {bar.value !== null && <rect class={bar.second ? "bar second" : "bar"} x={left} y={6 + down} width={long} height="16" rx="3" />}
            {above ? <text class="chart-value end" x={width} y="14">{said(bar)}</text> : <text class="chart-value" x={left + long + (long ? 8 : 0)} y={18 + down}>{said(bar)}</text>}
          </g>
        );
      })}
    </svg>
  );
}

export interface Interval {
  name: string;
  at: number | null;
  low: number | null;
  high: number | null;
}

/** Differences with their intervals about zero. */
export function Intervals({ intervals, label, width, text }: { intervals: Interval[]; label: string; width: number; text: (value: number) => string }): JSX.Element {
  const reach = Math.max(1e-9, ...intervals.flatMap(({ at, low, high }) => [at, low, high].map((value) => Math.abs(value ?? 0)))) * 1.15;
  const x = (value: number) => width / 2 + (value / reach) * (width / 2 - 8);
  const told = ({ at, low, high }: Interval) => (at === null ? "not known yet" : `${text(at)}${low === null || high === null ? "" : ` (${text(low)} to ${text(high)})`}`);
  const row = 96;
  return (
    <svg class="drawing" width={width} height={intervals.length * row} role="img" aria-label={`${label}: ${intervals.map((one) => `${one.name} ${told(one)}`).join(", ")}`}>
      {intervals.map((one, index) => (
        <g key={one.name} transform={`translate(0 ${index * row})`}>
          <text class="chart-name" x="0" y="16">{one.name}</text>
          <text class="chart-value" x="0" y="34">{told(one)}</text>
          <line class="zero" x1={x(0)} x2={x(0)} y1="44" y2="68" />
          <text class="chart-value middle" x={x(0)} y="82">no change</text>
          {one.low !== null && one.high !== null && <line class="reach" x1={x(one.low)} x2={x(one.high)} y1="56" y2="56" />}
          {one.at !== null && <circle class="bar" cx={x(one.at)} cy="56" r="5" />}
        </g>
      ))}
    </svg>
  );
}

const short = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
