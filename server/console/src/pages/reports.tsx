import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { all, ask } from "../api";
import type { Store } from "../fences/model";
import { milliseconds, number } from "../format";
import { reasonText } from "../live/model";
import { Bars, Intervals } from "../reports/bars";
import { Chart } from "../reports/chart";
import { HeatMap } from "../reports/heat";
import { burnOf, type Funnel, type Heat, type Lift, type OptOuts, type Speed, sums, total } from "../reports/model";
import { SpeedLines } from "../reports/speed";
import type { PageProps } from "../shell";
import { Button, Empty, Failed, Field, type Loaded, Loading, Notice, useLoaded } from "../ui";

const STEPS: [string, string][] = [
  ["moments", "Moments"],
  ["offers", "Decided for an offer"],
  ["pushed", "Pushed"],
  ["delivered", "Delivered"],
  ["opened", "Opened"],
  ["visited", "Visited"],
  ["redeemed", "Redeemed"],
];
const DAYS = [1, 7, 28, 90];
const OUTCOMES: Record<string, string> = { visited: "Visits", redeemed: "Redemptions", spend: "Spend" };
const PURPOSES: Record<string, string> = { push: "Stopped pushes", nearby_offers: "Stopped offers nearby", background_location: "Stopped background location", personalisation: "Stopped personalisation", insight: "Stopped insight" };
const SHOWN = 12;

export default function Reports({ ground }: PageProps): JSX.Element {
  const [days, setDays] = useState(28);
  const [store, setStore] = useState("");
  const since = useMemo(() => new Date(Date.now() - days * 86_400_000).toISOString(), [days]);
  const report = <T,>(name: string, more = "") => useLoaded(() => ask<T>("GET", `/v1/reports/${name}?since=${encodeURIComponent(since)}${more}`), [since, more]);
  const stores = useLoaded(() => all<Store>("/v1/stores"), []);
  const funnel = report<Funnel>("funnel", store && `&store=${encodeURIComponent(store)}`);
  const lift = report<Lift>("lift");
  const optOuts = report<OptOuts>("opt-outs");
  const speed = report<Speed>("speed");
  const heat = report<Heat>("heat");
  const names = useMemo(() => new Map(stores.value?.map(({ external_id, name }) => [external_id, name])), [stores.value]);
  const nameOf = (id: unknown): string => (id === null ? "Others together" : (names.get(String(id)) ?? String(id)));
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>Reports</h1>
          <p>From near to redeemed, and whether speaking changed anything. Numbers about fewer than 20 shoppers are withheld.</p>
        </div>
        <span class="actions" role="group" aria-label="Period">{DAYS.map((one) => <Button key={one} small aria-pressed={days === one} onClick={() => setDays(one)}>{one === 1 ? "1 day" : `${one} days`}</Button>)}</span>
      </div>
      <Shown of={optOuts} what="opt-outs">{(told) => <Patience told={told} />}</Shown>
      <div class="narrow">
        <Field label="Store" hint="For the funnel, the silences and the table.">
          {(attributes) => (
            <select {...attributes} value={store} onChange={(event) => setStore(event.currentTarget.value)}>
              <option value="">Every store</option>
              {stores.value?.map(({ external_id, name }) => <option key={external_id} value={external_id}>{name}</option>)}
            </select>
          )}
        </Field>
      </div>
      <Shown of={funnel} what="the funnel">{(told) => <FunnelCharts funnel={told} nameOf={nameOf} />}</Shown>
      <Shown of={lift} what="the lift">{(told) => <LiftChart lift={told} />}</Shown>
      <Shown of={funnel} what="budgets">{(told) => <Burn funnel={told} />}</Shown>
      <Shown of={speed} what="how quick pushes were">{(told) => <SpeedChart speed={told} />}</Shown>
      <Shown of={heat} what="the heat map">{(told) => <HeatChart heat={told} streets={ground.layers.includes("roads")} nameOf={nameOf} />}</Shown>
    </div>
  );
}

function Shown<T>({ of, what, children }: { of: Loaded<T>; what: string; children: (told: T) => JSX.Element }): JSX.Element {
  if (of.error) return <Failed error={of.error} again={of.again} />;
  return of.value ? children(of.value) : <Loading what={what} />;
}

