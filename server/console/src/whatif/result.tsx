import type { JSX } from "preact";
import { date, number } from "../format";
import { reasonText } from "../live/model";
import { Bars } from "../reports/bars";
import { Chart } from "../reports/chart";
import { Button, Notice } from "../ui";
import type { Job, Tally } from "./model";

const ROWS: [name: keyof Tally, title: string][] = [
  ["moments", "Moments"],
  ["offers", "Offers"],
  ["pushes", "Sends: offers pushed"],
  ["reached", "Reach: with an offer"],
  ["shoppers", "Shoppers with a moment"],
  ["silences", "Silences"],
  ["spend_most", "Spend at the most, €"],
];

const told = (value: number | null): string => (value === null ? "fewer than 20" : number(value));

/** How far a what-if has come, in words and as a bar. */
export function Progress({ job, stop }: { job: Job; stop: () => void }): JSX.Element {
  const share = job.total ? job.done / job.total : 0;
  return (
    <div class="stack-small" role="status">
      <p>{job.state === "waiting" ? "Waiting for its turn …" : job.total ? `Replaying ${date(job.day)}: ${Math.round(share * 100)} %` : `Reading ${date(job.day)} …`}</p>
      <progress max="1" value={share} aria-label="Progress" />
      <div><Button small onClick={stop}>Stop</Button></div>
    </div>
  );
}

export function Result({ job }: { job: Job }): JSX.Element | null {
  if (job.state === "failed") return <Notice kind="bad">{job.problem}</Notice>;
  if (job.state === "stopped") return <Notice kind="info">It was stopped before its end.</Notice>;
  if (!job.difference) return null;
  const { before, after } = job.difference;
  const counts = ROWS.map(([name, title]) => ({ title, was: before[name] as number | null, would: after[name] as number | null }));
  const codes = [...new Set([...Object.keys(before.reasons), ...Object.keys(after.reasons)])];
  const reasons = codes.map((code) => ({ title: reasonText(code), was: before.reasons[code] ?? (code in before.reasons ? null : 0), would: after.reasons[code] ?? (code in after.reasons ? null : 0) }));
  return (
    <>
      <section aria-label="Difference" class="stack-small">
        <h2>{date(job.day)}, as it was and as it would have been</h2>
        <p class="small-text quiet-text">In steps of 5, and nothing of fewer than 20 shoppers. A phone might have reported more often near a fence that was not there, and nobody knows what would have become of other offers.</p>
        <Table rows={counts} />
      </section>
      <Chart title="Difference" about="Each count as it was, and beneath it as it would have been." file={`vicino-what-if-${job.day}`} header={["count", "as_it_was", "what_if"]} rows={[...counts, ...reasons].map(({ title, was, would }) => [title, was, would])}>
        {(width) => <Bars bars={counts.filter(({ title }) => !title.startsWith("Spend")).flatMap(({ title, was, would }) => [{ name: title, value: was }, { name: "– what if", value: would, second: true }])} label="Difference" width={width} />}
      </Chart>
      {reasons.length > 0 && <section aria-label="Silences" class="stack-small"><h2>Silences by reason</h2><Table rows={reasons} /></section>}
    </>
  );
}

function Table({ rows }: { rows: { title: string; was: number | null; would: number | null }[] }): JSX.Element {
  return (
    <div class="table-box" role="region" aria-label="Table" tabIndex={0}>
      <table class="counts">
        <thead><tr><th scope="col">Count</th><th scope="col" class="number">As it was</th><th scope="col" class="number">What if</th><th scope="col" class="number">Difference</th></tr></thead>
        <tbody>{rows.map(({ title, was, would }) => <tr key={title}><td>{title}</td><td class="number">{told(was)}</td><td class="number">{told(would)}</td><td class="number">{difference(was, would)}</td></tr>)}</tbody>
      </table>
    </div>
  );
}

function difference(was: number | null, would: number | null): string {
  if (was === null || would === null) return "–";
  return would === was ? "none" : `${would > was ? "+" : "−"}${number(Math.abs(would - was))}`;
}
