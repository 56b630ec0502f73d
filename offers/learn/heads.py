"""The heads of the learning policy and what is believed before any outcome: the marketer's and others' word.

    open      P(she opens the push)
    organic   P(she buys at the store in this visit | nothing is said)
    uplift    what an opened offer adds to the logit of `organic`
    optout    P(she turns pushes off | so many in a day and in a week)

So P(buy | opened) = σ(organic + uplift): what is learned of who buys at all, from every moment, serves the
offers too, and the rare outcomes of offers need only tell what *they* change. The signs and sizes below stem
from published field experiments (docs/decisions.md names them); each is a mean and a standard deviation, and
gives way to what is observed.
"""

from collections.abc import Mapping
from math import log

import msgspec
import numpy as np

from offers.learn.blr import Head
from offers.learn.features import NAMES

#: column -> mean and standard deviation of its weight
Believed = Mapping[str, tuple[float, float]]

OPEN: Believed = {
    "interest": (0.3, 0.2),
    "opens": (2.0, 0.6),
    "pushes_24h": (-0.2, 0.15),
    "pushes_7d": (-0.15, 0.15),
    "near": (0.0, 0.1),
    "far": (-0.05, 0.1),
    "depth": (0.3, 0.3),
    "reminder": (0.0, 0.2),
    "favourite": (0.1, 0.15),
    "fast": (-0.3, 0.2),
    "morning": (0.0, 0.15),
    "evening": (0.0, 0.15),
    "weekend": (0.0, 0.15),
    "redeemed": (0.1, 0.15),
}
ORGANIC: Believed = {
    "interest": (0.8, 0.6),
    "interested": (1.5, 0.8),
    "repeated": (0.3, 0.3),
    "far": (-0.4, 0.2),
    "beyond_120": (0.0, 0.2),
    "near": (0.2, 0.2),
    "interest_near": (0.3, 0.5),
    "price": (-0.1, 0.2),
    "visits": (0.3, 0.2),
    "bought": (0.4, 0.2),
    "favourite": (0.3, 0.2),
    "favourite_interest": (0.0, 0.2),
    "heading": (0.1, 0.15),
    "closing": (0.1, 0.15),
    "dwell": (0.1, 0.15),
    "tier": (0.1, 0.15),
    "morning": (0.0, 0.15),
    "evening": (0.0, 0.15),
    "weekend": (0.0, 0.15),
    "novel": (0.0, 0.2),
}
#: Held tightly: purchases of opened offers are rare, and a handful of early failures must not silence it.
UPLIFT: Believed = {
    "depth": (0.8, 0.08),
    "depth_root": (0.3, 0.06),
    "depth_near": (0.3, 0.06),
    "depth_far": (0.2, 0.06),
    "interest": (0.1, 0.03),
    "interest_depth": (0.1, 0.04),
    "novel": (0.1, 0.03),
    "prior": (0.15, 0.02),
    "far": (-0.05, 0.02),
    "bought": (-0.05, 0.02),
    "bought_depth": (-0.1, 0.04),
    "redeemed": (0.0, 0.02),
    "redeemed_depth": (0.5, 0.06),
    "favourite": (0.0, 0.02),
    "pushes_24h": (-0.05, 0.02),
}
EFFECTS_SD: dict[str, dict[str, float]] = {
    "open": {"shopper": 0.7, "offer": 0.15},
    "organic": {"shopper": 0.3, "store": 0.4, "taste": 0.4},
    "uplift": {"shopper": 0.08, "offer": 0.04, "store": 0.04},
}
OPT_OUT = ("bias", "pushes_24h", "pushes_7d")
#: Of a weight of whose sign nothing is believed.
FLAT_SD = {"open": 0.3, "organic": 0.7, "uplift": 0.03}


class Priors(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """What the marketer expects: rates, and how many outcomes each expectation is worth."""

    open_rate: float = 0.5
    open_count: float = 40.0
    organic_rate: float = 0.005  #: purchases at one store of those that she is near, per moment
    organic_count: float = 2000.0
    uplift: float = 0.3  #: what a message itself adds to the logit of buying
    uplift_sd: float = 0.06
    opt_out_rate: float = 0.002  #: per push
    opt_out_count: float = 2000.0
    informed: bool = True  #: False: of no feature a sign is believed; rates and the message's effect are
    scale: float = 1.0  #: of all standard deviations but the intercepts'


def rate_prior(rate: float, count: float) -> tuple[float, float]:
    """Mean and standard deviation of a logit, of a rate that is worth `count` outcomes."""
    return log(rate / (1 - rate)), (count * rate * (1 - rate)) ** -0.5


def heads(priors: Priors) -> dict[str, Head]:
    """The four heads before any outcome."""
    intercepts = {
        "open": (OPEN, rate_prior(priors.open_rate, priors.open_count)),
        "organic": (ORGANIC, rate_prior(priors.organic_rate, priors.organic_count)),
        "uplift": (UPLIFT, (priors.uplift, priors.uplift_sd)),
    }
    made = {name: _head(name, believed, bias, priors) for name, (believed, bias) in intercepts.items()}
    mean, sd = rate_prior(priors.opt_out_rate, priors.opt_out_count)
    means = [mean, 0.4, 0.2] if priors.informed else [mean, 0.0, 0.0]
    return made | {"optout": Head(np.array(means), np.array([sd, 0.2, 0.2]), {})}


def _head(name: str, believed: Believed, bias: tuple[float, float], priors: Priors) -> Head:
    mean, sd = np.zeros(len(NAMES)), np.zeros(len(NAMES))
    for column, (of_weight, uncertain) in believed.items():
        index = NAMES.index(column)
        mean[index] = of_weight if priors.informed else 0.0
        sd[index] = priors.scale * (uncertain if priors.informed else FLAT_SD[name])
    mean[0], sd[0] = bias
    return Head(mean, sd, {kind: value * priors.scale for kind, value in EFFECTS_SD[name].items()})
