// A what-if: a stored day with other things published, and how it differs.
import { useEffect, useState } from "preact/hooks";
import { ask, Problem } from "../api";
import { asError } from "../ui";

export interface Tally {
  moments: number | null;
  silences: number | null;
  shoppers: number | null;
  offers: number | null;
  pushes: number | null;
  reached: number | null;
  spend_most: number | null;
  reasons: Record<string, number | null>;
  by_offer: Record<string, { offers: number | null; shoppers: number | null }>;
}

export interface Job {
  id: string;
  state: "waiting" | "running" | "done" | "failed" | "stopped";
  day: string;
  done: number;
  total: number;
  problem: string | null;
  difference: { before: Tally; after: Tally } | null;
}

interface Told {
  days: string[];
  job: Job | null;
}

const EVERY_MS = 500;
const under = (job: Job | null): boolean => job?.state === "waiting" || job?.state === "running";

export interface WhatIf {
  /** The days that can be replayed, newest first; null while they are not known. */
  days: string[] | null;
  job: Job | null;
  busy: boolean;
  error: Error | null;
  /** The id of what was begun; null where it was refused. */
  run: (day: string, changes: unknown) => Promise<string | null>;
  /** Ends what is under way. */
  stop: () => Promise<void>;
}

/** Asks for what-ifs, and follows the one that is under way. */
export function useWhatIf(): WhatIf {
  const [told, setTold] = useState<Told | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const look = () => ask<Told>("GET", "/v1/whatif", { unattended: true }).then(setTold, (failed: unknown) => setError(asError(failed)));
  const busy = under(told?.job ?? null);
  useEffect(() => void look(), []);
  useEffect(() => {
    if (!busy) return;
    const timer = setInterval(look, EVERY_MS);
    return () => clearInterval(timer);
  }, [busy]);
  const run = async (day: string, changes: unknown) => {
    setError(null);
    try {
      const job = await ask<Job>("POST", "/v1/whatif", { body: { day, changes } });
      setTold((before) => ({ days: before?.days ?? [], job }));
      return job.id;
    } catch (failed) {
      setError(asError(failed));
      return null;
    }
  };
  const stop = async () => {
    try {
      const job = await ask<Job>("DELETE", "/v1/whatif");
      setTold((before) => ({ days: before?.days ?? [], job }));
    } catch (failed) {
      // It may have come to its end in that moment: then that is what there is to see.
      if (failed instanceof Problem && failed.status === 404) await look();
      else setError(asError(failed));
    }
  };
  return { days: told?.days ?? null, job: told?.job ?? null, busy, error, run, stop };
}
