"""What is on the shelves: products by the words of their names, and what there is in each category.

A change of one product costs a copy of what it touches, not a reading of all the others.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

import msgspec

from offers.category import Path, fold, prefixes, words_of
from offers.wordbook import Wordbook

#: From this share of changed products on, making the index anew is the quicker way.
REBUILT_FROM = 1 / 4


class Shelved(Protocol):
    """What counts of a product here."""

    @property
    def name(self) -> str: ...
    @property
    def category(self) -> Path: ...
    @property
    def price(self) -> Decimal | None: ...


#: A sku's product as it was and as it is; None: not there.
Replaced = tuple[str, Shelved | None, Shelved | None]


class Shelves(msgspec.Struct, frozen=True, kw_only=True):
    """An index of products. Category paths are case-folded."""

    words: Wordbook[str]  #: skus by the words of their names and categories
    counts: dict[Path, int]  #: how many products lie in a category or below it
    dearest: dict[Path, Decimal]  #: the highest price there; `()` is all there is

    @classmethod
    def build(cls, products: Mapping[str, Shelved]) -> "Shelves":
        """Puts products, by sku, on empty shelves."""
        counts: dict[Path, int] = {}
        for product in products.values():
            _count(counts, product, 1)
        return cls(
            words=Wordbook.build({sku: _words(product) for sku, product in products.items()}),
            counts=counts,
            dearest=_dearest(products.values(), {*counts, ()}),
        )

    def edited(self, replaced: Iterable[Replaced], products: Mapping[str, Shelved]) -> "Shelves":
        """After some products were put in the place of others; `products` are all there are then."""
        replaced = [
            (sku, old, new) for sku, old, new in replaced if old is None or new is None or not _same(old, new)
        ]
        if not replaced:
            return self
        if len(replaced) > REBUILT_FROM * len(products):
            return Shelves.build(products)
        olds = [old for _, old, _ in replaced if old is not None]
        news = [new for _, _, new in replaced if new is not None]
        counts = dict(self.counts)
        for product in olds:
            _count(counts, product, -1)
        for product in news:
            _count(counts, product, 1)
        # A category's highest price is looked for again only where it may have gone.
        stale = {p for old in olds for p in _within(old) if _rank(old.price) == _rank(self.dearest.get(p))}
        dearest = {path: price for path, price in self.dearest.items() if path not in stale}
        for path, price in _dearest(news, {path for new in news for path in _within(new)}).items():
            dearest[path] = max(price, dearest.get(path, price), key=_rank)
        if stale:
            dearest |= _dearest(products.values(), stale)
        words = self.words.edited((sku, _words(old), _words(new)) for sku, old, new in replaced)
        return Shelves(words=words, counts=counts, dearest=dearest)


def _same(old: Shelved, new: Shelved) -> bool:
    """Whether two products differ in nothing that is indexed; a price counts as it is written."""
    return (old.name, old.category, str(old.price)) == (new.name, new.category, str(new.price))


def _count(counts: dict[Path, int], product: Shelved, by: int) -> None:
    for path in _shelf(product.category)[0]:
        counts[path] = counts.get(path, 0) + by
        if not counts[path]:
            del counts[path]


def _within(product: Shelved) -> tuple[Path, ...]:
    """The categories whose highest price the product's may be."""
    return () if product.price is None else (*_shelf(product.category)[0], ())


def _dearest(products: Iterable[Shelved], paths: AbstractSet[Path]) -> dict[Path, Decimal]:
    """The highest price in each of these categories in which there is any."""
    found: dict[Path, Decimal] = {}
    asked: dict[Path, list[Path]] = {}  # of a product's category and those above it, those asked for
    for product in products:
        category = product.category
        if category not in asked:
            asked[category] = [path for path in (*_shelf(category)[0], ()) if path in paths]
        if (price := product.price) is not None:
            for path in asked[category]:
                if _rank(price) > _rank(found.get(path)):
                    found[path] = price
    return found


def _rank(price: Decimal | None) -> tuple[Decimal, str]:
    """Orders prices; equal ones by how they are written, so that no other order decides between them."""
    return (Decimal(-1), "") if price is None else (price, str(price))


def _words(product: Shelved | None) -> frozenset[str]:
    return frozenset() if product is None else words_of(product.name) | _shelf(product.category)[1]


@lru_cache(maxsize=4096)
def _shelf(category: Path) -> tuple[tuple[Path, ...], frozenset[str]]:
    """A category and those above it, folded; and the words of its name."""
    folded = fold(category)
    return tuple(prefixes(folded)), words_of(" ".join(folded))
