import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, type Complaint } from "../api";
import type { Store } from "../fences/model";
import { Icon } from "../icons";
import { address, guardLeaving } from "../router";
import { asError, Badge, Button, complaint, Dialog, Field, Notice, say } from "../ui";
import { WeekGrid } from "./grid";
import { type Fields, offerOf, type Product, slug, type Status, STEPS } from "./model";
import { Preview } from "./preview";
import { Reach } from "./reach";
import { Tags } from "./tags";

interface Props {
  published: unknown;
  fields: Fields;
  isNew: boolean;
  status: Status;
  taken: string[];
  stores: Store[];
  products: Product[];
  mayEdit: boolean;
  warnings: Complaint[]; //: about what was saved last
  saved: (id: string, warnings?: Complaint[]) => Promise<void>;
}

const PLACEHOLDERS = ["product", "discount", "distance_m", "store", "until"];

export function OfferEditor(props: Props): JSX.Element {
  const [saved] = useState(props.fields);
  const [fields, setFields] = useState(saved);
  const [locale, setLocale] = useState(Object.keys(props.fields.messages)[0] ?? "en");
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const [removing, setRemoving] = useState(false);
  const changed = fields !== saved;
  const changedNow = useRef(changed);
  changedNow.current = changed;
  useEffect(() => {
    guardLeaving(() => !changedNow.current || confirm("Leave without saving? Your changes to this offer are lost."));
    return () => guardLeaving(null);
  }, []);
  const set = (part: Partial<Fields>) => setFields({ ...fields, ...part });
  const categories = useMemo(() => [...new Set(props.products.map(({ category }) => category))].sort(), [props.products]);
  const store = props.stores.find(({ external_id }) => external_id === fields.stores[0]) ?? props.stores[0];
  const product = props.products.find(({ sku, category }) => fields.skus.includes(sku) || fields.categories.includes(category));

  const id = props.isNew ? freeId(slug(fields.name) || "offer", props.taken) : fields.external_id;

  const save = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const { warnings } = await ask<{ warnings: Complaint[] }>("POST", "/v1/offers", { body: offerOf({ ...fields, external_id: id }) });
      changedNow.current = false;
      await props.saved(id, warnings);
      say(warnings.some(({ code }) => code === "needs_approval") ? "Saved as a draft, to be approved" : props.isNew ? "The offer is published" : "Saved, and published");
    } catch (failed) {
      setError(asError(failed));
    } finally {
      setBusy(false);
    }
  };
  const step = async (action: string) => {
    setError(null);
    try {
      const moved = await ask<{ status: Status; moved: boolean; approvals?: string[]; approvals_needed?: number }>("POST", `/v1/offers/${encodeURIComponent(fields.external_id)}/${action}`);
      await props.saved(fields.external_id);
      say(moved.moved ? `The offer is ${moved.status}` : `${moved.approvals?.length ?? 0} of ${moved.approvals_needed} approvals: somebody else has to approve it too`);
    } catch (failed) {
      setError(asError(failed));
    }
  };
  const remove = async () => {
    setRemoving(false);
    try {
      await ask("DELETE", `/v1/offers/${encodeURIComponent(fields.external_id)}`);
      changedNow.current = false;
      await props.saved("");
      say("The offer is withdrawn; coupons that are out stay good");
    } catch (failed) {
      setError(asError(failed));
    }
  };
  const told = (...names: string[]) => complaint(error, ...names);
  const general = error && !FIELDS.some((name) => told(name)) && !messageError(error, locale) ? error : null;
  return (
    <form class="page" onSubmit={save} aria-label="Offer">
      <div><a class="back" href={address("offers")}><Icon name="back" />All offers</a></div>
      <div class="page-head">
        <h1>{props.isNew ? "New offer" : fields.name || fields.external_id}</h1>
        {props.mayEdit && (
          <span class="actions">
            {!props.isNew && <Badge kind={props.status === "live" ? "good" : props.status === "paused" ? "warn" : "quiet"}>{props.status}</Badge>}
            {!props.isNew && !changed && STEPS[props.status].map(([action, title]) => <Button key={action} onClick={() => step(action)}>{title}</Button>)}
            {!props.isNew && <Button kind="danger" onClick={() => setRemoving(true)}>Withdraw</Button>}
            <Button kind="primary" type="submit" busy={busy} disabled={!changed}>{busy ? "Publishing …" : "Publish"}</Button>
          </span>
        )}
      </div>
      {general && <Notice kind="bad">{general.message}</Notice>}
      {props.warnings.map(({ field, code, detail }) => <Notice key={field + code} kind="warn">{detail}</Notice>)}
      <fieldset class="bare offer-columns" disabled={!props.mayEdit}>
        <div class="stack">
          <section class="card" aria-label="What">
            <h2>What</h2>
            <Field label="Name" hint="What colleagues read; shoppers never do." error={told("name")}>{(attributes) => <input {...attributes} required value={fields.name} onInput={(e) => set({ name: e.currentTarget.value })} />}</Field>
            <div class="row">
              <Field label="Discount" error={told("discount.kind")}>
                {(attributes) => (
                  <select {...attributes} value={fields.kind} onChange={(e) => set({ kind: e.currentTarget.value as Fields["kind"] })}>
                    <option value="percent">Percent off</option>
                    <option value="amount">Amount off</option>
                    <option value="price">Special price</option>
                    {(fields.kind === "buy_get" || fields.kind === "gift") && <option value={fields.kind}>{fields.kind === "gift" ? "A gift" : "More for less"}</option>}
                  </select>
                )}
              </Field>
              <Field label="Value" unit={fields.kind === "percent" || fields.kind === "buy_get" ? "%" : "€"} error={told("discount.value")}>{(attributes) => <input {...attributes} inputMode="decimal" value={fields.value} onInput={(e) => set({ value: e.currentTarget.value })} />}</Field>
            </div>
            <Tags label="Products" hint="None: everything the store sells." error={told("applies_to.skus")} chosen={fields.skus} choices={props.products.map(({ sku, name }) => ({ value: sku, name }))} set={(skus) => set({ skus })} />
            <Tags label="Categories" hint="With everything below them." error={told("applies_to.categories")} chosen={fields.categories} choices={categories.map((value) => ({ value, name: value }))} set={(chosen) => set({ categories: chosen })} />
          </section>
          <section class="card" aria-label="Where and when">
            <h2>Where and when</h2>
            <Tags label="Stores" hint="None: every store." error={told("stores")} chosen={fields.stores} choices={props.stores.map(({ external_id, name }) => ({ value: external_id, name }))} set={(stores) => set({ stores })} />
            <div class="row dates">
              <Field label="From" error={told("valid.from", "valid")}>{(attributes) => <input {...attributes} type="datetime-local" value={fields.from} onInput={(e) => set({ from: e.currentTarget.value })} />}</Field>
              <Field label="Until" error={told("valid.until")}>{(attributes) => <input {...attributes} type="datetime-local" value={fields.until} onInput={(e) => set({ until: e.currentTarget.value })} />}</Field>
            </div>
            <span class="label">Hours, by the store’s clock{fields.schedule ? "" : ": none is chosen, so at any time"}</span>
            <WeekGrid schedule={fields.schedule} set={(schedule) => set({ schedule })} />
            <Field label="Hours as text" hint="OpenStreetMap’s syntax; empty: at any time." error={told("schedule")}>{(attributes) => <input {...attributes} value={fields.schedule} onInput={(e) => set({ schedule: e.currentTarget.value })} />}</Field>
          </section>
          <section class="card" aria-label="How much">
            <h2>How much</h2>
            <div class="row">
              <NumberField label="Per shopper and day" error={told("limits.per_shopper_per_day")} value={fields.per_shopper_per_day} set={(value) => set({ per_shopper_per_day: value })} />
              <NumberField label="Per shopper" error={told("limits.per_shopper")} value={fields.per_shopper} set={(value) => set({ per_shopper: value })} />
            </div>
            <div class="row">
              <NumberField label="Redemptions in all" error={told("budget.redemptions")} value={fields.redemptions} set={(value) => set({ redemptions: value })} />
              <NumberField label="Coupons in all" error={told("budget.issued")} value={fields.issued} set={(value) => set({ issued: value })} />
              <NumberField label="Spend in all" unit="€" error={told("budget.spend")} value={fields.spend} set={(value) => set({ spend: value })} />
            </div>
            <p class="hint">Empty: no limit. A coupon that is out holds its place in the budget until it is used or over.</p>
          </section>
          {props.mayEdit && <Reach id={id} published={props.published} body={() => offerOf({ ...fields, external_id: id })} />}
        </div>
        <section class="card message" aria-label="Message">
          <h2>Message</h2>
          <Locales fields={fields} locale={locale} choose={setLocale} set={set} />
          <Preview fields={fields} locale={locale} product={product} store={store?.name ?? "the store"} />
          {(["title", "body"] as const).map((part) => {
            const message = fields.messages[locale] ?? { title: "", body: "" };
            const change = (value: string) => set({ messages: { ...fields.messages, [locale]: { ...message, [part]: value } } });
            return (
              <Field key={part} label={part === "title" ? "Title" : "Text"} error={told(`message.${locale}.${part}`)}>
                {(attributes) => (part === "title" ? <input {...attributes} required value={message.title} onInput={(e) => change(e.currentTarget.value)} /> : <textarea {...attributes} required rows={3} value={message.body} onInput={(e) => change(e.currentTarget.value)} />)}
              </Field>
            );
          })}
          <p class="hint">Filled in for each shopper: {PLACEHOLDERS.map((name) => <code key={name}>{`{${name}}`}</code>)}</p>
          {messageError(error, locale) && <Notice kind="bad">{messageError(error, locale)}</Notice>}
        </section>
      </fieldset>
      {removing && (
        <Dialog title={`Withdraw “${fields.name}”?`} close={() => setRemoving(false)}>
          <p>It is not made to anybody any more. Coupons that are out stay good until they end.</p>
          <div class="actions"><Button kind="danger" onClick={remove}>Withdraw</Button><Button onClick={() => setRemoving(false)}>Keep it</Button></div>
        </Dialog>
      )}
    </form>
  );
}

