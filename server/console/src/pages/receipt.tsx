import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { ask } from "../api";
import { dateTime, metres, words } from "../format";
import { Icon } from "../icons";
import { type Candidate, type Gate, pushText, reasonText, type Receipt } from "../live/model";
import { Stages } from "../live/stages";
import { address } from "../router";
import { Badge, Failed, Loading, Notice, useLoaded } from "../ui";
import { useStoreNames } from "./live";

export function ReceiptView({ id }: { id: string }): JSX.Element {
  const { value, error, again } = useLoaded(() => ask<Receipt>("GET", `/v1/decisions/${encodeURIComponent(id)}`), [id]);
  const nameOf = useStoreNames();
  useEffect(() => {
    // A push that is under way is looked at again.
    const state = value?.push?.state;
    if (state !== "pending" && state !== "leased") return;
    const timer = setTimeout(again, 500);
    return () => clearTimeout(timer);
  }, [value]);
  return (
    <div class="page">
      <div><a class="back" href={address("live")}><Icon name="back" />All moments</a></div>
      {error && !value ? <Failed error={error} again={again} /> : value ? <Told receipt={value} store={nameOf(value.moment.store)} /> : <Loading what="the receipt" />}
    </div>
  );
}

function Told({ receipt, store }: { receipt: Receipt; store: string }): JSX.Element {
  const { moment } = receipt;
  const offered = receipt.outcome === "offer";
  return (
    <>
      <div class="page-head">
        <div>
          <h1>{offered ? `Offer at ${store}` : `Silence at ${store}`}</h1>
          <p>{dateTime(receipt.decided_at)} · because of {words(moment.trigger)}{moment.distance_m === null ? "" : ` · about ${metres(moment.distance_m)} from the store`}</p>
        </div>
        <span class="actions">
          {offered ? <Badge kind={receipt.push?.state === "failed" ? "bad" : "good"}>{receipt.push ? pushText(receipt.push.state) : "offer"}</Badge> : <Badge kind="quiet">silence</Badge>}
        </span>
      </div>
      <section class="card" aria-label="What was decided">
        <h2>{offered ? `Chosen: ${receipt.offer}` : receipt.reasons.map(reasonText).join("; ") || "No reason told"}</h2>
        {offered && <p class="quiet-text">{[receipt.sku, receipt.delivery === "inbox_only" ? "in the inbox only" : "by push", receipt.expires_at && `until ${dateTime(receipt.expires_at)}`].filter(Boolean).join(" · ")}</p>}
        {receipt.push?.reason && <p class="quiet-text">The push: {words(receipt.push.reason)}</p>}
        {receipt.ghost && <p class="quiet-text">But for the control group it would have been {receipt.ghost.offer}.</p>}
      </section>
      {receipt.counterfactuals.length > 0 && (
        <section class="card" aria-label="What would have changed it">
          <h2>It would have been sent if …</h2>
          <ul class="what-if">
            {receipt.counterfactuals.map((one) => (
              <li key={`${one.offer} ${one.sku}`}>
                <strong>{one.offer ?? "Something could have been, if"}</strong>
                <ul>{one.if.map(({ code, detail }) => <li key={code}>not “{reasonText(code)}” <span class="quiet-text">({detail})</span></li>)}</ul>
              </li>
            ))}
          </ul>
        </section>
      )}
      <div class="columns">
        <section class="card" aria-label="Timings">
          <h2>From fix to push</h2>
          <Stages timings={receipt.timings_ms} legend />
          {receipt.push?.state === "sent" && (receipt.timings_ms["received_to_accepted"] ?? 0) <= 3000 && <Notice kind="good">Within the 3 s that a push may take.</Notice>}
        </section>
        <section class="card" aria-label="Intent">
          <h2>Intent {Math.round(moment.intent)} of 100</h2>
          <ul class="evidence">{moment.evidence.map((part, index) => <li key={index}>{evidenceText(part)}</li>)}</ul>
          <p class="quiet-text small-text">Plausible to {moment.plausibility.score.toFixed(2)}{moment.plausibility.signs.length ? `: ${moment.plausibility.signs.map(({ detail }) => detail).join("; ")}` : ""}</p>
        </section>
      </div>
      <section class="card" aria-label="Gates of the moment">
        <h2>Gates of the moment</h2>
        <Gates gates={receipt.gates} />
      </section>
      <section aria-label="Candidates">
        <h2>{receipt.candidates.length === 1 ? "1 candidate" : `${receipt.candidates.length} candidates`}, the best first</h2>
        {receipt.candidates.length > 0 && <Candidates receipt={receipt} />}
      </section>
      <p class="quiet-text small-text">Policy {receipt.policy}, propensity {receipt.propensity}, published version {receipt.versions.catalogue}. Receipt {receipt.id}</p>
    </>
  );
}

function Candidates({ receipt }: { receipt: Receipt }): JSX.Element {
  const most = Math.max(...receipt.candidates.map(({ score }) => score ?? 0), 1e-9);
  const own = (candidate: Candidate): Gate[] => candidate.gates.filter((gate) => !receipt.gates.some((one) => one.code === gate.code && one.detail === gate.detail));
  return (
    <div class="table-box" role="region" aria-label="Table" tabIndex={0}>
      <table>
        <thead><tr><th scope="col">Offer</th><th scope="col">Score</th><th scope="col">What stood in its way</th></tr></thead>
        <tbody>
          {receipt.candidates.map((candidate) => {
            const failed = candidate.gates.filter(({ passed }) => !passed);
            return (
              <tr key={candidate.offer + (candidate.sku ?? "")} class={candidate.offer === receipt.offer ? "chosen" : ""}>
                <td>{candidate.offer}{candidate.sku && <div class="quiet-text small-text">{candidate.sku}</div>}</td>
                <td class="score">
                  <meter min={0} max={most} value={candidate.score ?? 0} aria-label={`Score of ${candidate.offer}`} />
                  <span class="number">{candidate.score === undefined ? "–" : candidate.score.toFixed(4)}</span>
                </td>
                <td>
                  {failed.length ? failed.map((gate) => <div key={gate.code + gate.detail}><Badge kind="bad">{words(gate.code)}</Badge> <span class="quiet-text">{gate.detail}</span></div>) : <Badge kind="good">nothing</Badge>}
                  <details><summary>Its own gates</summary><Gates gates={own(candidate)} /></details>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Gates({ gates }: { gates: Gate[] }): JSX.Element {
  return (
    <ul class="gates">
      {gates.map((gate) => (
        <li key={gate.code + gate.detail} class={gate.passed ? "" : "failed"}>
          <span aria-hidden="true">{gate.passed ? "✓" : "×"}</span>
          <span class="visually-hidden">{gate.passed ? "passed:" : "failed:"}</span>
          <strong>{words(gate.code)}</strong>
          <span class="quiet-text">{gate.detail}</span>
        </li>
      ))}
    </ul>
  );
}

function evidenceText(part: Record<string, unknown>): string {
  const { kind, at: _, level, ...rest } = part;
  const about = Object.entries(rest).map(([name, value]) => (typeof value === "string" && ["sku", "category", "query", "store", "geofence"].includes(name) ? value : `${words(name)} ${String(value)}`));
  return [words(String(kind)), ...about, typeof level === "number" ? `level ${level.toFixed(2)}` : ""].filter(Boolean).join(" · ");
}
