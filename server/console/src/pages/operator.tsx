import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask, askText } from "../api";
import { milliseconds, number } from "../format";
import { Keys } from "../operator/keys";
import { type Metrics, metricsFrom, quantile, sum } from "../operator/metrics";
import { Facts, Standing } from "../operator/standing";
import { asError, Failed, Loading, Notice } from "../ui";

const EVERY_MS = 5_000;

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
      <Standing />
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
    ["Policy reports", number(sum(metrics, "vicino_csp_reports_total"))],
  ];
  return (
    <>
      {error && <Notice kind="warn">The server does not answer just now; what you see is from before.</Notice>}
      {ready ? <Notice kind="bad">Not ready: {ready}</Notice> : ready === "" && <Notice kind="good">Ready: the database answers, and the engine holds its lock.</Notice>}
      {closed > 0 && <Notice kind="warn">{number(closed)} retailers’ lanes cannot keep up: what is worth least is refused.</Notice>}
      {aside > 0 && <Notice kind="warn">{number(aside)} inputs could not be processed and were put aside since the server started. Each is a defect: see the log.</Notice>}
      <Facts of={facts} />
    </>
  );
}
