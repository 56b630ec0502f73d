// How far an offer would have gone, before it is published: recent days are replayed with it, one after the other.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { date, number } from "../format";
import { Button, Failed, Notice } from "../ui";
import { useWhatIf } from "../whatif/model";
import { patchOf } from "../whatif/patch";
import { Progress } from "../whatif/result";
import { type DayReach, DAYS_MOST, offersIn } from "./days";

interface Props {
  id: string;
  /** As it is published; null where it is new. */
  published: unknown;
  body: () => Record<string, unknown>;
}

const DAY_MS = 86_400_000;
const few = (count: number | null): string => (count === null ? "fewer than 20" : `about ${number(count)}`);

export function Reach({ id, published, body }: Props): JSX.Element {
  const whatIf = useWhatIf();
  const [asked, setAsked] = useState<string | null>(null);
  const [told, setTold] = useState<DayReach[]>([]);
  const [offer, setOffer] = useState<Record<string, unknown>>({}); // as it stood when it was tried
  const [ended, setEnded] = useState<string | null>(null); // why it ended early
  const days = whatIf.days?.slice(0, DAYS_MOST) ?? [];
  const mine = whatIf.job?.id === asked ? whatIf.job : null; // others ask, too
  const going = asked !== null && told.length < days.length;

  const replay = async (day: string | undefined, wanted: Record<string, unknown>) => {
    if (!day) return;
    // As if it had been live on that day, whenever it is to begin.
    const at = Date.parse(day);
    const valid = { from: new Date(at - DAY_MS).toISOString(), until: new Date(at + 2 * DAY_MS).toISOString() };
    setAsked(await whatIf.run(day, { offers: { [id]: patchOf(published ?? {}, { ...wanted, valid, status: "live" }) } }));
  };
  const start = () => {
    const wanted = body();
    setOffer(wanted);
    setTold([]);
    setEnded(null);
    void replay(days[0], wanted);
  };
  useEffect(() => {
    if (mine?.state === "failed" || mine?.state === "stopped") {
      setEnded(mine.problem ?? "It was stopped before its end.");
      setAsked(null);
    }
    if (!mine?.difference) return;
    const reach = mine.difference.after.by_offer[id];
    setTold([...told, { day: mine.day, offers: reach?.offers ?? null, shoppers: reach?.shoppers ?? null }]);
    void replay(days[days.indexOf(mine.day) + 1], offer);
  }, [mine?.id, mine?.state]);

  return (
    <section class="card" aria-label="Reach">
      <h2>Reach</h2>
      <p class="hint">{days.length ? `How far this offer, as it stands here, would have gone on ${days.length === 1 ? date(days[0] ?? "") : `the newest ${days.length} days`}, among all others. Each day is tried by itself.` : "There is no day yet on which to try it."}</p>
      {whatIf.error && <Failed error={whatIf.error} />}
      {mine && whatIf.busy && <Progress job={mine} stop={whatIf.stop} />}
      {ended && <Notice kind="warn">{ended}</Notice>}
      {told.length > 0 && <Days told={told} />}
      <div><Button onClick={start} busy={whatIf.busy || going} disabled={!days.length}>{whatIf.busy || going ? "Replaying …" : "Try it on recent days"}</Button></div>
    </section>
  );
}

function Days({ told }: { told: DayReach[] }): JSX.Element {
  const total = offersIn(told);
  return (
    <div class="table-box" role="region" aria-label="Reach by day" tabIndex={0}>
      <table>
        <thead><tr><th scope="col">Day (UTC)</th><th scope="col" class="number">Offers</th><th scope="col" class="number">Shoppers</th></tr></thead>
        <tbody>
          {told.map(({ day, offers, shoppers }) => <tr key={day}><td>{date(day)}</td><td class="number">{few(offers)}</td><td class="number">{few(shoppers)}</td></tr>)}
          <tr><td>{told.some(({ offers }) => offers === null) ? "In all, of the days told" : "In all"}</td><td class="number">{few(total)}</td><td class="number">–</td></tr>
        </tbody>
      </table>
    </div>
  );
}
