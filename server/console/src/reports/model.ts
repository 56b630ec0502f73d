// Reports as the server tells them, and what the page makes of them.
import type { Cell } from "./heat";
import type { Quick } from "./speed";

export type Row = Record<string, string | number | null>;

export interface Funnel {
  since: string;
  until: string;
  k: number;
  stores: Row[];
  offers: Row[];
  refusals: Row[];
  budgets: Budget[];
  others: { stores: Row[]; offers: Row[]; refusals: Row[] };
}

export interface Budget {
  offer: string;
  issued: number;
  outstanding: number;
  redeemed: number;
  spend_reserved: string | number;
  spend_committed: string | number;
  budget: { redemptions?: number; issued?: number; spend?: string | number } | null;
}

export interface Lift {
  moments: number;
  held_moments: number;
  outcomes: { outcome: string; spoken: number; held: number; difference?: number; low?: number; high?: number; certain?: boolean }[];
  note: string;
}

export interface OptOuts {
  k: number;
  shoppers: number | null;
  offered: number | null;
  opted_out: { purpose: string; shoppers: number | null; after_an_offer: number | null }[];
  held_off: { reason: string; moments: number | null; shoppers: number | null }[];
}

export interface Speed {
  target_s: number;
  all: Quick;
  days: Quick[];
}

export interface Heat {
  k: number;
  cells: Cell[];
}

/** The sum of a column; null where all of it is withheld. */
export function total(rows: Row[], column: string): number | null {
  const told = rows.map((row) => row[column]).filter((value): value is number => typeof value === "number");
  return told.length || !rows.length ? told.reduce((sum, value) => sum + value, 0) : null;
}

/** Sums of a column by another, the largest first. */
export function sums(rows: Row[], by: string, column: string): [string, number][] {
  const found = new Map<string, number>();
  for (const row of rows) if (typeof row[column] === "number") found.set(String(row[by]), (found.get(String(row[by])) ?? 0) + row[column]);
  return [...found].sort((a, b) => b[1] - a[1]);
}

/** How much of the tightest of its limits an offer has used, and which that is; null without a limit. */
export function burnOf({ budget, ...used }: Budget): { share: number; text: string } | null {
  const committed = Number(used.spend_committed) + Number(used.spend_reserved);
  const limits: [used: number, of: number | undefined, what: string][] = [
    [committed, budget?.spend === undefined ? undefined : Number(budget.spend), "€"],
    [used.issued, budget?.issued, "coupons"],
    [used.redeemed + used.outstanding, budget?.redemptions, "redemptions"],
  ];
  const set = limits.flatMap(([is, of, what]) => (of ? [{ share: is / of, text: what === "€" ? `€ ${is.toFixed(0)} of ${of}` : `${is} of ${of} ${what}` }] : []));
  return set.sort((a, b) => b.share - a.share)[0] ?? null;
}
