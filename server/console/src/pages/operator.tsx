import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask, askText } from "../api";
import { date, milliseconds, number, words } from "../format";
import { asError, Badge, Button, complaint, Dialog, Empty, Failed, Field, Loading, Notice, say, useLoaded } from "../ui";
import { type Metrics, metricsFrom, quantile, sum } from "../operator/metrics";

const EVERY_MS = 5_000;

interface Key {
  id: string;
  kind: string;
  store: string | null;
  created_at: string;
  revoked_at: string | null;
}

export default function Operator(): JSX.Element {
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>Operator</h1>
          <p>How the server is doing, from its own metrics since it started. The same for your monitoring: <a href="/metrics" target="_blank" rel="noreferrer">/metrics</a>. The API: <a href="/docs" target="_blank" rel="noreferrer">/docs</a>.</p>
        </div>
      </div>
      <Health />
      <Keys />
    </div>
  );
}

function Health(): JSX.Element {
  const [metrics, setMetrics] = useState<Metrics | null>(null);
  const [ready, setReady] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const look = () => {
      if (document.hidden) return;
      askText("/metrics").then(
        (text) => {
          setMetrics(metricsFrom(text));
          setError(null);
        },
        (failed: unknown) => setError(asError(failed)),
      );
      ask("GET", "/readyz", { unattended: true }).then(() => setReady(""), (failed: unknown) => setReady(asError(failed).message));
    };
    look();
    const timer = setInterval(look, EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  if (error && !metrics) return <Failed error={error} />;
  if (!metrics) return <Loading what="the metrics" />;
  const closed = sum(metrics, "vicino_valves_closed");
  const aside = sum(metrics, "vicino_quarantined_total");
  const push = quantile(metrics, "vicino_fix_to_push_seconds", 0.99);
  const lag = quantile(metrics, "vicino_loop_lag_seconds", 0.99);
  const facts: [string, string][] = [
    ["Fixes taken", number(sum(metrics, "vicino_fixes_total", "result", "accepted"))],
    ["Waiting now", number(sum(metrics, "vicino_waiting"))],
    ["Fix to push, p99", push === null ? "–" : `≤ ${milliseconds(push * 1000)}`],
    ["Event loop late, p99", lag === null ? "–" : `≤ ${milliseconds(lag * 1000)}`],
    ["Pushes sent", number(sum(metrics, "vicino_pushes_total", "state", "sent"))],
    ["Refused for now", number(sum(metrics, "vicino_refused_total"))],
    ["Put aside", number(aside)],
    ["Policy reports", number(sum(metrics, "vicino_csp_reports_total"))],
  ];
  return (
    <>
      {error && <Notice kind="warn">The server does not answer just now; what you see is from before.</Notice>}
      {ready ? <Notice kind="bad">Not ready: {ready}</Notice> : ready === "" && <Notice kind="good">Ready: the database answers, and the engine holds its lock.</Notice>}
      {closed > 0 && <Notice kind="warn">{number(closed)} retailers’ lanes cannot keep up: what is worth least is refused.</Notice>}
      {aside > 0 && <Notice kind="warn">{number(aside)} inputs could not be processed and were put aside. Each is a defect: see the log.</Notice>}
      <dl class="facts">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
    </>
  );
}

function Keys(): JSX.Element {
  const keys = useLoaded(() => ask<{ items: Key[] }>("GET", "/v1/keys"), []);
  const [kind, setKind] = useState("server");
  const [store, setStore] = useState("");
  const [made, setMade] = useState<{ kind: string; key: string } | null>(null);
  const [ending, setEnding] = useState<Key | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const attempt = async (work: () => Promise<void>) => {
    setError(null);
    try {
      await work();
      keys.again();
    } catch (failed) {
      setError(asError(failed));
    }
  };
  const add = (event: Event) => {
    event.preventDefault();
    void attempt(async () => setMade(await ask("POST", "/v1/keys", { body: { kind, ...(kind === "till" && store ? { store } : {}) } })));
  };
  return (
    <section class="stack" aria-label="Keys">
      <div>
        <h2>Keys</h2>
        <p class="quiet-text">To rotate one: make another, put it where the old one is, then revoke that.</p>
      </div>
      {error && !complaint(error, "store") && <Failed error={error} />}
      <form class="card" onSubmit={add} aria-label="Make a key">
        <div class="row">
          <Field label="Kind">
            {(attributes) => (
              <select {...attributes} value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
                <option value="app">App: public, registers devices</option>
                <option value="server">Server: everything</option>
                <option value="till">Till: redeems</option>
              </select>
            )}
          </Field>
          {kind === "till" && <Field label="Store" hint="Its id; empty: every store." error={complaint(error, "store")}>{(attributes) => <input {...attributes} value={store} onInput={(event) => setStore(event.currentTarget.value)} />}</Field>}
        </div>
        <div class="actions"><Button kind="primary" type="submit">Make a key</Button></div>
      </form>
      {!keys.value ? <Loading what="keys" /> : keys.value.items.length ? (
        <div class="table-box" role="region" aria-label="Table" tabIndex={0}>
          <table>
            <thead><tr><th scope="col">Key</th><th scope="col">Kind</th><th scope="col">Store</th><th scope="col">Made</th><th scope="col">State</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
            <tbody>
              {keys.value.items.map((key) => (
                <tr key={key.id}>
                  <td><code>{key.id}</code></td>
                  <td>{words(key.kind)}</td>
                  <td>{key.store ?? "all"}</td>
                  <td class="number time">{date(key.created_at)}</td>
                  <td>{key.revoked_at ? <Badge kind="quiet">revoked {date(key.revoked_at)}</Badge> : <Badge kind="good">in use</Badge>}</td>
                  <td>{!key.revoked_at && <Button small onClick={() => setEnding(key)}>Revoke</Button>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : <Empty title="No keys" />}
      {made && (
        <Dialog title={`The ${made.kind} key, this once`} close={() => setMade(null)}>
          <p>Only a hash of it is kept.</p>
          <p><code class="secret">{made.key}</code></p>
          <div class="actions"><Button kind="primary" onClick={() => setMade(null)}>I have it</Button></div>
        </Dialog>
      )}
      {ending && (
        <Dialog title={`Revoke ${ending.kind} key ${ending.id}?`} close={() => setEnding(null)}>
          <p>Whoever uses it is refused within 5 s.</p>
          <div class="actions">
            <Button kind="danger" onClick={() => { const key = ending; setEnding(null); void attempt(async () => { await ask("DELETE", `/v1/keys/${key.id}`); say("The key is revoked"); }); }}>Revoke</Button>
            <Button onClick={() => setEnding(null)}>Keep it</Button>
          </div>
        </Dialog>
      )}
    </section>
  );
}
