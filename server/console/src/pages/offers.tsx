import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { all, type Complaint } from "../api";
import type { Store } from "../fences/model";
import { date, number } from "../format";
import { Icon } from "../icons";
import { OfferEditor } from "../offers/editor";
import { discountText, fieldsOf, newFields, type Offer, type Product, stateOf } from "../offers/model";
import { address, go } from "../router";
import type { PageProps } from "../shell";
import { Badge, Button, Empty, Failed, Loading, useLoaded } from "../ui";

const NEW = "new";
const SHOWN = 200;

const load = async (): Promise<{ offers: Offer[]; stores: Store[]; products: Product[] }> => {
  const [offers, stores] = await Promise.all([all<Offer>("/v1/offers"), all<Store>("/v1/stores")]);
  return { offers, stores, products: [] };
};

export default function Offers({ user, rest }: PageProps): JSX.Element {
  const { value, error, again } = useLoaded(load, []);
  const [warnings, setWarnings] = useState<Complaint[]>([]);
  // Only who may write offers may read the catalog that the editor suggests from.
  const mayEdit = user.role === "admin" || user.role === "marketer";
  const products = useLoaded(() => (mayEdit && rest ? all<Product>("/v1/catalog", 5_000) : Promise.resolve([])), [mayEdit, rest !== ""]);
  if (error && !value) return <div class="page"><Failed error={error} again={again} /></div>;
  if (!value) return <Loading what="offers" />;
  if (!rest) return <List offers={value.offers} stores={value.stores} mayEdit={mayEdit} />;
  const offer = value.offers.find(({ external_id }) => external_id === rest);
  if (rest !== NEW && !offer) return <div class="page"><Empty title="No such offer"><a href={address("offers")}>All offers</a></Empty></div>;
  return (
    <OfferEditor
      // What the server has changed meanwhile (a status, a normal form) is what is edited next.
      key={`${rest} ${JSON.stringify(offer)}`}
      published={offer ?? null}
      fields={offer ? fieldsOf(offer) : newFields()}
      isNew={!offer}
      status={offer?.status ?? "live"}
      taken={value.offers.map(({ external_id }) => external_id)}
      stores={value.stores}
      products={products.value ?? []}
      mayEdit={mayEdit}
      warnings={warnings}
      saved={async (id, told = []) => {
        setWarnings(told);
        await again();
        go("offers", id);
      }}
    />
  );
}

function List({ offers, stores, mayEdit }: { offers: Offer[]; stores: Store[]; mayEdit: boolean }): JSX.Element {
  const [query, setQuery] = useState("");
  const names = useMemo(() => new Map(stores.map((store) => [store.external_id, store.name])), [stores]);
  const where = (offer: Offer): string => {
    const at = offer.stores ?? [];
    if (!at.length) return "every store";
    return at.length === 1 ? (names.get(at[0] ?? "") ?? at[0] ?? "") : `${number(at.length)} stores`;
  };
  const wanted = query.trim().toLocaleLowerCase();
  const found = offers.filter((offer) => !wanted || `${offer.name} ${offer.external_id} ${where(offer)}`.toLocaleLowerCase().includes(wanted)).sort((a, b) => a.name.localeCompare(b.name));
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>Offers</h1>
          <p>What may be said to whom, where and when. A shopper hears the best one, or none.</p>
        </div>
        {mayEdit && <Button kind="primary" onClick={() => go("offers", NEW)}>New offer</Button>}
      </div>
      {offers.length === 0 ? (
        <Empty title="No offers yet"><p>Until there is one, every moment ends in silence.</p></Empty>
      ) : (
        <>
          <div class="search narrow">
            <Icon name="search" />
            <input type="search" aria-label="Search offers" placeholder="Search offers" value={query} onInput={(event) => setQuery(event.currentTarget.value)} />
          </div>
          <div class="table-box" role="region" aria-label="Table" tabIndex={0}>
            <table>
              <thead><tr><th scope="col">Offer</th><th scope="col">State</th><th scope="col" class="number">Worth</th><th scope="col">Where</th><th scope="col">Until</th><th scope="col" class="number">Budget</th></tr></thead>
              <tbody>
                {found.slice(0, SHOWN).map((offer) => {
                  const state = stateOf(offer);
                  return (
                    <tr key={offer.external_id}>
                      <td><a href={address("offers", offer.external_id)}>{offer.name}</a></td>
                      <td><Badge kind={state.kind}>{state.text}</Badge></td>
                      <td class="number">{discountText(offer.discount)}</td>
                      <td>{where(offer)}</td>
                      <td class="number time">{date(offer.valid.until)}</td>
                      <td class="number">{budgetText(offer).map((part) => <div key={part}>{part}</div>)}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
          {found.length > SHOWN && <p class="quiet-text">{number(found.length - SHOWN)} more: search to narrow the list.</p>}
          {found.length === 0 && <Empty title="Nothing found"><p>No offer is called “{query}”.</p></Empty>}
        </>
      )}
    </div>
  );
}

function budgetText({ budget }: Offer): string[] {
  if (!budget) return ["no limit"];
  const parts = [
    budget["redemptions"] && `${number(Number(budget["redemptions"]))} redemptions`,
    budget["issued"] && `${number(Number(budget["issued"]))} coupons`,
    budget["spend"] && `€${number(Number(budget["spend"]))}`,
  ].filter((part) => typeof part === "string");
  return parts.length ? parts : ["set"];
}
