"""What the learning policy is told of a moment and of each arm: plain numbers, no ids of people but one.

An *arm* is something that can be done: an offer, or a *reminder* (an offer of 0 %: "your trainers are here").
To say nothing is an arm too; it scores 0, and so needs no row.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from offers.learn.blr import Floats, Keys


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
    """The arms of a moment as columns of n numbers each. All prices in the retailer's currency."""

    names: tuple[str, ...]  #: of the offers; a reminder has a name of its own
    stores: tuple[str, ...]
    kinds: tuple[str, ...]  #: categories, each once: what messages would be about
    kind: NDArray[np.intp]  #: which of them each is about
    depth: Floats  #: share of the price that is given away, 0 to 1
    price: Floats
    margin: Floats  #: share of the price that the retailer earns without any discount
    prior_response: Floats  #: what the marketer expects; NaN: nothing was said
    interest: Floats  #: the level of today's interest in it (`offers.interest`)
    repeated: Floats  #: 1 where one product was viewed twice within a day
    distance_m: Floats
    heading: Floats  #: cosine between where she goes and where the store is; 0 where not known
    minutes_left: Floats  #: until it closes, less the time to walk there
    bought: Floats  #: purchases in the category in the past year
    visits: Floats  #: to the store
    favourite: Floats  #: 1 where she declared the category
    scarce: Floats  #: 0 to 1: how short stock is
    busy: Floats  #: 0 to 1: how full the store is
    budget_price: Floats  #: the online dual price of a unit of spend
    fairness: Floats  #: the store's bonus, a sum of money
    lever: Floats  #: what a business owner set; 1: nothing

    def __len__(self) -> int:
        return len(self.names)

    def category(self, index: int) -> str:
        """What a message would be about."""
        return self.kinds[int(self.kind[index])]

    def keys(self, index: int, shopper: str) -> Keys:
        """Whose effects speak for the arm."""
        return {
            "shopper": shopper,
            "offer": self.names[index],
            "store": self.stores[index],
            "taste": f"{shopper} {self.category(index)}",
        }


def arms_of(names: Sequence[str], stores: Sequence[str], categories: Sequence[str], **given: Any) -> Arms:
    """Arms with the columns that are given (numbers or arrays); the others say that nothing is known."""
    places: dict[str, int] = {}
    kind = [places.setdefault(category, len(places)) for category in categories]
    return made_of(tuple(names), tuple(stores), tuple(places), np.array(kind, dtype=np.intp), **given)


def made_of(
    names: tuple[str, ...],
    stores: tuple[str, ...],
    kinds: tuple[str, ...],
    kind: NDArray[np.intp],
    **given: Any,
) -> Arms:
    """The same, of categories that are numbered already."""
    count = len(names)
    nothing = np.zeros(count)
    columns = dict.fromkeys(COLUMNS, nothing)
    for field, value in (UNKNOWN | given).items():
        if field not in columns:
            raise TypeError(f"no such column: {field}")
        known = np.asarray(value, dtype=np.float64)
        columns[field] = known if known.shape == (count,) else np.full(count, known)
    return Arms(names=names, stores=stores, kinds=kinds, kind=kind, **columns)


COLUMNS = Arms.__struct_fields__[4:]
#: What a column says where nothing is known, if not 0.
UNKNOWN: dict[str, Any] = {
    "prior_response": np.nan,
    "minutes_left": 600.0,
    "lever": 1.0,
    "margin": 0.4,
    "price": 30.0,
}
