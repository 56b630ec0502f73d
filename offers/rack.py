"""The offers of one store as columns: what a decision asks of two hundred offers it asks of arrays.

A rack belongs to a catalogue and changes no answer: `offers.prospects` and the gates say the same of each
offer by itself, and property tests hold the two together.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from offers.catalogue import Catalogue, Limits, Offer, Product
from offers.category import text_from_path
from offers.discount import worth_percent
from offers.interest import Interests, Trace
from offers.learn.blr import Floats
from offers.relevance import Interest, named_product, spoken_for

#: So many racks are kept of one catalogue, and so many traces with each.
RACKS_MOST, TRACES_MOST = 512, 4096

Places = NDArray[np.intp]


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
        self.limited = [place for place, one in enumerate(self.offers) if one.limits != Limits()]
        self.budgeted = [place for place, one in enumerate(self.offers) if one.budget.spend is not None]
        self.reminds = np.array(
            [one.discount.kind == "percent" and one.discount.value == 0 for one in self.offers],
            dtype=np.bool_,
        )
        self.shown = Shown.of(self.offers, self.products)
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

    worth: Floats  #: in percent of the price; NaN: not known
    price: Floats  #: NaN: not known
    stock: Floats  #: pieces; infinite: not known
    named: NDArray[np.bool_]  #: whether a product is
    kinds: tuple[str, ...]  #: the categories that messages would be about, each once
    kind: Places  #: which of them

    @classmethod
    def of(cls, offers: tuple[Offer, ...], products: list[Product | None]) -> "Shown":
        rows = [_shown(offer, product) for offer, product in zip(offers, products, strict=True)]
        worth, price, stock, named, categories = zip(*rows, strict=True) if rows else ((),) * 5
        return cls(
            np.array(worth, dtype=np.float64),
            np.array(price, dtype=np.float64),
            np.array(stock, dtype=np.float64),
            np.array(named, dtype=np.bool_),
            *_numbered(categories),
        )

    def otherwise(self, offers: tuple[Offer, ...], products: dict[int, Product | None]) -> "Shown":
        """The same where some messages would name other products."""
        worth, price = self.worth.copy(), self.price.copy()
        stock, named = self.stock.copy(), self.named.copy()
        categories = [self.kinds[kind] for kind in self.kind.tolist()]
        for place, product in products.items():
            row = _shown(offers[place], product)
            worth[place], price[place], stock[place], named[place], categories[place] = row
        return Shown(worth, price, stock, named, *_numbered(categories))


def _numbered(categories: Sequence[str]) -> tuple[tuple[str, ...], Places]:
    kinds: dict[str, int] = {}
    kind = [kinds.setdefault(category, len(kinds)) for category in categories]
    return tuple(kinds), np.array(kind, dtype=np.intp)


def _shown(offer: Offer, product: Product | None) -> tuple[float, float, float, bool, str]:
    price = product.price if product is not None else None
    worth = worth_percent(offer.discount, price)
    path = product.category if product is not None else offer.categories[0] if offer.categories else ()
    return (
        np.nan if worth is None else float(worth),
        np.nan if price is None else float(price),
        np.inf if product is None or product.stock is None else float(product.stock),
        product is not None,
        text_from_path(path),
    )


def _reminds(offer: Offer) -> bool:
    """Whether it gives nothing away on purpose."""
    return offer.discount.kind == "percent" and offer.discount.value == 0


def rack_of(catalogue: Catalogue, store: str) -> Rack:
    """The store's rack."""
    racks: dict[str, Rack] = catalogue.racks
    if (rack := racks.get(store)) is None:
        if len(racks) >= RACKS_MOST:
            racks.clear()
        rack = racks[store] = Rack(catalogue, store)
    return rack
