// Fences as a GeoJSON file: taken away, and brought back. What a file would change is told before it is published.
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { ask, type Complaint, save } from "../api";
import { number } from "../format";
import { asError, Button, Dialog, Failed, Notice, say } from "../ui";
import type { FenceFeature } from "./model";

interface Report {
  created: number;
  updated: number;
  unchanged: number;
  refused: number;
  problems: (Complaint & { record?: number })[];
}

interface Wanted {
  name: string;
  body: unknown;
  report: Report;
}

const SHOWN = 8;

export function Transfer({ fences, done }: { fences: FenceFeature[]; done: () => Promise<void> }): JSX.Element {
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const take = () => save(new Blob([JSON.stringify({ type: "FeatureCollection", features: fences }, null, 1)], { type: "application/geo+json" }), "vicino-fences.geojson");
  const read = async (file: File) => {
    try {
      const body = parsed(await file.text());
      setWanted({ name: file.name, body, report: await ask<Report>("POST", "/v1/geofences?dry_run=true", { body }) });
    } catch (failed) {
      setError(asError(failed));
    }
  };
  const publish = async () => {
    if (!wanted) return;
    setBusy(true);
    try {
      const { created, updated } = await ask<Report>("POST", "/v1/geofences", { body: wanted.body });
      setWanted(null);
      await done();
      say(`${number(created)} new and ${number(updated)} changed fences are live`);
    } catch (failed) {
      setError(asError(failed));
      setWanted(null);
    } finally {
      setBusy(false);
    }
  };
  const changes = wanted ? wanted.report.created + wanted.report.updated : 0;
  return (
    <>
      <span class="actions">
        <input ref={input} hidden type="file" aria-label="GeoJSON file" accept=".geojson,.json,application/geo+json" onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          event.currentTarget.value = "";
          if (file) void read(file);
        }} />
        <Button small onClick={() => input.current?.click()}>Import</Button>
        <Button small onClick={take} disabled={!fences.length}>Export</Button>
      </span>
      {error && (
        <Dialog title="The file was not taken" close={() => setError(null)}>
          <Failed error={error} />
          <Problems of={"problems" in error ? (error.problems as Complaint[]) : []} />
          <div class="actions"><Button onClick={() => setError(null)}>Close</Button></div>
        </Dialog>
      )}
      {wanted && (
        <Dialog title={`Import ${wanted.name}?`} close={() => setWanted(null)}>
          <p>{`${number(wanted.report.created)} new, ${number(wanted.report.updated)} changed, ${number(wanted.report.unchanged)} as they are. Fences that the file does not name stay.`}</p>
          {wanted.report.refused > 0 && <Notice kind="warn">{`${number(wanted.report.refused)} cannot be taken, and are left out:`}</Notice>}
          <Problems of={wanted.report.problems} />
          <div class="actions"><Button kind="primary" busy={busy} disabled={!changes} onClick={publish}>Publish</Button><Button onClick={() => setWanted(null)}>Leave it</Button></div>
        </Dialog>
      )}
    </>
  );
}

function Problems({ of }: { of: Complaint[] }): JSX.Element | null {
  if (!of.length) return null;
  return (
    <ul class="problems">
      {of.slice(0, SHOWN).map(({ field, detail }, index) => <li key={index}><strong>{field}</strong>: {detail}</li>)}
      {of.length > SHOWN && <li>{`and ${number(of.length - SHOWN)} more`}</li>}
    </ul>
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("This file is no JSON: export geofences as GeoJSON (RFC 7946), or use ./vicino import for other forms.");
  }
}
