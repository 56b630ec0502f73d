"""What speaking changed: those spoken to against the holdout, with an interval that holds at every look.

Compared are the moments with something to say: offers made, and *ghosts*, which the holdout would have been
made. Looking every day and stopping when it is significant makes a false alarm of every third null world
with an ordinary interval. So the interval is a confidence sequence: with 95 % it holds the truth at *all*
looks at once (Robbins' normal mixture; Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, "Time-uniform central
limit theory and asymptotic confidence sequences"). With n moments and V the estimate's variance,

    half = √(n V) · √( 2 (n ρ² + 1) / (n² ρ²) · log( √(n ρ² + 1) / α ) )

where ρ makes it narrowest near `tight_at` moments. The variance is over shoppers, who were randomised, not
over moments: V = Σ over shoppers (sum − mean · moments)² / moments², of each side, added.
"""

from math import log, sqrt

import msgspec
import numpy as np

from offers.learn.blr import Floats

ALPHA = 0.05
#: Fewer shoppers, or fewer who did it, on either side say nothing: the theory is of large numbers.
SHOPPERS_LEAST, EVENTS_LEAST = 30, 20


class Side(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One side of the comparison: of each shopper the number of moments and the sum of what came of them."""

    moments: Floats
    outcome: Floats

    @property
    def mean(self) -> float:
        return float(self.outcome.sum() / self.moments.sum())

    @property
    def variance(self) -> float:
        """Of the mean, over shoppers."""
        off = self.outcome - self.mean * self.moments
        return float((off @ off) / self.moments.sum() ** 2)

    @property
    def enough(self) -> bool:
        shoppers = int(np.count_nonzero(self.moments))
        return shoppers >= SHOPPERS_LEAST and int(np.count_nonzero(self.outcome)) >= EVENTS_LEAST


class Lift(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The difference per moment with something to say, and its interval."""

    difference: float
    low: float
    high: float
    base: float  #: the holdout's mean

    @property
    def certain(self) -> bool:
        """Whether the interval leaves no room for nothing."""
        return self.low > 0.0 or self.high < 0.0


def lift(spoken: Side, held: Side, *, tight_at: float = 10_000, alpha: float = ALPHA) -> Lift | None:
    """The lift as known now; None while there is too little to say anything."""
    if not (spoken.enough and held.enough):
        return None
    difference = spoken.mean - held.mean
    moments = float(spoken.moments.sum() + held.moments.sum())
    half = half_width(spoken.variance + held.variance, moments, tight_at=tight_at, alpha=alpha)
    return Lift(difference=difference, low=difference - half, high=difference + half, base=held.mean)


def half_width(variance: float, moments: float, *, tight_at: float, alpha: float = ALPHA) -> float:
    """Half the width of the confidence sequence around an estimate of this variance."""
    rho2 = (-2 * log(alpha) + log(-2 * log(alpha)) + 1) / tight_at
    grown = moments * rho2 + 1
    return sqrt(moments * variance) * sqrt(2 * grown / (moments**2 * rho2) * log(sqrt(grown) / alpha))
