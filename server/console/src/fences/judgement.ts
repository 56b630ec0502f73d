// What the server would say to a draft: asked with a dry run once the shape has rested for a moment.
import { useEffect, useMemo, useState } from "preact/hooks";
import { ask, type Complaint, Problem } from "../api";
import type { World } from "../pages/fences";
import { type Draft, featureOf } from "./model";
import { type Warning, warningsOf } from "./warnings";

const REST_MS = 350;

export function useJudgement(draft: Draft | null, world: World, changed: boolean): Warning[] {
  const here = useMemo(() => (draft ? warningsOf(draft, world.fences, world.sensitive) : []), [draft, world]);
  const [there, setThere] = useState<Warning[]>([]);
  const body = draft && changed && draft.store ? JSON.stringify(featureOf({ ...draft, external_id: draft.external_id || "new" })) : "null";
  useEffect(() => {
    setThere([]);
    if (body === "null") return;
    const aborted = new AbortController();
    const timer = setTimeout(() => {
      ask<{ warnings: Complaint[] }>("POST", "/v1/geofences?dry_run=true", { body: JSON.parse(body), signal: aborted.signal, unattended: true }).then(
        ({ warnings }) => setThere(warnings.map((one) => said("warn", one))),
        (error: unknown) => {
          if (error instanceof Problem && error.status === 422) setThere(error.problems.map((one) => said("bad", one)));
        },
      );
    }, REST_MS);
    return () => {
      clearTimeout(timer);
      aborted.abort();
    };
  }, [body]);
  // The server's word on a size or a sensitive place replaces ours.
  return [...here.filter(({ kind }) => kind !== "bad" || !there.some((one) => one.kind === "bad")), ...there];
}

const said = (kind: Warning["kind"], { detail, remedy }: Complaint): Warning =>
  ({ kind, text: [`${detail.charAt(0).toUpperCase()}${detail.slice(1)}`, remedy].filter(Boolean).join(". ") });
