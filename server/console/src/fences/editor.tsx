// One fence at a time: its fields at the side, its shape on the map, both steps of one history.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, Problem } from "../api";
import type { Ground } from "../map/base";
import type { Shape } from "../map/geometry";
import type { World } from "../pages/fences";
import { guardLeaving } from "../router";
import { asError, Button, Dialog, say } from "../ui";
import { FenceForm } from "./form";
import { FenceMap, type MapHandle } from "./fencemap";
import { type Draft, draftOf, featureOf, freeId, type FenceFeature, newDraft, withShape } from "./model";
import { useJudgement } from "./judgement";

interface Props {
  ground: Ground;
  world: World;
  counts: Map<string, string>;
  chosen: FenceFeature | null;
  isNew: boolean;
  list: JSX.Element;
  open: (id: string) => void;
  close: () => void;
  published: (id: string) => Promise<void>;
}

/** Typing a number, or moving a handle by key after key, is one step. */
const IN_ONE_GO_MS = 800;

export interface Steps {
  at: number;
  drafts: Draft[];
}

export function Editor(props: Props): JSX.Element {
  const { world, chosen, isNew } = props;
  const [map, setMap] = useState<MapHandle | null>(null);
  const [steps, setSteps] = useState<Steps | null>(null);
  const [moving, setMoving] = useState<Shape | null>(null); // while it is dragged, before that is a step
  const [drawing, setDrawing] = useState<"circle" | "polygon" | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const [removing, setRemoving] = useState(false);
  const draft = steps?.drafts[steps.at] ?? null;
  const shape = moving ?? draft?.shape ?? null;
  const changed = steps !== null && steps.at > 0;
  const ids = useMemo(() => new Set(world.fences.map(({ properties }) => properties.external_id)), [world]);
  const judged = useMemo(() => (draft && moving ? withShape(draft, moving) : draft), [draft, moving]);
  const judgement = useJudgement(judged, world, changed);

  // Another fence was chosen, or a new one begun: its first step.
  const identity = isNew ? "new" : (chosen?.properties.external_id ?? "");
  useEffect(() => {
    setError(null);
    setMoving(null);
    setDrawing(null);
    const first = isNew ? newDraft(world.stores.length === 1 ? (world.stores[0]?.external_id ?? "") : "") : chosen ? draftOf(chosen) : null;
    setSteps(first ? { at: 0, drafts: [first] } : null);
    map?.edit(first?.shape ?? null);
    if (first?.shape) map?.show(first.shape);
  }, [identity, map, isNew ? null : chosen]);

  const changedNow = useRef(changed);
  changedNow.current = changed;
  const leave = () => !changedNow.current || confirm("Leave without saving? Your changes to this fence are lost.");
  const shapeNow = useRef(shape);
  shapeNow.current = shape;
  const mayLeave = useRef(leave);
  mayLeave.current = leave;
  useEffect(() => {
    guardLeaving(() => mayLeave.current());
    const unloading = (event: BeforeUnloadEvent) => {
      if (changedNow.current) event.preventDefault();
    };
    addEventListener("beforeunload", unloading);
    return () => {
      guardLeaving(null);
      removeEventListener("beforeunload", unloading);
    };
  }, []);

  /** Makes a step of it: steps before it can be gone back to. What is changed in one go is one step. */
  const newest = useRef({ what: "", at: 0 });
  const step = (next: Draft, what = "") => {
    setError(null);
    setMoving(null);
    const now = performance.now();
    const goesOn = what !== "" && newest.current.what === what && now - newest.current.at < IN_ONE_GO_MS;
    newest.current = { what, at: now };
    setSteps((before) => {
      if (!before) return null;
      const kept = before.drafts.slice(0, goesOn && before.at > 0 ? before.at : before.at + 1);
      return { at: kept.length, drafts: [...kept, next] };
    });
  };
  const reshape = (next: Shape, what = "") => {
    if (!draft) return;
    step(withShape(draft, next), what);
    map?.edit(next);
  };
  const goTo = (at: number) => {
    if (!steps || at < 0 || at >= steps.drafts.length) return;
    setMoving(null);
    setSteps({ ...steps, at });
    map?.edit(steps.drafts[at]?.shape ?? null);
  };
  const begin = (kind: "circle" | "polygon") => {
    setDrawing(kind);
    map?.begin(kind);
  };
  const cancelDrawing = () => {
    setDrawing(null);
    map?.edit(draft?.shape ?? null);
  };
  const close = () => {
    if (leave()) props.close();
  };

  const save = async () => {
    if (!draft || busy) return;
    const named = draft.isNew ? { ...draft, external_id: freeId(draft.store, ids) } : draft;
    const feature = featureOf(named);
    if (!draft.store) return setError(new Problem(422, "missing", "Choose the store it belongs to.", "store"));
    if (!feature) return setError(new Problem(422, "missing", "Draw the fence, or place a circle at the store.", "geometry"));
    setBusy(true);
    setError(null);
    try {
      await ask("POST", "/v1/geofences", { body: { type: "FeatureCollection", features: [feature] } });
      changedNow.current = false;
      await props.published(named.external_id);
      say(draft.isNew ? "The fence is live" : "Saved, and live");
    } catch (failed) {
      setError(asError(failed));
    } finally {
      setBusy(false);
    }
  };
  const remove = async () => {
    if (!draft) return;
    setRemoving(false);
    setBusy(true);
    try {
      await ask("DELETE", `/v1/geofences/${encodeURIComponent(draft.external_id)}`);
      say("Removed. It can be restored from its history by its id.");
      changedNow.current = false;
      await props.published("");
    } catch (failed) {
      setError(asError(failed));
    } finally {
      setBusy(false);
    }
  };

  const keys = useRef<(event: KeyboardEvent) => void>(() => {});
  keys.current = (event) => {
    if (!draft || removing) return;
    const typing = event.target instanceof HTMLTextAreaElement || (event.target instanceof HTMLInputElement && event.target.type !== "checkbox");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      event.preventDefault();
      void save();
    } else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !typing) {
      event.preventDefault();
      goTo((steps?.at ?? 0) + (event.shiftKey ? 1 : -1));
    } else if (event.key === "Escape") {
      if (drawing) cancelDrawing();
      else close();
    }
  };
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => keys.current(event);
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);

  return (
    <div class="fences">
      <section class="side" aria-label={draft ? "Fence" : "Fences"}>
        {draft && steps ? (
          <FenceForm
            draft={judged ?? draft}
            stores={world.stores}
            judgement={judgement}
            error={error}
            busy={busy}
            changed={changed}
            drawing={drawing}
            undo={steps.at > 0 ? () => goTo(steps.at - 1) : null}
            redo={steps.at < steps.drafts.length - 1 ? () => goTo(steps.at + 1) : null}
            begin={begin}
            cancelDrawing={cancelDrawing}
            change={step}
            reshape={reshape}
            show={() => shape && map?.show(shape)}
            save={save}
            remove={() => setRemoving(true)}
            close={close}
            tried={(feature) => {
              // Name and switch stay as they are in the form: the doctor knows of neither.
              const { shape: better, radius, dwell_s } = draftOf(feature);
              step({ ...draft, shape: better, radius, dwell_s });
              map?.edit(better);
              if (better) map?.show(better);
            }}
            restored={() => props.published(draft.external_id)}
          />
        ) : (
          props.list
        )}
      </section>
      <div class="map-box">
        <FenceMap
          ground={props.ground}
          stores={world.stores}
          fences={world.fences}
          sensitive={world.sensitive}
          counts={props.counts}
          chosen={chosen?.properties.external_id ?? null}
          editing={draft !== null}
          shape={shape}
          choose={props.open}
          changed={(next, done, what) => {
            if (!draft) return;
            if (done) step(withShape(draft, next), what);
            else setMoving(next);
          }}
          drawn={() => setDrawing((kind) => {
            if (kind) setTimeout(() => shapeNow.current && map?.edit(shapeNow.current));
            return null;
          })}
          ready={setMap}
        />
        {drawing && (
          <p class="map-hint" role="status">
            {drawing === "circle" ? "Click the centre, then the rim. Escape cancels." : "Click the corners; click the first one again to close. Escape cancels."}
          </p>
        )}
      </div>
      {removing && draft && (
        <Dialog title={`Remove “${draft.name || draft.external_id}”?`} close={() => setRemoving(false)}>
          <p>Open visits to it end at once, and nobody enters it any more. Its history stays.</p>
          <div class="actions">
            <Button kind="danger" onClick={remove}>Remove</Button>
            <Button onClick={() => setRemoving(false)}>Keep it</Button>
          </div>
        </Dialog>
      )}
    </div>
  );
}