const few = (value: number | null | undefined): string => (value === null ? "fewer than 20" : number(value ?? 0));

function Patience({ told }: { told: OptOuts }): JSX.Element {
  const stopped = told.opted_out.find(({ purpose }) => purpose === "push");
  const muted = told.held_off.find(({ reason }) => reason === "muted");
  const paused = told.held_off.find(({ reason }) => reason === "paused");
  const facts: [string, string][] = [
    ["Shoppers with an offer", few(told.offered)],
    ["Stopped pushes", few(stopped?.shoppers)],
    ["… within a day of an offer", few(stopped?.after_an_offer)],
    ["Muted the store or category", few(muted?.shoppers)],
    ["Paused offers", few(paused?.shoppers)],
  ];
  const bars = [
    ...told.opted_out.map(({ purpose, shoppers }) => ({ name: PURPOSES[purpose] ?? purpose, value: shoppers })),
    ...told.held_off.map(({ reason, shoppers }) => ({ name: reasonText(reason), value: shoppers })),
  ];
  const rows = [...told.opted_out.map((one) => ["opted out", one.purpose, one.shoppers, one.after_an_offer]), ...told.held_off.map((one) => ["held off", one.reason, one.shoppers, null])];
  return (
    <>
      <dl class="facts">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
      <Chart title="Opt-outs and limits" about="Shoppers who withdrew a permission, and shoppers whose own limits kept offers away." file="vicino-opt-outs" header={["what", "code", "shoppers", "after_an_offer"]} rows={rows}>
        {(width) => (bars.length ? <Bars bars={bars} label="Opt-outs and limits" width={width} /> : <Empty title="Nobody opted out in this period" />)}
      </Chart>
    </>
  );
}

function FunnelCharts({ funnel, nameOf }: { funnel: Funnel; nameOf: (id: unknown) => string }): JSX.Element {
  const told = [...funnel.offers, ...funnel.others.offers];
  const near = total([...funnel.stores, ...funnel.others.stores], "visits");
  const bars = [{ name: "Near: visits to fences", value: near }, ...STEPS.map(([code, name]) => ({ name, value: total(told, code) }))];
  const reasons = sums([...funnel.refusals, ...funnel.others.refusals], "reason", "moments");
  const offers = told.filter(({ offer, store }) => offer !== null || store === null);
  if (!funnel.stores.length && !funnel.offers.length) return <Empty title="Nothing in this period"><p>As shoppers come near, the funnel fills.</p></Empty>;
  return (
    <>
      <Chart title="Funnel" about="Stores and offers of fewer than 20 shoppers count together, where together they are of more." file="vicino-funnel" header={["step", "count"]} rows={bars.map(({ name, value }) => [name, value])}>
        {(width) => <Bars bars={bars} label="Funnel" width={width} />}
      </Chart>
      <Chart title="Why others were silent" about="By reason; a silence may have several." file="vicino-silences" header={["reason", "moments"]} rows={reasons}>
        {(width) => (reasons.length ? <Bars bars={reasons.slice(0, SHOWN).map(([code, value]) => ({ name: reasonText(code), value }))} label="Reasons" width={width} /> : <Empty title="No silence to tell of in this period" />)}
      </Chart>
      <section aria-label="By store and offer">
        <h2>By store and offer</h2>
        {offers.length ? (
          <div class="table-box" role="region" aria-label="Table" tabIndex={0}>
            <table>
              <thead><tr><th scope="col">Store</th><th scope="col">Offer</th>{STEPS.slice(1).map(([code, name]) => <th key={code} scope="col" class="number">{name}</th>)}</tr></thead>
              <tbody>
                {offers.slice(0, 200).map((row) => (
                  <tr key={`${row["store"]} ${row["offer"]}`}><td>{nameOf(row["store"])}</td><td>{row["offer"] ?? "–"}</td>{STEPS.slice(1).map(([code]) => <td key={code} class="number">{typeof row[code] === "number" ? number(row[code]) : "< 20"}</td>)}</tr>
                ))}
              </tbody>
            </table>
          </div>
        ) : <Empty title="No offer in this period" />}
      </section>
    </>
  );
}

