"""Which of a store's offers meet a shopper's interests, and how much."""

import msgspec

from offers.catalogue import Catalogue, Offer, Product
from offers.category import path_from_text, within
from offers.interest import INTERESTED, Interests, Trace


class Evidence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one trace says for an offer."""

    trace: Trace
    level: float  #: left of it now
    sku: str | None  #: the product it speaks of, if it speaks of one


class Interest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A shopper's interest in an offer at a store. `Interest()` is none."""

    level: float = 0.0  #: the sum over the evidence
    repeated: bool = False  #: a product of it was viewed twice within a day
    evidence: tuple[Evidence, ...] = ()  #: the strongest first

    @property
    def interested(self) -> bool:
        return self.repeated or self.level >= INTERESTED

    def skus(self) -> list[str]:
        """The products that the evidence speaks of, those of the highest level first."""
        levels: dict[str, float] = {}
        for evidence in self.evidence:
            if evidence.sku is not None:
                levels[evidence.sku] = levels.get(evidence.sku, 0.0) + evidence.level
        return sorted(levels, key=lambda sku: (-levels[sku], sku))


def named_product(offer: Offer, interest: Interest, catalogue: Catalogue, store: str) -> Product | None:
    """The product that a message about the offer names.

    The one with the strongest interest, one that is in stock before one that is not; without interest in a
    product, the first that the offer names and the store sells. None for an offer on a category or on all
    when no product was looked at.
    """
    wanted = interest.skus() or offer.skus or ()
    known = [product for sku in wanted if (product := catalogue.products.get(sku)) is not None]
    sold = [product for product in known if product.sold_at(store)]
    return next((product for product in sold if product.stock_here(store) != 0), sold[0] if sold else None)


def spoken_for(trace: Trace, interests: Interests, catalogue: Catalogue, store: str) -> dict[str, str | None]:
    """The offers of the store that a trace speaks for, each with the product by which it does.

    A trace of a product speaks for every offer whose scope has it, if the store sells it; a trace of a
    category for every offer that lies within it or that it lies within; a search for those of what its words
    name; directions to the store for everything there.
    """
    here = {offer.external_id: offer for offer in catalogue.offers_at(store)}
    return {
        offer_id: sku
        for offer_id, sku in _spoken_for(trace, interests, catalogue, store).items()
        if offer_id in here and _sells(catalogue, store, here[offer_id], trace)
    }


def _spoken_for(
    trace: Trace, interests: Interests, catalogue: Catalogue, store: str
) -> dict[str, str | None]:
    if trace.about == "store":
        return dict.fromkeys(
            (o.external_id for o in catalogue.offers_at(store)) if trace.key == store else ()
        )
    if trace.about == "sku":
        return _for_product(trace.key, trace.category, catalogue, store)
    if trace.about == "category":
        return dict.fromkeys(catalogue.offers_on_category(path_from_text(trace.key)))
    found: dict[str, str | None] = {}
    matches = catalogue.matches(trace.key)
    for name in matches:
        if isinstance(name, str) and not interests.bought_since(name, trace.at_us):
            found = _for_product(name, "", catalogue, store) | found
    for name in matches:
        if not isinstance(name, str):
            found = dict.fromkeys(catalogue.offers_on_category(name)) | found
    return found


def _for_product(sku: str, category: str, catalogue: Catalogue, store: str) -> dict[str, str | None]:
    product = catalogue.products.get(sku)
    if product is not None and not product.sold_at(store):
        return {}
    found: dict[str, str | None] = dict.fromkeys(catalogue.offers_on_product(sku), sku)
    if product is None and category:  # not in the catalogue: what the app said of it helps
        found = dict.fromkeys(catalogue.offers_on_category(path_from_text(category))) | found
    return found


def _sells(catalogue: Catalogue, store: str, offer: Offer, trace: Trace) -> bool:
    """Whether an offer on everything the store sells has what the trace is about.

    Only a store that lists its categories can lack one; a product of the catalogue that names no stores is
    sold everywhere.
    """
    shop = catalogue.stores.get(store)
    if offer.skus is not None or offer.categories is not None or shop is None or not shop.categories:
        return True
    if trace.about in ("store", "query") or trace.key in catalogue.products:
        return True
    category = path_from_text(trace.category if trace.about == "sku" else trace.key)
    shelves = [path_from_text(text) for text in shop.categories]
    return any(within(category, shelf) or within(shelf, category) for shelf in shelves if category)
