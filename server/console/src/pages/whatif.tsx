import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { all } from "../api";
import type { FenceFeature } from "../fences/model";
import { date } from "../format";
import type { Offer } from "../offers/model";
import type { PageProps } from "../shell";
import { Button, Empty, Failed, Field, Loading, Notice, useLoaded } from "../ui";
import { type Change, changesOf, FIELDS, isWhole } from "../whatif/changes";
import { useWhatIf } from "../whatif/model";
import { Progress, Result } from "../whatif/result";

interface Names {
  geofences: [id: string, name: string][];
  offers: [id: string, name: string][];
}

export default function WhatIf({ user }: PageProps): JSX.Element {
  const whatIf = useWhatIf();
  const [day, setDay] = useState("");
  const [changes, setChanges] = useState<Change[]>([]);
  const mayFence = user.role === "admin";
  const names = useLoaded(() => namesOf(mayFence), [mayFence]);
  const fields = FIELDS.filter(({ kind }) => mayFence || kind !== "geofences");
  const chosen = day || whatIf.days?.[0] || "";
  const begin = (event: Event) => {
    event.preventDefault();
    void whatIf.run(chosen, changesOf(changes));
  };
  const set = (index: number, part: Partial<Change>) => setChanges(changes.map((change, at) => (at === index ? { ...change, ...part } : change)));
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>What if</h1>
          <p>A past day, lived through once more with other fences, offers or caps. Nothing is published, and nobody hears of it.</p>
        </div>
      </div>
      {whatIf.error && <Failed error={whatIf.error} />}
      {names.error && <Failed error={names.error} again={names.again} />}
      {!whatIf.days && !whatIf.error ? (
        <Loading what="the days" />
      ) : !whatIf.days?.length ? (
        <Empty title="No day to replay"><p>A day can be replayed for as long as its journal is kept.</p></Empty>
      ) : (
        <form class="card" onSubmit={begin} aria-label="What is to be otherwise">
          <div class="narrow">
            <Field label="Day" hint="By UTC.">
              {(attributes) => <select {...attributes} value={chosen} onChange={(event) => setDay(event.currentTarget.value)}>{whatIf.days?.map((one) => <option key={one} value={one}>{date(one)}</option>)}</select>}
            </Field>
          </div>
          {changes.map((change, index) => <ChangeRow key={index} change={change} fields={fields} names={names.value} set={(part) => set(index, part)} remove={() => setChanges(changes.filter((_, at) => at !== index))} />)}
          {!changes.length && <Notice kind="info">With nothing changed every decision comes out as it was: that is what makes the rest worth believing.</Notice>}
          <div class="actions">
            <Button onClick={() => fields[0] && setChanges([...changes, { field: fields[0], id: "", value: "" }])}>Add a change</Button>
            <Button kind="primary" type="submit" busy={whatIf.busy} disabled={!changes.every(isWhole)}>{whatIf.busy ? "Replaying …" : "Replay the day"}</Button>
          </div>
        </form>
      )}
      {whatIf.job && (whatIf.busy ? <Progress job={whatIf.job} stop={whatIf.stop} /> : <Result job={whatIf.job} />)}
    </div>
  );
}

async function namesOf(mayFence: boolean): Promise<Names> {
  const [fences, offers] = await Promise.all([mayFence ? all<FenceFeature>("/v1/geofences") : [], all<Offer>("/v1/offers")]);
  return {
    geofences: fences.map(({ properties }) => [properties.external_id, properties.name || properties.external_id]),
    offers: offers.map(({ external_id, name }) => [external_id, name]),
  };
}

function ChangeRow({ change, fields, names, set, remove }: { change: Change; fields: typeof FIELDS; names: Names | null; set: (part: Partial<Change>) => void; remove: () => void }): JSX.Element {
  const list = useId();
  const { field } = change;
  const of = field.kind === "settings" ? [] : (names?.[field.kind] ?? []);
  return (
    <div class="change" role="group" aria-label={field.title}>
      <Field label="Change">
        {(attributes) => <select {...attributes} value={fields.indexOf(field)} onChange={(event) => set({ field: fields[Number(event.currentTarget.value)] ?? field, id: "" })}>{fields.map(({ title }, index) => <option key={title} value={index}>{title}</option>)}</select>}
      </Field>
      {field.kind !== "settings" && (
        <Field label={field.kind === "offers" ? "Offer" : "Fence"}>
          {(attributes) => (
            <>
              <input {...attributes} list={list} value={change.id} onInput={(event) => set({ id: event.currentTarget.value })} />
              <datalist id={list}>{of.map(([id, name]) => <option key={id} value={id}>{name}</option>)}</datalist>
            </>
          )}
        </Field>
      )}
      {field.name !== "" && (
        <Field label="To" {...(field.unit ? { unit: field.unit } : {})}>
          {(attributes) => <input {...attributes} inputMode="decimal" value={change.value} onInput={(event) => set({ value: event.currentTarget.value })} />}
        </Field>
      )}
      <Button kind="quiet" onClick={remove}>Leave as it was</Button>
    </div>
  );
}
