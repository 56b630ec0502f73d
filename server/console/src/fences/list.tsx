import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { metres, number, squareMetres } from "../format";
import { Icon } from "../icons";
import { areaOf } from "../map/geometry";
import type { Headcount, World } from "../pages/fences";
import { Button, Empty, Notice } from "../ui";
import { type FenceFeature, shapeOf } from "./model";
import { Transfer } from "./transfer";

/** As many are listed at once; searching finds the others. */
const SHOWN = 200;

interface Props {
  world: World;
  counts: Map<string, string>;
  headcount: Headcount | null;
  bound: boolean;
  missing: boolean;
  open: (id: string) => void;
  add: () => void;
  changed: () => Promise<void>;
}

export function FenceList({ world, counts, headcount, bound, missing, open, add, changed }: Props): JSX.Element {
  const [query, setQuery] = useState("");
  const names = useMemo(() => new Map(world.stores.map((store) => [store.external_id, store.name])), [world]);
  const found = useMemo(() => search(world.fences, names, query), [world, names, query]);
  return (
    <>
      <div class="side-head">
        <div class="actions">
          <h1>Stores & fences</h1>
          <Button kind="primary" onClick={add} disabled={!world.stores.length}>New fence</Button>
        </div>
        <div class="search">
          <Icon name="search" />
          <input type="search" aria-label="Search stores and fences" placeholder="Search stores and fences" value={query} onInput={(e) => setQuery(e.currentTarget.value)} />
        </div>
        <Transfer fences={world.fences} done={changed} />
        <p class="small-text quiet-text" role="status">
          {query ? `${number(found.length)} of ${number(world.fences.length)} fences` : `${number(world.fences.length)} fences, ${number(world.stores.length)} stores`}
          {headcount && ` · ${headcount.shoppers === null ? `fewer than ${headcount.k}` : `about ${number(headcount.shoppers)}`} shoppers inside now`}
        </p>
      </div>
      <div class="side-body">
        {missing && <div class="side-form"><Notice kind="warn">The fence in the address is not there any more, or not one of yours.</Notice></div>}
        {!world.stores.length ? (
          <Empty title="No stores yet">
            <p>{bound ? "None of the stores your account is bound to is published." : "Fences belong to stores. Import those first:"}</p>
            {!bound && <code>./vicino import stores FILE</code>}
          </Empty>
        ) : !world.fences.length ? (
          <Empty title="No fences yet"><p>Draw the first one around a store’s door.</p></Empty>
        ) : !found.length ? (
          <Empty title="Nothing found"><p>No fence or store is called “{query}”.</p></Empty>
        ) : null}
        <ul>
          {found.slice(0, SHOWN).map((fence) => (
            <li key={fence.properties.external_id}>
              <button type="button" class="list-item" onClick={() => open(fence.properties.external_id)}>
                <strong>{fence.properties.name || fence.properties.external_id}</strong>
                <span class="number">{sizeOf(fence)}</span>
                <span class="sub">{subtitle(fence, names)}{fence.properties.enabled === false ? " · off" : ""}</span>
                <span class="number">{counts.get(fence.properties.external_id) ?? ""}</span>
              </button>
            </li>
          ))}
        </ul>
        {found.length > SHOWN && <p class="more">{number(found.length - SHOWN)} more: search to narrow the list.</p>}
      </div>
    </>
  );
}

/** The store, or where the fence has its name, the id. */
function subtitle({ properties }: FenceFeature, names: Map<string, string>): string {
  const store = names.get(properties.store) ?? properties.store;
  return store === properties.name ? properties.external_id : store;
}

function sizeOf(fence: FenceFeature): string {
  const shape = shapeOf(fence);
  return shape.kind === "circle" ? metres(shape.radius_m) : squareMetres(areaOf(shape));
}

function search(fences: FenceFeature[], names: Map<string, string>, query: string): FenceFeature[] {
  const wanted = query.trim().toLocaleLowerCase();
  const sorted = [...fences].sort((a, b) => (a.properties.name || a.properties.external_id).localeCompare(b.properties.name || b.properties.external_id));
  if (!wanted) return sorted;
  return sorted.filter(({ properties }) =>
    [properties.name, properties.external_id, properties.store, names.get(properties.store)].some((text) => text?.toLocaleLowerCase().includes(wanted)),
  );
}