function LiftChart({ lift }: { lift: Lift }): JSX.Element {
  const known = lift.outcomes.filter(({ difference }) => difference !== undefined);
  const percent = (value: number) => `${value >= 0 ? "+" : "−"}${Math.abs(value * 100).toFixed(1)} points`;
  const share = (value: number) => `${(value * 100).toFixed(1)} %`;
  return (
    <Chart title="What speaking changed" about={`${number(lift.moments)} moments spoken at, ${number(lift.held_moments)} kept silent to compare with. The 95 % interval holds at every look.`} file="vicino-lift" header={["outcome", "spoken", "held", "difference", "low", "high"]} rows={lift.outcomes.map((one) => [one.outcome, one.spoken, one.held, one.difference, one.low, one.high])}>
      {(width) => (
        <>
          {lift.note && <Notice kind="info">{lift.note}</Notice>}
          {known.length > 0 && <Intervals intervals={known.map((one) => ({ name: `${OUTCOMES[one.outcome] ?? one.outcome}: ${share(one.spoken)} spoken to, ${share(one.held)} held out`, at: one.difference ?? null, low: one.low ?? null, high: one.high ?? null }))} label="Lift" width={width} text={percent} />}
        </>
      )}
    </Chart>
  );
}

function Burn({ funnel }: { funnel: Funnel }): JSX.Element {
  const burning = funnel.budgets.flatMap((one) => [{ offer: one.offer, burn: burnOf(one) }]).flatMap(({ offer, burn }) => (burn ? [{ offer, ...burn }] : []));
  const bars = burning.sort((a, b) => b.share - a.share).slice(0, SHOWN).map(({ offer, share, text }) => ({ name: offer, value: share, text: `${(share * 100).toFixed(0)} %: ${text}` }));
  const rows = funnel.budgets.map((one) => [one.offer, one.issued, one.outstanding, one.redeemed, Number(one.spend_reserved), Number(one.spend_committed)]);
  return (
    <Chart title="Budgets" about={`How much of the tightest of its limits each offer has used, in all time. ${bars.length < burning.length ? `The ${bars.length} that have used most.` : ""}`} file="vicino-budgets" header={["offer", "issued", "outstanding", "redeemed", "spend_reserved", "spend_committed"]} rows={rows}>
      {(width) => (bars.length ? <Bars bars={bars} label="Budgets" width={width} most={1} /> : <Empty title="No offer with a budget has been given out" />)}
    </Chart>
  );
}

function SpeedChart({ speed }: { speed: Speed }): JSX.Element {
  const { all: every, days } = speed;
  const ms = (seconds: number | null) => (seconds === null ? "–" : milliseconds(seconds * 1000));
  const rows = days.map((one) => [one.day, one.pushes, one.in_time, one.p50_s, one.p95_s, one.p99_s]);
  const about = every.pushes ? `${number(every.pushes)} pushes: ${((every.in_time / every.pushes) * 100).toFixed(2)} % within ${speed.target_s} s; half within ${ms(every.p50_s)}, 95 % within ${ms(every.p95_s)}, 99 % within ${ms(every.p99_s)}.` : "From the fix’s arrival to the push’s acceptance.";
  return (
    <Chart title="Fix to push" about={about} file="vicino-speed" header={["day", "pushes", "in_time", "p50_s", "p95_s", "p99_s"]} rows={rows}>
      {(width) => (days.length ? <SpeedLines days={days} target_s={speed.target_s} width={width} /> : <Empty title="No push in this period" />)}
    </Chart>
  );
}

function HeatChart({ heat, streets, nameOf }: { heat: Heat; streets: boolean; nameOf: (id: unknown) => string }): JSX.Element {
  const rows = heat.cells.map((one) => [one.cell, one.stores.join(";"), one.visits, one.shoppers]);
  return (
    <Chart title="Heat map" about={`Where visits began, in hexagons of H3 with ${heat.k} shoppers or more. A visit lies where its store lies.`} file="vicino-heat" header={["h3", "stores", "visits", "shoppers"]} rows={rows}>
      {(width) => (heat.cells.length ? <HeatMap cells={heat.cells} streets={streets} width={width} nameOf={nameOf} /> : <Empty title={`No part of town had ${heat.k} shoppers`} />)}
    </Chart>
  );
}
