// Moments and receipts as the server tells them.

export interface Gate {
  code: string;
  passed: boolean;
  detail: string;
}

export interface Brief {
  id: string;
  decided_at: string;
  store: string | null;
  geofence: string | null;
  kind: string;
  trigger: string;
  intent: number;
  outcome: "offer" | "silence";
  offer: string | null;
  reasons: string[];
  timings_ms: Record<string, number>;
  push: { state: string; reason: string | null } | null;
}

export interface Candidate {
  offer: string;
  sku?: string;
  score?: number;
  gates: Gate[];
}

export interface Receipt {
  id: string;
  moment: {
    kind: string;
    store: string | null;
    geofence: string | null;
    trigger: string;
    at: string;
    received_at: string;
    distance_m: number | null;
    plausibility: { score: number; signs: { code: string; detail: string }[] };
    intent: number;
    evidence: Record<string, unknown>[];
  };
  outcome: "offer" | "silence";
  offer?: string;
  sku?: string;
  delivery?: string;
  expires_at?: string;
  ghost?: { offer: string; sku?: string };
  reasons: string[];
  gates: Gate[];
  candidates: Candidate[];
  answers: Record<string, unknown>[];
  counterfactuals: { offer: string | null; sku?: string; if: { code: string; detail: string }[] }[];
  propensity: number;
  policy: string;
  versions: { catalogue: number };
  decided_at: string;
  timings_ms: Record<string, number>;
  push?: { state: string; reason: string | null };
}

/** The stages from a fix to its push, in order, with what each is. */
export const STAGES: [code: string, name: string][] = [
  ["received_to_decided", "Decide"],
  ["decided_to_journaled", "Write"],
  ["journaled_to_claimed", "Claim"],
  ["claimed_to_accepted", "Send"],
];

/** What the reason codes mean, for people. */
const REASONS: Record<string, string> = {
  implausible: "The position is not plausible",
  left: "The shopper has left again",
  stale: "The fix came too late to act on",
  sensitive_place: "A sensitive place",
  low_accuracy: "The fix is too coarse",
  no_consent: "The shopper has not permitted it",
  paused: "The shopper has paused offers",
  muted: "Store or category muted by the shopper",
  too_far: "Farther than the shopper allows",
  drive_by: "Driving past",
  closed: "The store is closed",
  quiet_hours: "Quiet hours",
  shopper_cap: "The shopper has had enough offers",
  already_offered: "An offer was made in this visit already",
  overlapped: "Another store has spoken",
  no_candidate: "The store has no offer",
  schedule: "Outside the offer’s schedule",
  no_interest: "No interest in what is offered",
  no_stock: "Out of stock",
  minimum_worth: "Worth less than the shopper asks for",
  offer_cap: "The offer’s limit per shopper is reached",
  already_redeemed: "Redeemed already",
  holdout: "In the control group",
  retailer_cap: "The retailer’s offers of the day are used up",
  store_cap: "The store’s offers of the day are used up",
  budget: "No budget is left",
  late: "Too late to push: inbox only",
};

export const reasonText = (code: string): string => REASONS[code] ?? code.replaceAll("_", " ");

const PUSHES: Record<string, string> = {
  pending: "waiting",
  leased: "sending",
  sent: "sent",
  expired: "expired",
  withdrawn: "withdrawn",
  failed: "failed",
  inbox_only: "inbox only",
};

export const pushText = (state: string): string => PUSHES[state] ?? state;
