// How far an offer would have gone, before it is published: a past day is replayed with it.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { date, number } from "../format";
import { Button, Failed, Notice } from "../ui";
import { useWhatIf } from "../whatif/model";
import { patchOf } from "../whatif/patch";
import { Progress } from "../whatif/result";

interface Props {
  id: string;
  /** As it is published; null where it is new. */
  published: unknown;
  body: () => Record<string, unknown>;
}

const DAY_MS = 86_400_000;

export function Reach({ id, published, body }: Props): JSX.Element {
  const whatIf = useWhatIf();
  const [asked, setAsked] = useState<string | null>(null);
  const day = whatIf.days?.[0];
  const start = async () => {
    if (!day) return;
    // As if it had been live on that day, whenever it is to begin.
    const at = Date.parse(day);
    const valid = { from: new Date(at - DAY_MS).toISOString(), until: new Date(at + 2 * DAY_MS).toISOString() };
    setAsked(await whatIf.run(day, { offers: { [id]: patchOf(published ?? {}, { ...body(), valid, status: "live" }) } }));
  };
  const mine = whatIf.job?.id === asked ? whatIf.job : null; // others ask, too
  const reach = mine?.difference?.after.by_offer[id];
  const [before, after] = [mine?.difference?.before.reached ?? null, mine?.difference?.after.reached ?? null];
  return (
    <section class="card" aria-label="Reach">
      <h2>Reach</h2>
      <p class="hint">{day ? `How far this offer, as it stands here, would have gone on ${date(day)}, among all others.` : "There is no day yet on which to try it."}</p>
      {whatIf.error && <Failed error={whatIf.error} />}
      {mine && whatIf.busy && <Progress job={mine} stop={whatIf.stop} />}
      {mine?.state === "failed" && <Notice kind="bad">{mine.problem}</Notice>}
      {mine?.state === "stopped" && <Notice kind="info">It was stopped before its end.</Notice>}
      {mine?.difference && (
        <Notice kind="info">
          {reach === undefined ? "It would have gone to nobody." : reach.shoppers === null ? "It would have gone to fewer than 20 shoppers." : `It would have gone to about ${number(reach.shoppers)} shoppers, in about ${number(reach.offers ?? 0)} offers.`}
          {before !== null && after !== null && <p>{`Shoppers with any offer: about ${number(before)} as it was, about ${number(after)} with it.`}</p>}
        </Notice>
      )}
      <div><Button onClick={start} busy={whatIf.busy} disabled={!day}>{whatIf.busy ? "Replaying …" : "Try it on that day"}</Button></div>
    </section>
  );
}