const FIELDS = ["name", "discount.kind", "discount.value", "applies_to.skus", "applies_to.categories", "stores", "valid", "valid.from", "valid.until", "schedule", "limits.per_shopper_per_day", "limits.per_shopper", "budget.redemptions", "budget.issued", "budget.spend"];

/** What is wrong with a message in another language than the one that is shown. */
function messageError(error: Error | null, locale: string): string | null {
  const found = error && "problems" in error ? (error.problems as { field: string; detail: string }[]).find(({ field }) => field.startsWith("message") && !field.startsWith(`message.${locale}.`)) : undefined;
  return found ? `${found.field}: ${found.detail}` : null;
}

function NumberField(props: { label: string; unit?: string; error: string | null; value: string; set: (value: string) => void }): JSX.Element {
  return (
    <Field label={props.label} error={props.error} {...(props.unit ? { unit: props.unit } : {})}>
      {(attributes) => <input {...attributes} inputMode="decimal" value={props.value} onInput={(event) => props.set(event.currentTarget.value)} />}
    </Field>
  );
}

function Locales({ fields, locale, choose, set }: { fields: Fields; locale: string; choose: (locale: string) => void; set: (part: Partial<Fields>) => void }): JSX.Element {
  const [adding, setAdding] = useState("");
  const add = () => {
    const code = adding.trim();
    if (!code || fields.messages[code]) return;
    set({ messages: { ...fields.messages, [code]: { title: "", body: "" } } });
    choose(code);
    setAdding("");
  };
  return (
    <div class="actions">
      <span class="actions" role="group" aria-label="Language">{Object.keys(fields.messages).map((code) => <Button key={code} small aria-pressed={code === locale} onClick={() => choose(code)}>{code}</Button>)}</span>
      <input class="locale" aria-label="Another language" placeholder="fi, sv-FI" value={adding} onInput={(event) => setAdding(event.currentTarget.value)} onKeyDown={(event) => { if (event.key === "Enter") { event.preventDefault(); add(); } }} />
      <Button small onClick={add} disabled={!adding.trim()}>Add</Button>
    </div>
  );
}

function freeId(wanted: string, taken: string[]): string {
  for (let number = 1; ; number++) {
    const id = number === 1 ? wanted : `${wanted}-${number}`;
    if (!taken.includes(id)) return id;
  }
}
