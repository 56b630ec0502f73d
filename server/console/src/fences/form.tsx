import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { squareMetres } from "../format";
import { Icon } from "../icons";
import { areaOf, cornersFrom, cornersText, type Shape } from "../map/geometry";
import { Button, complaint, Field, Notice } from "../ui";
import { Advice } from "./advice";
import { History } from "./history";
import type { Draft, FenceFeature, Store } from "./model";
import type { Warning } from "./warnings";

interface Props {
  draft: Draft;
  stores: Store[];
  judgement: Warning[];
  error: Error | null;
  busy: boolean;
  changed: boolean;
  drawing: "circle" | "polygon" | null;
  undo: (() => void) | null;
  redo: (() => void) | null;
  begin: (kind: "circle" | "polygon") => void;
  cancelDrawing: () => void;
  change: (draft: Draft, what?: string) => void;
  reshape: (shape: Shape, what?: string) => void;
  show: () => void;
  save: () => void;
  remove: () => void;
  close: () => void;
  tried: (feature: FenceFeature) => void;
  restored: () => Promise<void>;
}

export function FenceForm(props: Props): JSX.Element {
  const { draft, error, judgement } = props;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [draft.external_id]);
  const store = props.stores.find((one) => one.external_id === draft.store);
  const general = error && !["store", "name", "radius", "dwell_s", "geometry"].some((name) => complaint(error, name)) ? error : null;
  const onShape = complaint(error, "geometry", "geometry.coordinates", "coordinates");
  return (
    <>
      <div class="side-head">
        <div class="actions">
          <Button kind="quiet" small onClick={props.close}><Icon name="back" />All fences</Button>
          <span class="actions">
            <Button kind="quiet" small aria-label="Undo" title="Undo (Ctrl Z)" disabled={!props.undo} onClick={() => props.undo?.()}><Icon name="undo" /></Button>
            <Button kind="quiet" small aria-label="Redo" title="Redo (Ctrl Shift Z)" disabled={!props.redo} onClick={() => props.redo?.()}><Icon name="redo" /></Button>
          </span>
        </div>
        <h1 ref={heading} tabIndex={-1}>{draft.isNew ? "New fence" : draft.name || draft.external_id}</h1>
      </div>
      <form class="side-body" id="fence-form" onSubmit={(event) => { event.preventDefault(); props.save(); }}>
        <div class="side-form">
          {general && <Notice kind="bad">{general.message}</Notice>}
          <StoreField {...props} error={complaint(error, "store")} />
          <TextField label="Name" hint="What colleagues read; shoppers never do." value={draft.name} error={complaint(error, "name")} set={(name) => props.change({ ...draft, name }, "name")} />
          <div class="field">
            <span class="label">Shape</span>
            <div class="actions">
              <Button small aria-pressed={props.drawing === "circle"} onClick={() => (props.drawing === "circle" ? props.cancelDrawing() : props.begin("circle"))}><Icon name="circle" />Draw a circle</Button>
              <Button small aria-pressed={props.drawing === "polygon"} onClick={() => (props.drawing === "polygon" ? props.cancelDrawing() : props.begin("polygon"))}><Icon name="polygon" />Draw an area</Button>
              {store && <Button small onClick={() => props.reshape({ kind: "circle", lon: store.lon, lat: store.lat, radius_m: draft.shape?.kind === "circle" ? draft.shape.radius_m : 60 })}>Circle at the store</Button>}
            </div>
            {onShape && <p class="error">{onShape}</p>}
          </div>
          {draft.shape?.kind === "circle" && <RadiusField {...props} shape={draft.shape} error={complaint(error, "radius")} />}
          {draft.shape?.kind === "area" && <Corners {...props} shape={draft.shape} />}
          {judgement.map((warning) => <Notice key={warning.text} kind={warning.kind}>{warning.text}</Notice>)}
          <TextField label="Dwell" unit="s" digits hint="A visit that lasts this long counts as dwelling." value={draft.dwell_s} error={complaint(error, "dwell_s")} set={(dwell_s) => props.change({ ...draft, dwell_s }, "dwell_s")} />
          <label class="check">
            <input type="checkbox" checked={draft.enabled} onChange={(event) => props.change({ ...draft, enabled: event.currentTarget.checked })} />
            <span>On <span class="hint">Off, it is kept, and nobody enters it.</span></span>
          </label>
          {draft.valid && <Notice kind="info">Temporary: {draft.valid.from ?? "always"} to {draft.valid.until ?? "for good"}.</Notice>}
          {!draft.isNew && <Advice key={draft.external_id} id={draft.external_id} tried={props.tried} />}
          {!draft.isNew && <History id={draft.external_id} restored={props.restored} />}
          {!draft.isNew && <Button kind="danger" small onClick={props.remove}>Remove this fence</Button>}
        </div>
      </form>
      <div class="side-foot">
        <Button kind="primary" type="submit" form="fence-form" busy={props.busy} disabled={!props.changed && !draft.isNew}>{props.busy ? "Saving …" : "Save and publish"}</Button>
        <Button onClick={props.close}>{props.changed ? "Discard" : "Close"}</Button>
      </div>
    </>
  );
}

