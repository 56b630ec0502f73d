import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask } from "../api";
import { asError, Button, Failed, Notice } from "../ui";
import type { FenceFeature } from "./model";

interface Effect {
  what: string;
  before: number | null;
  after: number | null;
}
interface Advised {
  days: string[];
  k: number;
  enough: boolean;
  findings: { code: string; told: string; remedy: string }[];
  proposal: { told: string; feature: FenceFeature; effect: Effect[] } | null;
}

/** What the fence doctor says of a published fence; its proposal can be tried, as one step that can be undone. */
export function Advice({ id, tried }: { id: string; tried: (feature: FenceFeature) => void }): JSX.Element {
  const [advised, setAdvised] = useState<Advised | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const look = async () => {
    setBusy(true);
    setError(null);
    try {
      setAdvised(await ask<Advised>("GET", `/v1/geofences/${encodeURIComponent(id)}/advice`));
    } catch (failed) {
      setError(asError(failed));
    } finally {
      setBusy(false);
    }
  };
  return (
    <details>
      <summary>Fence doctor</summary>
      <div class="spaced">
        <p class="hint">Examines the fence as it is published, by the positions of the last days: what goes wrong at it, and what would do better.</p>
        {error && <Failed error={error} again={look} />}
        <Button small busy={busy} onClick={look}>{busy ? "Examining …" : "Examine"}</Button>
        <div class="spaced" role="status">
          {advised && <Findings {...advised} />}
          {advised?.proposal && <Proposed {...advised.proposal} k={advised.k} tried={tried} />}
        </div>
      </div>
    </details>
  );
}

function Findings({ days, k, enough, findings, proposal }: Advised): JSX.Element {
  if (days.length === 0) return <Notice kind="info">There are no positions to examine it by yet.</Notice>;
  return (
    <>
      {!enough && <Notice kind="info">Fewer than {k} shoppers came near it in {days.length === 1 ? "one day" : `${days.length} days`}: too few to say more than its shape does.</Notice>}
      {enough && findings.length === 0 && <Notice kind="good">Nothing is wrong with it that the doctor knows of.</Notice>}
      {findings.map(({ code, told, remedy }) => <Notice key={code} kind="warn">{told} {remedy.replaceAll("`", "")}</Notice>)}
      {enough && findings.length > 0 && !proposal && <p class="hint">None of the changes that were tried did clearly better.</p>}
    </>
  );
}

function Proposed({ told, feature, effect, k, tried }: NonNullable<Advised["proposal"]> & { k: number; tried: (feature: FenceFeature) => void }): JSX.Element {
  const about = (count: number | null) => (count === null ? `fewer than ${k}` : `about ${count}`);
  return (
    <>
      <p><strong>Did better on these days:</strong> {told}.</p>
      {effect.length > 0 && (
        <ul class="small-text">
          {effect.map(({ what, before, after }) => <li key={what}>{what}: {about(before)} → {about(after)}</li>)}
        </ul>
      )}
      <Button small onClick={() => tried(feature)}>Try it on the map</Button>
    </>
  );
}
