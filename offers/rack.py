"""The offers of one store as columns: what a decision asks of two hundred offers it asks of arrays.

A rack belongs to a catalogue and changes no answer: `offers.prospects` and the gates say the same of each
offer by itself, and property tests hold the two together.
"""

import msgspec
import numpy as np

from offers.catalogue import Catalogue, Limits, Offer, Product
from offers.category import text_from_path
from offers.conditions import Conditions
from offers.discount import worth_percent
from offers.interest import Interests, Trace
from offers.learn.arms import Mask, Places, numbered
from offers.learn.blr import Floats
from offers.relevance import Interest, named_product, spoken_for

#: So many racks are kept of one catalogue, and so many traces with each.
RACKS_MOST, TRACES_MOST = 512, 4096

#: In percent of the price (NaN: not known); as a share and the price, as the policy takes them; pieces
#: (infinite: not known); how short stock is, 0 to 1.
SHOWN = ("worth", "depth", "price", "stock", "scarce")
#: The saving where no price is known, as a share; the price where none is.
UNKNOWN_DEPTH, UNKNOWN_PRICE = 0.1, 30.0
#: So few pieces are short stock.
SCARCE_PIECES = 5


class Spoken(msgspec.Struct, frozen=True, gc=False):
    """What a trace speaks for at a store."""

    places: Places  #: of the offers
    has: frozenset[int]  #: the same
    sku: dict[int, str]  #: the product by which it does, where it is one


class Rack:
    """One store's offers, by id; n of them."""

    def __init__(self, catalogue: Catalogue, store: str) -> None:
        self.offers: tuple[Offer, ...] = catalogue.offers_at(store)
        self.products = [named_product(offer, Interest(), catalogue, store) for offer in self.offers]
        self.names = tuple(offer.external_id for offer in self.offers)
        self.place = {name: place for place, name in enumerate(self.names)}
        self.by_sku: dict[str, list[int]] = {}
        for place, product in enumerate(self.products):
            if product is not None:
                self.by_sku.setdefault(product.sku, []).append(place)
        self.valid_from_us = np.array([offer.valid_from_us for offer in self.offers], dtype=np.int64)
        self.valid_until_us = np.array([offer.valid_until_us for offer in self.offers], dtype=np.int64)
        self.prior = np.array([offer.prior_response or np.nan for offer in self.offers])
        self.lever = np.array([offer.lever or 1.0 for offer in self.offers])
        self.scheduled = [place for place, one in enumerate(self.offers) if one.schedule is not None]
        self.unlive = [place for place, one in enumerate(self.offers) if one.status != "live"]
        self.conditional = [place for place, one in enumerate(self.offers) if one.conditions != Conditions()]
        self.limited = [place for place, one in enumerate(self.offers) if one.limits != Limits()]
        self.budgeted = [place for place, one in enumerate(self.offers) if one.budget.spend is not None]
        self.reminds = np.array(
            [one.discount.kind == "percent" and one.discount.value == 0 for one in self.offers],
            dtype=np.bool_,
        )
        self.shown = Shown.of(self.offers, self.products, store)
        self._catalogue, self._store = catalogue, store
        self._spoken: dict[tuple[str, str, str], Spoken] = {}

    def __len__(self) -> int:
        return len(self.offers)

    def spoken(self, trace: Trace, interests: Interests) -> Spoken:
        """What a trace speaks for here."""
        if trace.about == "query":  # what was bought since it says no longer
            return self._speaks(trace, interests)
        key = (trace.about, trace.key, trace.category)
        if (found := self._spoken.get(key)) is None:
            if len(self._spoken) >= TRACES_MOST:
                self._spoken.clear()
            found = self._spoken[key] = self._speaks(trace, interests)
        return found

    def _speaks(self, trace: Trace, interests: Interests) -> Spoken:
        found = spoken_for(trace, interests, self._catalogue, self._store)
        by_place = {self.place[name]: sku for name, sku in found.items() if name in self.place}
        places = np.array(sorted(by_place), dtype=np.intp)
        return Spoken(
            places, frozenset(by_place), {place: sku for place, sku in by_place.items() if sku is not None}
        )


class Shown(msgspec.Struct, frozen=True, gc=False):
    """Columns of what the messages would show: the offers' worth on the products that they would name."""

    table: Floats  #: a row for each of `SHOWN`
    named: Mask  #: whether a product is
    kinds: tuple[str, ...]  #: the categories that messages would be about, each once
    kind: Places  #: which of them
    store: str  #: at which

    @classmethod
    def of(cls, offers: tuple[Offer, ...], products: list[Product | None], store: str) -> "Shown":
        table, named = np.empty((len(SHOWN), len(offers))), np.empty(len(offers), dtype=np.bool_)
        whole = cls(table, named, ("",), np.zeros(len(offers), dtype=np.intp), store)
        return whole.otherwise(offers, dict(enumerate(products)))

    def column(self, name: str) -> Floats:
        """One row of the table."""
        column: Floats = self.table[SHOWN.index(name)]
        return column

    def otherwise(self, offers: tuple[Offer, ...], products: dict[int, Product | None]) -> "Shown":
        """The same where some messages would name other products."""
        table, named = self.table.copy(), self.named.copy()
        categories = [self.kinds[kind] for kind in self.kind.tolist()]
        for place, product in products.items():
            table[:, place] = _shown(offers[place], product, self.store)
            named[place] = product is not None
            categories[place] = text_from_path(_about(offers[place], product))
        return Shown(table, named, *numbered(categories), self.store)


def _about(offer: Offer, product: Product | None) -> tuple[str, ...]:
    if product is not None:
        return product.category
    return offer.categories[0] if offer.categories else ()


def _shown(offer: Offer, product: Product | None, store: str) -> tuple[float, ...]:
    price = product.price if product is not None else None
    stock = product.stock_here(store) if product is not None else None
    worth = worth_percent(offer.discount, price)
    return (
        np.nan if worth is None else float(worth),
        UNKNOWN_DEPTH if worth is None else float(worth) / 100,
        UNKNOWN_PRICE if price is None else float(price),
        np.inf if stock is None else float(stock),
        0.0 if stock is None else 1.0 - min(stock, SCARCE_PIECES) / SCARCE_PIECES,
    )


def rack_of(catalogue: Catalogue, store: str) -> Rack:
    """The store's rack."""
    racks: dict[str, Rack] = catalogue.racks
    if (rack := racks.get(store)) is None:
        if len(racks) >= RACKS_MOST:
            racks.clear()
        rack = racks[store] = Rack(catalogue, store)
    return rack
