import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { all, ask, type Page } from "../api";
import type { Store } from "../fences/model";
import { milliseconds, number, time, words } from "../format";
import { type Brief, pushText, reasonText } from "../live/model";
import { Stages, totalMs } from "../live/stages";
import { address } from "../router";
import type { PageProps } from "../shell";
import { Badge, Button, Empty, Failed, Loading, useLoaded } from "../ui";
import { ReceiptView } from "./receipt";

/** As many moments are kept on the page. */
const KEPT = 200;
type Filter = "all" | "offer" | "silence";

export default function Live(props: PageProps): JSX.Element {
  return props.rest ? <ReceiptView id={props.rest} /> : <Stream />;
}

export function useStoreNames(): (id: string | null) => string {
  const stores = useLoaded(() => all<Store>("/v1/stores"), []);
  const names = useMemo(() => new Map(stores.value?.map(({ external_id, name }) => [external_id, name])), [stores.value]);
  return (id) => (id === null ? "no store" : (names.get(id) ?? id));
}

function Stream(): JSX.Element {
  const [filter, setFilter] = useState<Filter>("all");
  const [paused, setPaused] = useState(false);
  const [moments, setMoments] = useState<Brief[]>([]);
  const [state, setState] = useState<"connecting" | "live" | "away">("connecting");
  const nameOf = useStoreNames();
  const first = useLoaded(() => ask<Page<Brief>>("GET", "/v1/moments?limit=100"), []);
  const held = useRef<Brief[]>([]);
  const pausedNow = useRef(paused);
  pausedNow.current = paused;

  useEffect(() => {
    if (first.value) setMoments((before) => merged(first.value?.items ?? [], before));
  }, [first.value]);
  useEffect(() => {
    const source = new EventSource("/v1/stream");
    source.onopen = () => setState("live");
    source.onerror = () => {
      setState("away");
      // A closed source does not try again by itself: the session may be over.
      if (source.readyState === EventSource.CLOSED) void ask("GET", "/v1/moments?limit=1", { unattended: true }).catch(() => {});
    };
    source.addEventListener("moment", (event) => {
      const brief = JSON.parse(event.data as string) as Brief;
      if (pausedNow.current) held.current.push(brief);
      else setMoments((before) => merged(before, [brief]));
    });
    return () => source.close();
  }, []);
  const resume = () => {
    setMoments((before) => merged(before, held.current.splice(0)));
    setPaused(false);
  };
  const slowest_ms = Math.max(...moments.map(({ timings_ms }) => totalMs(timings_ms)));
  const shown = moments.filter(({ outcome }) => filter === "all" || outcome === filter);
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>Live</h1>
          <p>Each moment in which a shopper was near a store, and what was decided. Nobody is named.</p>
        </div>
        <span class="actions" role="status">
          {paused ? <Badge kind="warn">paused</Badge> : state === "live" ? <Badge kind="good">live</Badge> : <Badge kind="quiet">{state === "away" ? "connecting again …" : "connecting …"}</Badge>}
        </span>
      </div>
      <Summary moments={moments} />
      <div class="actions" role="group" aria-label="Show">
        {(["all", "offer", "silence"] as Filter[]).map((one) => (
          <Button key={one} small aria-pressed={filter === one} onClick={() => setFilter(one)}>{{ all: "All", offer: "Offers", silence: "Silences" }[one]}</Button>
        ))}
        <Button small kind="quiet" onClick={paused ? resume : () => setPaused(true)}>{paused ? "Go on" : "Pause"}</Button>
      </div>
      {first.error && <Failed error={first.error} again={first.again} />}
      {!first.value && !first.error ? (
        <Loading what="moments" />
      ) : shown.length ? (
        <div class="table-box" role="region" aria-label="Table" tabIndex={0}>
          <table class="moments">
            <thead>
              <tr><th scope="col">Time</th><th scope="col">Store</th><th scope="col">Because of</th><th scope="col" class="number">Intent</th><th scope="col">Decision</th><th scope="col">Fix to push</th></tr>
            </thead>
            <tbody>
              {shown.map((brief) => <Row key={brief.id} brief={brief} slowest_ms={slowest_ms} store={nameOf(brief.store)} />)}
            </tbody>
          </table>
        </div>
      ) : (
        <Empty title={moments.length ? "None of these yet" : "Nothing yet"}>
          <p>A moment appears when a shopper who permits it enters a fence, dwells in it, or looks at something there.</p>
        </Empty>
      )}
    </div>
  );
}

function Row({ brief, slowest_ms, store }: { brief: Brief; slowest_ms: number; store: string }): JSX.Element {
  const total = brief.timings_ms["received_to_accepted"] ?? brief.timings_ms["received_to_decided"];
  return (
    <tr>
      <td class="number time"><a href={address("live", brief.id)}>{time(brief.decided_at)}</a></td>
      <td>{store}</td>
      <td>{words(brief.trigger)}</td>
      <td class="number">{Math.round(brief.intent)}</td>
      <td>
        {brief.outcome === "offer" ? (
          <span class="decision"><Badge kind={brief.push?.state === "failed" ? "bad" : "good"}>{brief.push ? pushText(brief.push.state) : "offer"}</Badge> {brief.offer}</span>
        ) : (
          <span class="decision"><Badge kind="quiet">silence</Badge> {brief.reasons[0] ? reasonText(brief.reasons[0]) : ""}{brief.reasons.length > 1 ? ` and ${brief.reasons.length - 1} more` : ""}</span>
        )}
      </td>
      <td class="timing"><Stages timings={brief.timings_ms} scale_ms={slowest_ms} /><span class="number">{total === undefined ? "" : milliseconds(total)}</span></td>
    </tr>
  );
}

function Summary({ moments }: { moments: Brief[] }): JSX.Element {
  const offers = moments.filter(({ outcome }) => outcome === "offer");
  const fast = offers.flatMap(({ timings_ms }) => timings_ms["received_to_accepted"] ?? []).sort((a, b) => a - b);
  const why = new Map<string, number>();
  for (const { reasons, outcome } of moments) if (outcome === "silence" && reasons[0]) why.set(reasons[0], (why.get(reasons[0]) ?? 0) + 1);
  const [most] = [...why].sort((a, b) => b[1] - a[1]);
  const facts: [string, string][] = [
    ["Moments shown", number(moments.length)],
    ["Offers", number(offers.length)],
    ["Fix to push, median", fast.length ? milliseconds(fast[Math.floor(fast.length / 2)] ?? 0) : "–"],
    ["Most frequent silence", most ? reasonText(most[0]) : "–"],
  ];
  return <dl class="facts">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}

/** Newest first, each once, as last told. */
function merged(before: Brief[], more: Brief[]): Brief[] {
  const known = new Map(before.map((brief) => [brief.id, brief]));
  for (const brief of more) known.set(brief.id, brief);
  return [...known.values()].sort((a, b) => b.decided_at.localeCompare(a.decided_at)).slice(0, KEPT);
}
