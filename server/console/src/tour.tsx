// A short walk through the pages, for whoever sees them for the first time.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { User } from "./api";
import { go } from "./router";
import { Button } from "./ui";

interface Stop {
  page: string;
  title: string;
  text: string;
}

const STOPS: Stop[] = [
  { page: "fences", title: "Fences belong to stores", text: "Each shape is where a store notices shoppers who permit it. Choose one to see its size, its history and what deserves a look; or draw a new one: it is live when it is saved." },
  { page: "live", title: "Moments, as they happen", text: "Somebody enters, dwells, or looks at a product while there. Each line says what was decided, and how long it took from the fix to the push. Open one for its receipt: every gate, every candidate, and what would have changed it." },
  { page: "offers", title: "Offers, on the phone first", text: "The editor shows each message as phones show it. Budget, limits and hours are promises that the server keeps." },
  { page: "reports", title: "Did speaking change anything?", text: "From near to redeemed, with silence kept as a control group to measure against." },
  { page: "whatif", title: "Before you publish", text: "A past day, lived through once more with another fence, offer or cap: what would have been different." },
  { page: "privacy", title: "Permission first", text: "A shopper’s record needs a reason to be looked at, and the look is in the audit log." },
  { page: "audit", title: "Who did what", text: "Every change has a name to it. The entries are chained: one that is changed or taken out shows." },
  { page: "people", title: "Everybody sees what they need", text: "A store manager has the stores listed; a marketer has offers and no fences; an analyst has counts." },
  { page: "operator", title: "Is it well?", text: "What waits and for how long, what was put aside, how fresh the model is. Keys are made, replaced and revoked here." },
];

export function Tour({ role, pages, end }: { role: User["role"]; pages: string[]; end: () => void }): JSX.Element | null {
  const stops = STOPS.filter(({ page }) => pages.includes(page));
  const [at, setAt] = useState(0);
  const box = useRef<HTMLElement>(null);
  const stop = stops[at];
  useEffect(() => {
    if (stop) go(stop.page);
    box.current?.focus();
  }, [at, role]);
  if (!stop) return null;
  return (
    <aside ref={box} class="tour" aria-label="Tour" tabIndex={-1} onKeyDown={(event) => { if (event.key === "Escape") { event.stopPropagation(); end(); } }}>
      <span class="small-text quiet-text">{at + 1} of {stops.length}</span>
      <h2>{stop.title}</h2>
      <p>{stop.text}</p>
      <div class="actions">
        <Button kind="quiet" small onClick={end}>End the tour</Button>
        <span class="actions">
          {at > 0 && <Button small onClick={() => setAt(at - 1)}>Back</Button>}
          <Button small kind="primary" onClick={() => (at + 1 < stops.length ? setAt(at + 1) : end())}>{at + 1 < stops.length ? "Next" : "Done"}</Button>
        </span>
      </div>
    </aside>
  );
}
