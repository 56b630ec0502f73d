import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask, type Page } from "../api";
import { dateTime, words } from "../format";
import { asError, Button, Empty, Failed, Loading, Notice, useLoaded } from "../ui";

interface Entry {
  seq: number;
  at: string;
  actor: string;
  action: string;
  subject: string;
  detail: Record<string, unknown>;
  hash: string;
}

export default function Audit(): JSX.Element {
  const first = useLoaded(() => ask<Page<Entry>>("GET", "/v1/audit?limit=100"), []);
  const verified = useLoaded(() => ask<{ whole: boolean; broken_at: number | null }>("GET", "/v1/audit/verified"), []);
  const [more, setMore] = useState<Entry[]>([]);
  const [cursor, setCursor] = useState<string | null | undefined>(undefined);
  const [error, setError] = useState<Error | null>(null);
  const next = cursor === undefined ? (first.value?.next_cursor ?? null) : cursor;
  const older = async () => {
    try {
      const page = await ask<Page<Entry>>("GET", `/v1/audit?limit=100&cursor=${next}`);
      setMore([...more, ...page.items]);
      setCursor(page.next_cursor);
    } catch (failed) {
      setError(asError(failed));
    }
  };
  const entries = [...(first.value?.items ?? []), ...more];
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>Audit log</h1>
          <p>What people did. Entries are added and never changed; each is chained to the one before by its hash.</p>
        </div>
      </div>
      {verified.value && (verified.value.whole ? <Notice kind="good">The chain is whole: no entry was changed or taken out.</Notice> : <Notice kind="bad">The chain breaks at entry {verified.value.broken_at}: it, or one before it, was changed outside Vicino.</Notice>)}
      {first.error && <Failed error={first.error} again={first.again} />}
      {error && <Failed error={error} />}
      {!first.value ? <Loading what="the audit log" /> : entries.length ? (
        <div class="table-box" role="region" aria-label="Table" tabIndex={0}>
          <table>
            <thead><tr><th scope="col" class="number">No.</th><th scope="col">When</th><th scope="col">Who</th><th scope="col">Did</th><th scope="col">To</th><th scope="col">With</th></tr></thead>
            <tbody>
              {entries.map((entry) => (
                <tr key={entry.seq}>
                  <td class="number">{entry.seq}</td>
                  <td class="number time">{dateTime(entry.at)}</td>
                  <td>{entry.actor}</td>
                  <td>{words(entry.action)}</td>
                  <td>{entry.subject}</td>
                  <td class="quiet-text">{Object.entries(entry.detail).map(([name, value]) => `${words(name)} ${typeof value === "string" ? value : JSON.stringify(value)}`).join(", ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : <Empty title="Nothing yet" />}
      {next && <div><Button onClick={older}>Older entries</Button></div>}
    </div>
  );
}
