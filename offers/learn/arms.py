"""What the learning policy is told of a moment and of each arm: plain numbers, no ids of people but one.

An *arm* is something that can be done: an offer, or a *reminder* (an offer of 0 %: "your trainers are here").
To say nothing is an arm too; it scores 0, and so needs no row.
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from offers.learn.blr import Floats, Keys

Places: TypeAlias = NDArray[np.intp]
Mask: TypeAlias = NDArray[np.bool_]


class Consents(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which blocks of features may be read: each has its own consent and its own switch."""

    relational: bool = True  #: purchases, visits, redemptions, contacts
    personal: bool = True  #: what she declared
    realtime: bool = True  #: today's browsing, where and how she moves


class Scene(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is the same for every arm of a moment."""

    moment_id: str
    shopper: str
    hour: float  #: by the store's clock, 0 to 24
    weekend: bool = False
    closing_mps: float = 0.0  #: how fast the distance shrinks; negative: she goes away
    speed_mps: float = 0.0
    dwell_s: float = 0.0
    tier: float = 0.0  #: 0 to 1
    pushes_24h: int = 0
    pushes_7d: int = 0
    opened: int = 0  #: of `pushed`
    pushed: int = 0  #: offers pushed to her of which it is known whether she opened them
    redeemed: int = 0  #: offers that she has redeemed at all
    consents: Consents = Consents()


class Arms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The arms of a moment, n of them. All prices in the retailer's currency.

    What they are about is told by number: an offer, a store, a category is named once.
    """

    offers: tuple[str, ...]  #: a reminder has a name of its own
    offer: Places  #: which of them each arm is
    stores: tuple[str, ...]
    store: Places
    kinds: tuple[str, ...]  #: categories: what messages would be about
    kind: Places
    table: Floats  #: a row for each of `COLUMNS`

    def __len__(self) -> int:
        return len(self.offer)

    def column(self, name: str) -> Floats:
        """What is known of each, by the column's name."""
        known: Floats = self.table[ROW[name]]
        return known

    def names(self, few: Places) -> tuple[str, ...]:
        """Of some arms' offers."""
        return tuple([self.offers[place] for place in self.offer[few].tolist()])

    def name(self, index: int) -> str:
        """Of an arm's offer."""
        name: str = self.offers[self.offer[index]]
        return name

    def shop(self, index: int) -> str:
        """An arm's store."""
        store: str = self.stores[self.store[index]]
        return store

    def category(self, index: int) -> str:
        """What a message would be about."""
        kind: str = self.kinds[self.kind[index]]
        return kind

    def keys(self, index: int, shopper: str) -> Keys:
        """Whose effects speak for the arm."""
        return {
            "shopper": shopper,
            "offer": self.name(index),
            "store": self.shop(index),
            "taste": f"{shopper} {self.category(index)}",
        }

    def otherwise(self, **given: Floats | float) -> "Arms":
        """The same arms with other columns."""
        table = self.table.copy()
        for name, column in given.items():
            table[ROW[name]] = column
        return msgspec.structs.replace(self, table=table)


#: What is known of each arm, and what its column says where nothing is.
COLUMNS: dict[str, float] = {
    "depth": 0.0,  # share of the price that is given away, 0 to 1
    "price": 30.0,
    "margin": 0.4,  # share of the price that the retailer earns without any discount
    "prior_response": np.nan,  # what the marketer expects
    "interest": 0.0,  # the level of today's interest in it (`offers.interest`)
    "repeated": 0.0,  # 1 where one product was viewed twice within a day
    "distance_m": 0.0,
    "heading": 0.0,  # cosine between where she goes and where the store is
    "minutes_left": 600.0,  # until it closes, less the time to walk there
    "bought": 0.0,  # purchases in the category in the past year
    "visits": 0.0,  # to the store
    "favourite": 0.0,  # 1 where she declared the category
    "scarce": 0.0,  # 0 to 1: how short stock is
    "busy": 0.0,  # 0 to 1: how full the store is
    "budget_price": 0.0,  # the online dual price of a unit of spend
    "fairness": 0.0,  # the store's bonus, a sum of money
    "lever": 1.0,  # what a business owner set
}
ROW = {name: row for row, name in enumerate(COLUMNS)}


def table_of(count: int, **given: Floats | Mask | float) -> Floats:
    """The table of so many arms with the columns that are given."""
    table = np.empty((len(COLUMNS), count))
    for row, (name, unknown) in enumerate(COLUMNS.items()):
        table[row] = given.pop(name, unknown)
    if given:
        raise TypeError(f"no such columns: {', '.join(given)}")
    return table


def arms_of(
    names: Sequence[str], stores: Sequence[str], categories: Sequence[str], **given: Floats | float
) -> Arms:
    """Arms by what they are about, each with a name, a store and a category."""
    (offers, offer), (shops, shop), (kinds, kind) = map(numbered, (names, stores, categories))
    return Arms(
        offers=offers,
        offer=offer,
        stores=shops,
        store=shop,
        kinds=kinds,
        kind=kind,
        table=table_of(len(names), **given),
    )


def numbered(texts: Sequence[str]) -> tuple[tuple[str, ...], Places]:
    """The texts, each once in the order of appearance, and which of them each was."""
    places: dict[str, int] = {}
    place = [places.setdefault(text, len(places)) for text in texts]
    return tuple(places), np.array(place, dtype=np.intp)
