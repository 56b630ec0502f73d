"""What a retailer publishes: stores, products, offers and settings of one version, indexed for decisions."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import chain, islice
from typing import Any

import msgspec

from offers.budget import Budget
from offers.category import Path, fold, prefixes, words_of
from offers.codes import Code
from offers.conditions import Conditions
from offers.edits import edited
from offers.settings import Settings
from offers.shelves import Shelves
from offers.wordbook import Wordbook

#: As many products as one search may speak of.
MATCHES_MAX = 500


class Store(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A shop: where it is, and by which clock and hours it lives."""

    external_id: str
    name: str
    lat_deg: float
    lon_deg: float
    address: str | None = None
    timezone: str | None = None  #: IANA name; None: the retailer's
    opening_hours: str | None = None  #: OpenStreetMap syntax; None: not known, taken as open
    categories: tuple[str, ...] = ()  #: what it sells, each as `a > b > c`
    country: str | None = None  #: ISO 3166, two letters: whose public holidays `PH` in opening hours means
    closed_on: tuple[str, ...] = ()  #: days (ISO 8601) on which it is closed whatever its hours say


class Product(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A thing that is sold."""

    sku: str
    name: str
    category: Path = ()
    price: Decimal | None = None
    currency: str | None = None  #: ISO 4217, upper case
    image_url: str | None = None
    stores: tuple[str, ...] | None = None  #: where it is sold; None: everywhere
    stock: int | None = None  #: pieces left in all; None: not known
    stock_at: dict[str, int] = {}  #: pieces left by store, where that is known
    cost: Decimal | None = None  #: what it costs the retailer

    def stock_here(self, store: str) -> int | None:
        """Pieces on the shelves of a store; None where that is not known."""
        return self.stock_at.get(store, self.stock)

    def sold_at(self, store: str) -> bool:
        return self.stores is None or store in self.stores


class Part(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """A part of an offer that is its own JSON body."""


class Discount(Part, frozen=True, kw_only=True):
    """What an offer takes off; the maths are in `offers.discount`."""

    #: `percent` (0 to 100; 0: a reminder), `amount` (taken off), `price` (what is paid instead), `buy_get`
    #: (`value` percent off `get` pieces for `buy` pieces bought) or `gift` (a product that is worth `value`)
    kind: str
    value: Decimal
    buy: int | None = None
    get: int | None = None
    gift: str | None = None  #: a sku


class Limits(Part, frozen=True, kw_only=True):
    """How often one shopper may be made the offer."""

    per_shopper_per_day: int | None = None  #: in any 24 hours
    per_shopper: int | None = None  #: in all


class Message(Part, frozen=True, kw_only=True):
    """The text of a push in one language, with placeholders such as `{product}`."""

    title: str
    body: str


class Offer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A discount: on what, where, when and how often. Neither skus nor categories: on all that is sold."""

    external_id: str
    name: str
    discount: Discount
    skus: tuple[str, ...] | None = None
    categories: tuple[Path, ...] | None = None
    stores: tuple[str, ...] | None = None  #: None: every store
    valid_from_us: int
    valid_until_us: int  #: the offer no longer holds at this moment
    schedule: str | None = None  #: OpenStreetMap opening-hours syntax, by the store's clock; None: always
    limits: Limits = Limits()
    budget: Budget = Budget()
    prior_response: float | None = None  #: the share of shoppers whom the marketer expects to use it
    conditions: Conditions = Conditions()
    status: str = "live"  #: one of `offers.lifecycle.STATUSES`; only a live one is made to anybody
    lever: float | None = None  #: the owner's weight, 0.5 to 2: what it adds counts so much
    code: Code = Code()
    messages: dict[str, Message] = {}

    @property
    def bounded(self) -> bool:
        """Whether there may be nothing left of it to give: a budget, or a pool of codes."""
        return self.budget != Budget() or self.code.pool is not None


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Everything published, as of one version. `Catalogue.build` makes it; its indices fold letter case."""

    version: int
    settings: Settings
    stores: dict[str, Store]
    products: dict[str, Product]
    offers: dict[str, Offer]
    everywhere: tuple[Offer, ...]  #: offers of every store, by id
    by_store: dict[str, tuple[Offer, ...]]  #: all offers of the stores that offers name, by id
    by_sku: dict[str, list[str]]  #: offers that name the product
    by_category: dict[Path, list[str]]  #: offers that name the category
    narrower: dict[Path, list[str]]  #: offers that name a category or product below the category
    whole_store: list[str]  #: offers on everything
    shelves: Shelves  #: the products
    categories: Wordbook[Path]  #: those of products and offers, and those above them
    racks: dict[str, Any] = {}  #: each store's offers in columns, made when first asked for (`offers.rack`)

    @classmethod
    def build(
        cls,
        stores: Iterable[Store] = (),
        products: Iterable[Product] = (),
        offers: Iterable[Offer] = (),
        settings: Settings = Settings(),  # noqa: B008 - frozen
        version: int = 0,
    ) -> "Catalogue":
        """A catalogue with its indices, in time linear in its size. The last of equal ids counts.

        Otherwise the order in which things are given makes no difference.
        """
        by_sku = {product.sku: product for product in sorted(products, key=lambda p: p.sku)}
        return cls._of(
            version=version,
            settings=settings,
            stores={store.external_id: store for store in sorted(stores, key=lambda s: s.external_id)},
            products=by_sku,
            offers={offer.external_id: offer for offer in sorted(offers, key=lambda o: o.external_id)},
            shelves=Shelves.build(by_sku),
        )

    @classmethod
    def _of(
        cls,
        *,
        version: int,
        settings: Settings,
        stores: dict[str, Store],
        products: dict[str, Product],
        offers: dict[str, Offer],
        shelves: Shelves,
    ) -> "Catalogue":
        """Indexes offers anew."""
        everywhere = tuple(offer for offer in offers.values() if offer.stores is None)
        catalogue = cls(
            version=version,
            settings=settings,
            stores=stores,
            products=products,
            offers=offers,
            everywhere=everywhere,
            by_store=_by_store(offers, everywhere),
            by_sku={},
            by_category={},
            narrower={},
            whole_store=[],
            shelves=shelves,
            categories=_categories(shelves, offers.values()),
        )
        for offer in offers.values():
            _index_offer(catalogue, offer)
        return catalogue

    def edited(
        self,
        *,
        version: int,
        settings: Settings,
        stores: Mapping[str, Store | None],
        products: Mapping[str, Product | None],
        offers: Mapping[str, Offer | None],
    ) -> "Catalogue":
        """The catalogue after these changes (None: removed): the same as one built anew.

        A change of settings, of stores, or of what is in stock and where, costs a copy of one table. Any
        other change of products is made in their index, and the offers, which are few, are indexed anew.
        """
        all_stores, all_products = edited(self.stores, stores), edited(self.products, products)
        replaced = [(sku, self.products.get(sku), product) for sku, product in products.items()]
        shelves = self.shelves.edited(replaced, all_products)
        if not offers and shelves is self.shelves:
            return msgspec.structs.replace(
                self, version=version, settings=settings, stores=all_stores, products=all_products, racks={}
            )
        return Catalogue._of(
            version=version,
            settings=settings,
            stores=all_stores,
            products=all_products,
            offers=edited(self.offers, offers),
            shelves=shelves,
        )

    def offers_at(self, store: str) -> tuple[Offer, ...]:
        """The offers of the store, by id, whether they hold now or not."""
        return self.by_store.get(store, self.everywhere)

    def offers_on_product(self, sku: str) -> list[str]:
        """Ids of the offers whose scope has the product (an unknown sku has no category)."""
        product = self.products.get(sku)
        found = [*self.by_sku.get(sku, ())]
        for path in prefixes(fold(product.category)) if product else ():
            found += self.by_category.get(path, ())
        return found + self.whole_store

    def offers_on_category(self, category: Path) -> list[str]:
        """Ids of the offers that share a shelf with the category: one lies within the other."""
        folded = fold(category)
        found = [*self.narrower.get(folded, ())]
        for path in prefixes(folded):
            found += self.by_category.get(path, ())
        return found + self.whole_store

    def matches(self, query: str) -> list[str | Path]:
        """What a search text speaks of: categories, then skus, in whose names all of its known words are.

        A word is known when any name has it; when less than half of them are, nothing matches.
        """
        asked, skus = words_of(query), self.shelves.words
        known = [word for word in asked if word in skus or word in self.categories]
        if not known or 2 * len(known) < len(asked):
            return []
        found: Iterator[str | Path] = chain(self.categories.having(known), skus.having(known))
        return [*islice(found, MATCHES_MAX)]

    def highest_price(self, offer: Offer) -> Decimal | None:
        """The dearest thing that the offer can be used on; None where no price is known."""
        scope = [price for sku in offer.skus or () if (price := self._price(sku)) is not None]
        on_all = offer.skus is None and offer.categories is None
        paths: Iterable[Path] = ((),) if on_all else offer.categories or ()
        dearest = self.shelves.dearest
        scope += [dearest[fold(path)] for path in paths if fold(path) in dearest]
        return max(scope, default=None)

    def _price(self, sku: str) -> Decimal | None:
        product = self.products.get(sku)
        return product.price if product else None


def _by_store(offers: Mapping[str, Offer], everywhere: tuple[Offer, ...]) -> dict[str, tuple[Offer, ...]]:
    named: dict[str, dict[str, Offer]] = {}
    for offer in offers.values():
        for store in offer.stores or ():
            named.setdefault(store, {})[offer.external_id] = offer
    return {
        store: tuple(sorted((*own.values(), *everywhere), key=lambda offer: offer.external_id))
        for store, own in named.items()
    }


def _index_offer(catalogue: Catalogue, offer: Offer) -> None:
    if offer.skus is None and offer.categories is None:
        catalogue.whole_store.append(offer.external_id)
    below: set[Path] = set()
    for sku in offer.skus or ():
        catalogue.by_sku.setdefault(sku, []).append(offer.external_id)
        if (product := catalogue.products.get(sku)) is not None:
            below.update(prefixes(fold(product.category)))
    for category in map(fold, offer.categories or ()):
        catalogue.by_category.setdefault(category, []).append(offer.external_id)
        below.update(prefixes(category[:-1]))
    for path in sorted(below):
        catalogue.narrower.setdefault(path, []).append(offer.external_id)


def _categories(shelves: Shelves, offers: Iterable[Offer]) -> Wordbook[Path]:
    of_offers = {path for offer in offers for name in offer.categories or () for path in prefixes(fold(name))}
    return Wordbook.build({path: words_of(" ".join(path)) for path in of_offers | shelves.counts.keys()})