function StoreField(props: Omit<Props, "error"> & { error: string | null }): JSX.Element {
  const { draft, stores } = props;
  const nameOf = (id: string) => stores.find((one) => one.external_id === id)?.name ?? id;
  const [text, setText] = useState(draft.store ? nameOf(draft.store) : "");
  const [wrong, setWrong] = useState<string | null>(null);
  useEffect(() => setText(draft.store ? nameOf(draft.store) : ""), [draft.store]);
  const settle = (typed: string, final: boolean) => {
    const wanted = typed.trim().toLocaleLowerCase();
    if (draft.store && wanted === nameOf(draft.store).toLocaleLowerCase()) return setWrong(null);
    const found = stores.find((one) => `${one.name} · ${one.external_id}`.toLocaleLowerCase() === wanted || one.external_id.toLocaleLowerCase() === wanted)
      ?? (stores.filter((one) => one.name.toLocaleLowerCase() === wanted).length === 1 ? stores.find((one) => one.name.toLocaleLowerCase() === wanted) : undefined);
    setWrong(final && typed && !found ? "There is no such store; choose one from the list." : null);
    if (found && found.external_id !== draft.store) props.change({ ...draft, store: found.external_id });
  };
  return (
    <Field label="Store" error={wrong ?? props.error} hint={draft.store ? undefined : "Whose fence it is: type to search."}>
      {(attributes) => (
        <>
          <input {...attributes} list="stores" autocomplete="off" value={text} onInput={(event) => { setText(event.currentTarget.value); settle(event.currentTarget.value, false); }} onChange={(event) => settle(event.currentTarget.value, true)} />
          <datalist id="stores">{stores.map((one) => <option key={one.external_id} value={`${one.name} · ${one.external_id}`} />)}</datalist>
        </>
      )}
    </Field>
  );
}

interface TextProps {
  label: string;
  hint?: string;
  unit?: string;
  digits?: boolean;
  value: string;
  error: string | null;
  set: (value: string) => void;
}

function TextField({ label, hint, unit, digits = false, value, error, set }: TextProps): JSX.Element {
  return (
    <Field label={label} hint={hint} error={error} {...(unit ? { unit } : {})}>
      {(attributes) => <input {...attributes} inputMode={digits ? "decimal" : "text"} value={value} onInput={(event) => set(event.currentTarget.value)} />}
    </Field>
  );
}

function RadiusField(props: Omit<Props, "error"> & { shape: Extract<Shape, { kind: "circle" }>; error: string | null }): JSX.Element {
  const { shape } = props;
  const [text, setText] = useState(String(shape.radius_m));
  useEffect(() => setText(String(shape.radius_m)), [shape.radius_m]);
  const value = Number(text);
  const wrong = text !== "" && value >= 10 && value <= 10_000 ? null : "From 10 to 10,000 metres.";
  const typed = (next: string) => {
    setText(next);
    const radius_m = Number(next);
    if (next !== "" && radius_m >= 10 && radius_m <= 10_000 && radius_m !== shape.radius_m) props.reshape({ ...shape, radius_m }, "radius");
  };
  return (
    <Field label="Radius" unit="m" error={wrong ?? props.error} hint={`${squareMetres(areaOf(shape))}. Drag the square handle, or type.`}>
      {(attributes) => <input {...attributes} type="number" min={10} max={10_000} step="any" value={text} onInput={(event) => typed(event.currentTarget.value)} />}
    </Field>
  );
}

function Corners(props: Props & { shape: Extract<Shape, { kind: "area" }> }): JSX.Element {
  const { shape } = props;
  const single = shape.geometry.type === "Polygon" && shape.geometry.coordinates.length === 1;
  const [text, setText] = useState(cornersText(shape));
  const [wrong, setWrong] = useState<string | null>(null);
  useEffect(() => {
    setText(cornersText(shape));
    setWrong(null);
  }, [shape]);
  if (!single) return <p class="hint">{squareMetres(areaOf(shape))}, in several parts or with holes: it can be replaced, but not reshaped here.</p>;
  const settle = (typed: string) => {
    const read = cornersFrom(typed);
    if (typeof read === "string") setWrong(read);
    else if (typed !== cornersText(shape)) props.reshape(read);
  };
  return (
    <details>
      <summary>{squareMetres(areaOf(shape))} · corners as text</summary>
      <Field label="Corners" hint="Latitude, longitude: one corner a line." error={wrong}>
        {(attributes) => <textarea {...attributes} rows={6} spellcheck={false} value={text} onInput={(event) => setText(event.currentTarget.value)} onChange={(event) => settle(event.currentTarget.value)} />}
      </Field>
    </details>
  );
}
