// An offer as the server has it, and as the editor's fields hold it.

export type Status = "draft" | "approved" | "live" | "paused" | "ended";

export interface Offer {
  external_id: string;
  name: string;
  status?: Status;
  discount: { kind: "percent" | "amount" | "price" | "buy_get" | "gift"; value: number | string; [more: string]: unknown };
  applies_to?: { skus?: string[]; categories?: string[] } | null;
  stores?: string[] | null;
  valid: { from: string; until: string };
  schedule?: string | null;
  limits?: { per_shopper_per_day?: number | null; per_shopper?: number | null } | null;
  budget?: Record<string, unknown> | null;
  prior_response?: number | null;
  message: Record<string, { title: string; body: string }>;
}

export interface Product {
  sku: string;
  name: string;
  category: string;
  price?: string | number;
  currency?: string;
}

/** The editor's fields: texts, as typed. `rest` is what the editor has no field for, and keeps. */
export interface Fields {
  external_id: string;
  name: string;
  kind: Offer["discount"]["kind"];
  value: string;
  skus: string[];
  categories: string[];
  stores: string[];
  from: string;
  until: string;
  schedule: string;
  per_shopper_per_day: string;
  per_shopper: string;
  redemptions: string;
  issued: string;
  spend: string;
  messages: Record<string, { title: string; body: string }>;
  rest: Record<string, unknown>;
  discountRest: Record<string, unknown>;
  budgetRest: Record<string, unknown>;
}

const KNOWN = ["external_id", "name", "discount", "applies_to", "stores", "valid", "schedule", "limits", "budget", "message"];
const COUNTS = ["redemptions", "issued", "spend"] as const;

const without = (body: object, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(body).filter(([name]) => !names.includes(name)));
const text = (value: unknown): string => (value === null || value === undefined ? "" : String(value));

export function fieldsOf(offer: Offer): Fields {
  return {
    external_id: offer.external_id,
    name: offer.name,
    kind: offer.discount.kind,
    value: String(offer.discount.value),
    skus: offer.applies_to?.skus ?? [],
    categories: offer.applies_to?.categories ?? [],
    stores: offer.stores ?? [],
    from: localTime(offer.valid.from),
    until: localTime(offer.valid.until),
    schedule: offer.schedule ?? "",
    per_shopper_per_day: text(offer.limits?.per_shopper_per_day),
    per_shopper: text(offer.limits?.per_shopper),
    redemptions: text(offer.budget?.["redemptions"]),
    issued: text(offer.budget?.["issued"]),
    spend: text(offer.budget?.["spend"]),
    messages: offer.message,
    rest: without(offer, KNOWN),
    discountRest: without(offer.discount, ["kind", "value"]),
    budgetRest: without(offer.budget ?? {}, COUNTS),
  };
}

export function newFields(): Fields {
  const begin = new Date();
  begin.setMinutes(0, 0, 0);
  const end = new Date(begin.getTime() + 30 * 86_400_000);
  return {
    external_id: "",
    name: "",
    kind: "percent",
    value: "15",
    skus: [],
    categories: [],
    stores: [],
    from: localTime(begin.toISOString()),
    until: localTime(end.toISOString()),
    schedule: "",
    per_shopper_per_day: "1",
    per_shopper: "",
    redemptions: "",
    issued: "",
    spend: "",
    messages: { en: { title: "{discount} off: {product}", body: "{store}, {distance_m} m away, until {until}" } },
    rest: {},
    discountRest: {},
    budgetRest: {},
  };
}

/** The body that the fields would publish. Numbers that are none are sent as typed: the server names the field. */
export function offerOf(fields: Fields): Record<string, unknown> {
  const body: Record<string, unknown> = {
    ...fields.rest,
    external_id: fields.external_id,
    name: fields.name,
    discount: { ...(fields.kind === "buy_get" || fields.kind === "gift" ? fields.discountRest : {}), kind: fields.kind, value: numberOr(fields.value) },
    valid: { from: utc(fields.from), until: utc(fields.until) },
    message: fields.messages,
  };
  const scope: Record<string, unknown> = {};
  if (fields.skus.length) scope["skus"] = fields.skus;
  if (fields.categories.length) scope["categories"] = fields.categories;
  if (Object.keys(scope).length) body["applies_to"] = scope;
  if (fields.stores.length) body["stores"] = fields.stores;
  if (fields.schedule.trim()) body["schedule"] = fields.schedule.trim();
  const limits = numbers({ per_shopper_per_day: fields.per_shopper_per_day, per_shopper: fields.per_shopper });
  if (Object.keys(limits).length) body["limits"] = limits;
  const budget = { ...fields.budgetRest, ...numbers({ redemptions: fields.redemptions, issued: fields.issued }), ...(fields.spend.trim() ? { spend: fields.spend.trim() } : {}) };
  if (Object.keys(budget).length) body["budget"] = budget;
  return body;
}

const numberOr = (typed: string): number | string => (typed.trim() !== "" && Number.isFinite(Number(typed)) ? Number(typed) : typed);
const numbers = (typed: Record<string, string>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(typed).filter(([, value]) => value.trim() !== "").map(([name, value]) => [name, numberOr(value)]));

/** For `datetime-local`: the time here, to the minute. */
export function localTime(at: string): string {
  const date = new Date(at);
  const two = (part: number) => String(part).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

function utc(local: string): string {
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? local : date.toISOString();
}

export function slug(name: string): string {
  return name.normalize("NFKD").toLowerCase().replace(/[\u0300-\u036f]/g, "").replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "offer";
}

export function discountText({ kind, value }: { kind: string; value: string | number }, currency = "€"): string {
  if (kind === "percent") return `${value} %`;
  if (kind === "buy_get") return `${value} % off more`;
  if (kind === "gift") return "a gift";
  return kind === "amount" ? `${currency}${value} off` : `for ${currency}${value}`;
}

export function stateOf(offer: Offer): { kind: "good" | "quiet" | "warn"; text: string } {
  const now = Date.now();
  const status = offer.status ?? "live";
  if (status === "paused") return { kind: "warn", text: "paused" };
  if (status !== "live") return { kind: "quiet", text: status };
  if (new Date(offer.valid.until).getTime() <= now) return { kind: "quiet", text: "over" };
  if (new Date(offer.valid.from).getTime() > now) return { kind: "warn", text: "to come" };
  return { kind: "good", text: "live" };
}

/** The steps that an offer can take from where it is, the usual one first. */
export const STEPS: Record<Status, [action: string, title: string][]> = {
  draft: [["approve", "Approve"]],
  approved: [["start", "Start"]],
  live: [["pause", "Pause"]],
  paused: [["resume", "Resume"], ["end", "End"]],
  ended: [],
};
