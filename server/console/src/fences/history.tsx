import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask } from "../api";
import { dateTime, metres, squareMetres } from "../format";
import { areaOf } from "../map/geometry";
import { asError, Badge, Button, Failed, say } from "../ui";
import { type FenceFeature, shapeOf, type Version } from "./model";

/** Every version of a fence; an older one can be put in force again. */
export function History({ id, restored }: { id: string; restored: () => Promise<void> }): JSX.Element {
  const [versions, setVersions] = useState<Version[] | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const load = () => {
    setError(null);
    ask<{ items: Version[] }>("GET", `/v1/geofences/${encodeURIComponent(id)}/versions`).then(
      ({ items }) => setVersions(items),
      (failed: unknown) => setError(asError(failed)),
    );
  };
  const restore = async (version: Version) => {
    try {
      await ask("POST", "/v1/geofences", { body: version.body });
      say("The earlier version is in force again");
      await restored();
      load();
    } catch (failed) {
      setError(asError(failed));
    }
  };
  return (
    <details onToggle={(event) => event.currentTarget.open && load()}>
      <summary>History</summary>
      {error && <Failed error={error} again={load} />}
      <ol class="history">
        {versions?.map((version, index) => (
          <li key={version.version}>
            <span>{dateTime(version.published_at)}</span>
            {index === 0 && version.ended_at === null ? <Badge kind="good">in force</Badge> : <Button small onClick={() => restore(version)}>Restore</Button>}
            <span class="small-text quiet-text">{described(version.body)} · {version.published_by ?? "by a server or command"}</span>
          </li>
        ))}
      </ol>
    </details>
  );
}

function described(body: FenceFeature): string {
  const shape = shapeOf(body);
  const size = shape.kind === "circle" ? `circle of ${metres(shape.radius_m)}` : `area of ${squareMetres(areaOf(shape))}`;
  return body.properties.enabled === false ? `${size}, off` : size;
}
