"""Which arm is drawn: inverse-gap weighting on a shortlist, with exact propensities.

Of the arms' scores only the best few and "nothing" are in the draw; where nothing is worth saying, the best
one and "nothing": to try out what is not worth it costs, and the arm that is nearest to being worth it costs
least and teaches most. With K of them, the best score s* and
gaps g = (s* − s) / unit, each that is not the best has (Abe & Long 1999; Foster & Rakhlin 2020, "SquareCB")

    p(a) = 1 / (K + γ · g(a)),  at least FLOOR          and the best has the rest

The draw is a number in [0, 1) that follows from the moment's id and the retailer's secret alone, so that the
same moment draws the same wherever and whenever it is decided.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import fsum

import msgspec
import numpy as np

from offers.learn.blr import Floats

#: No arm in the draw is less likely: what is never tried can be neither learned nor evaluated.
FLOOR = 0.01
SHORTLIST_LEAST, SHORTLIST_MOST = 4, 8


class Exploration(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """How much is tried out."""

    gamma: float = 1000.0  #: greater: the best is more often taken
    unit: float = 0.1  #: of money: a gap of this much counts as 1
    shortlist: int = SHORTLIST_LEAST
    floor: float = FLOOR


class Draw(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The arms in the draw, the best first, then "nothing" at the end; and what was drawn."""

    shortlist: tuple[int, ...]  #: indices of arms
    propensities: tuple[float, ...]  #: of each of them, and of nothing
    drawn: int  #: place among the propensities
    uniform: float

    @property
    def chosen(self) -> int | None:
        """The arm's index; None: nothing."""
        return self.shortlist[self.drawn] if self.drawn < len(self.shortlist) else None

    @property
    def propensity(self) -> float:
        return self.propensities[self.drawn]


def uniform_of(salt: bytes, moment_id: str) -> float:
    """The moment's number in [0, 1)."""
    digest = hashlib.sha256(salt + b".draw." + moment_id.encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) * 2.0**-53


def shortlisted(scores: Floats, count: int) -> tuple[int, ...]:
    """The indices of the best scores, equal ones in their order; -inf is never among them. One alone where
    none is above that of "nothing".
    """
    few = np.argsort(-scores, kind="stable")[:count].tolist()
    if few and scores[few[0]] <= 0.0:
        few = few[:1]
    return tuple(index for index in few if scores[index] > -np.inf)


def inverse_gap(scores: Sequence[float], exploration: Exploration) -> list[float]:
    """The propensities of K scores; they add up to 1."""
    count, most = len(scores), max(scores)
    gamma, unit, floor = exploration.gamma, exploration.unit, exploration.floor
    propensities = [max(1.0 / (count + gamma * ((most - score) / unit)), floor) for score in scores]
    best = scores.index(most)
    propensities[best] = 0.0
    propensities[best] = 1.0 - fsum(propensities)
    return propensities


def draw(scores: Floats, exploration: Exploration, uniform: float) -> Draw:
    """Draws among the best of `scores` (-inf: not allowed) and "nothing", whose score is 0."""
    few = shortlisted(scores, exploration.shortlist)
    propensities = inverse_gap([*scores[list(few)].tolist(), 0.0], exploration)
    upto = [*accumulate(propensities)]
    return Draw(
        shortlist=few,
        propensities=tuple(propensities),
        drawn=min(bisect_right(upto, uniform), len(few)),
        uniform=uniform,
    )
