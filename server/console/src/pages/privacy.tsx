import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask, download } from "../api";
import { date, dateTime, number, words } from "../format";
import { asError, Badge, Button, complaint, Dialog, Empty, Field, Notice, say } from "../ui";

interface Look {
  by: "user_id" | "device_id" | "shopper_id";
  value: string;
  reason: string;
}

interface Found {
  shopper_id: string;
  kept: Record<string, string | number | null>;
  consents: Record<string, { granted: boolean; at?: string; expires_at?: string }>;
  consent_history: { purpose: string; status: string; at: string; text_version?: string; locale?: string; told_by: string }[];
}

const BY: Record<Look["by"], string> = { user_id: "Your own id", device_id: "Device id", shopper_id: "Shopper id" };

export default function Privacy(): JSX.Element {
  const [look, setLook] = useState<Look>({ by: "user_id", value: "", reason: "" });
  const [found, setFound] = useState<{ look: Look; told: Found } | null>(null);
  const [receipt, setReceipt] = useState<{ erasure_id: string; erased: Record<string, number> } | null>(null);
  const [erasing, setErasing] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);

  const attempt = async (work: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await work();
    } catch (failed) {
      setError(asError(failed));
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: Event) => {
    event.preventDefault();
    setFound(null);
    setReceipt(null);
    void attempt(async () => setFound({ look, told: await ask<Found>("POST", "/v1/privacy/look", { body: look }) }));
  };
  const told = (name: string) => complaint(error, name);
  const general = error && !["value", "reason"].some(told) ? error.message : null;
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>Privacy desk</h1>
          <p>For shoppers who ask for their rights. Every look is in the audit log with its reason, also one that finds nobody.</p>
        </div>
      </div>
      <form class="card" onSubmit={submit} aria-label="Look up a shopper">
        {general && <Notice kind="bad">{general}</Notice>}
        <div class="row">
          <Field label="Find the shopper by">
            {(attributes) => (
              <select {...attributes} value={look.by} onChange={(event) => setLook({ ...look, by: event.currentTarget.value as Look["by"] })}>
                {Object.entries(BY).map(([code, name]) => <option key={code} value={code}>{name}</option>)}
              </select>
            )}
          </Field>
          <Field label="Id" error={told("value")}>{(attributes) => <input {...attributes} required autocomplete="off" spellcheck={false} value={look.value} onInput={(event) => setLook({ ...look, value: event.currentTarget.value })} />}</Field>
        </div>
        <Field label="Reason" hint="For the audit log: 10 characters or more, such as the number of the request." error={told("reason")}>
          {(attributes) => <input {...attributes} required value={look.reason} onInput={(event) => setLook({ ...look, reason: event.currentTarget.value })} />}
        </Field>
        <div class="actions"><Button kind="primary" type="submit" busy={busy}>Look up</Button></div>
      </form>
      {receipt && (
        <Notice kind="good">
          <p>The shopper is erased. Receipt {receipt.erasure_id}</p>
          <p class="small-text">{Object.entries(receipt.erased).map(([table, rows]) => `${words(table)} ${number(rows)}`).join(", ")}</p>
        </Notice>
      )}
      {found && (
        <>
          <section class="card" aria-label="What is kept">
            <h2>What is kept of the shopper</h2>
            <dl class="facts">
              {Object.entries(found.told.kept).map(([name, value]) => <div key={name}><dt>{words(name)}</dt><dd>{typeof value === "number" ? number(value) : value ? date(value) : "–"}</dd></div>)}
            </dl>
            <p class="quiet-text small-text">Shopper {found.told.shopper_id}</p>
            <div class="actions">
              <Button busy={busy} onClick={() => attempt(async () => { await download("/v1/privacy/copy", found.look, "vicino-export.zip"); say("The copy is downloaded"); })}>Download a copy</Button>
              <Button kind="danger" onClick={() => setErasing(true)}>Erase the shopper</Button>
            </div>
          </section>
          <section class="card" aria-label="Consents">
            <h2>What the shopper permits</h2>
            <ul class="gates">
              {Object.entries(found.told.consents).map(([purpose, { granted, at }]) => (
                <li key={purpose} class={granted ? "" : "failed"}>
                  <span aria-hidden="true">{granted ? "✓" : "×"}</span>
                  <strong>{words(purpose)}</strong>
                  <span class="quiet-text">{granted ? "granted" : "not granted"}{at ? `, ${dateTime(at)}` : ""}</span>
                </li>
              ))}
            </ul>
          </section>
          <section aria-label="Trail of consents">
            <h2>Every answer given</h2>
            {found.told.consent_history.length ? (
              <div class="table-box" role="region" aria-label="Table" tabIndex={0}>
                <table>
                  <thead><tr><th scope="col">When</th><th scope="col">Purpose</th><th scope="col">Answer</th><th scope="col">Text</th><th scope="col">Told by</th></tr></thead>
                  <tbody>
                    {found.told.consent_history.map((entry, index) => (
                      <tr key={index}><td class="number time">{dateTime(entry.at)}</td><td>{words(entry.purpose)}</td><td><Badge kind={entry.status === "granted" ? "good" : "quiet"}>{entry.status}</Badge></td><td>{[entry.text_version, entry.locale].filter(Boolean).join(", ")}</td><td>{entry.told_by}</td></tr>
                    ))}
                  </tbody>
                </table>
              </div>
            ) : <Empty title="None" />}
          </section>
        </>
      )}
      {erasing && found && (
        <Dialog title="Erase the shopper for good?" close={() => setErasing(false)}>
          <p>Every row, every input in the journal, what the engine remembers. It cannot be undone; a keyed hash stays, so that a backup cannot bring the shopper back.</p>
          <div class="actions">
            <Button kind="danger" onClick={() => { setErasing(false); void attempt(async () => { setReceipt(await ask("POST", "/v1/privacy/erase", { body: found.look })); setFound(null); }); }}>Erase</Button>
            <Button onClick={() => setErasing(false)}>Keep the data</Button>
          </div>
        </Dialog>
      )}
    </div>
  );
}
