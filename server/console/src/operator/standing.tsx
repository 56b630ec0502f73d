// How the work stands: what waits, what was put aside, how fresh the model is, how far Kafka's partitions are.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask } from "../api";
import { ago, dateTime, number, words } from "../format";
import { asError, Badge, Failed, Loading, Notice } from "../ui";

interface Backlog {
  waiting: number;
  oldest_due_at: string | null;
}

interface Work {
  pushes: Backlog;
  webhooks: Backlog;
  put_aside: number;
  newest_put_aside: { at: string; reason: string; detail: string }[];
  model: { policy: string; model: string | null; fitted_at: string | null; learned_at: string | null };
  partitions: { partition: number; done_upto: number; waiting: number }[] | null;
}

const EVERY_MS = 10_000;

export function Standing(): JSX.Element {
  const [work, setWork] = useState<Work | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const look = () => {
    if (document.hidden) return;
    ask<Work>("GET", "/v1/standing", { unattended: true }).then(
      (told) => {
        setWork(told);
        setError(null);
      },
      (failed: unknown) => setError(asError(failed)),
    );
  };
  useEffect(() => {
    look();
    const timer = setInterval(look, EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  if (!work) return error ? <Failed error={error} again={look} /> : <Loading what="how the work stands" />;
  return (
    <>
      {error && <Notice kind="warn">How the work stands cannot be asked just now; what you see is from before.</Notice>}
      <section class="stack-small" aria-label="Work">
        <h2>Work</h2>
        <Facts of={[["Outbox: pushes waiting", waiting(work.pushes)], ["Webhook messages waiting", waiting(work.webhooks)], ["Quarantine: inputs put aside", number(work.put_aside)], ...freshness(work.model)]} />
      </section>
      <section class="stack-small" aria-label="Partitions">
        <h2>Kafka’s partitions</h2>
        {work.partitions ? <Partitions of={work.partitions} /> : <p class="quiet-text">None: the journal is in PostgreSQL.</p>}
      </section>
      <section class="stack-small" aria-label="Quarantine">
        <h2>Quarantine</h2>
        {work.newest_put_aside.length ? <Aside of={work.newest_put_aside} /> : <p class="quiet-text">Empty: nothing had to be put aside so that everything else could go on.</p>}
      </section>
    </>
  );
}

export function Facts({ of }: { of: [name: string, value: string][] }): JSX.Element {
  return <dl class="facts">{of.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}

const waiting = ({ waiting, oldest_due_at }: Backlog): string => (oldest_due_at === null ? number(waiting) : `${number(waiting)}, the oldest due ${ago(oldest_due_at)}`);

function freshness({ policy, model, fitted_at, learned_at }: Work["model"]): [string, string][] {
  if (policy !== "learn") return [["Policy", `${words(policy)}: nothing is learned`]];
  return [
    ["Model learned last", learned_at === null ? "nothing yet" : ago(learned_at)],
    ["Model fitted", model === null ? "never: the priors" : fitted_at === null ? "not known" : ago(fitted_at)],
  ];
}

function Partitions({ of }: { of: NonNullable<Work["partitions"]> }): JSX.Element {
  return (
    <div class="table-box" role="region" aria-label="Kafka’s partitions" tabIndex={0}>
      <table>
        <thead><tr><th scope="col" class="number">Partition</th><th scope="col" class="number">Done up to</th><th scope="col" class="number">Lag, records</th></tr></thead>
        <tbody>
          {of.map(({ partition, done_upto, waiting }) => <tr key={partition}><td class="number">{partition}</td><td class="number">{number(done_upto)}</td><td class="number">{number(waiting)}</td></tr>)}
        </tbody>
      </table>
    </div>
  );
}

function Aside({ of }: { of: Work["newest_put_aside"] }): JSX.Element {
  return (
    <div class="table-box" role="region" aria-label="Newest in quarantine" tabIndex={0}>
      <table>
        <thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Because of</th></tr></thead>
        <tbody>
          {of.map(({ at, reason, detail }, index) => <tr key={index}><td class="number time">{dateTime(at)}</td><td>{detail}</td><td><Badge kind="bad">{reason}</Badge></td></tr>)}
        </tbody>
      </table>
    </div>
  );
}
