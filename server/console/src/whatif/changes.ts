// What a person can change in a what-if, and the changes that the server is asked with.

export type Kind = "geofences" | "offers" | "settings";

export interface Field {
  kind: Kind;
  name: string;
  title: string;
  unit: string;
}

/** What can be changed, in the order it is offered. */
export const FIELDS: Field[] = [
  { kind: "geofences", name: "radius", title: "Fence: radius", unit: "m" },
  { kind: "geofences", name: "dwell_s", title: "Fence: dwell", unit: "s" },
  { kind: "geofences", name: "", title: "Fence: taken away", unit: "" },
  { kind: "offers", name: "discount", title: "Offer: discount", unit: "" },
  { kind: "offers", name: "issued", title: "Offer: coupons in all", unit: "" },
  { kind: "offers", name: "", title: "Offer: taken away", unit: "" },
  { kind: "settings", name: "shopper_per_day", title: "Offers a shopper and day", unit: "" },
  { kind: "settings", name: "shopper_per_week", title: "Offers a shopper and week", unit: "" },
  { kind: "settings", name: "store_per_day", title: "Offers a store and day", unit: "" },
  { kind: "settings", name: "retailer_per_day", title: "Offers a day, in all", unit: "" },
  { kind: "settings", name: "holdout", title: "Share in the control group", unit: "" },
];

export interface Change {
  field: Field;
  id: string;
  value: string;
}

/** Whether a change says all that it has to. */
export const isWhole = ({ field, id, value }: Change): boolean =>
  (field.kind === "settings" || id !== "") && (field.name === "" || (value.trim() !== "" && Number.isFinite(Number(value))));

export function changesOf(changes: Change[]): Record<string, unknown> {
  const asked: Record<string, Record<string, unknown>> = {};
  for (const { field, id, value } of changes) {
    const of = (asked[field.kind] ??= {});
    if (field.kind === "settings") of[field.name] = Number(value);
    else if (field.name === "") of[id] = null;
    else of[id] = { ...(of[id] as object | null), ...bodyOf(field, Number(value), of[id]) };
  }
  return asked;
}

function bodyOf(field: Field, value: number, before: unknown): Record<string, unknown> {
  if (field.name === "discount") return { discount: { value } };
  if (field.name === "issued") return { budget: { issued: value } };
  const properties = (before as { properties?: object } | undefined)?.properties;
  return { properties: { ...properties, [field.name]: value } };
}
