"""How much a shopper wants to go to a store: the organic head, as a number from 0 to 100, with its reasons.

Intent is no reason to speak. Who is about to buy anyway needs no discount; what counts is what a message
changes (`offers.learn.objective`)."""

from math import exp

import msgspec
import numpy as np

from offers.learn.blr import Floats, Head, Keys
from offers.learn.features import NAMES

#: So many times as likely to buy as somebody of whom nothing is known is an intent of 50.
HALFWAY = 10.0
REASONS_MAX, REASON_LEAST = 4, 0.05
BIAS = NAMES.index("bias")


class Reason(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What speaks for or against, in the logit."""

    name: str  #: of a feature, or of the kind of an effect
    weight: float


class Intent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A shopper's intent at a store."""

    level: int  #: 0 to 100
    reasons: tuple[Reason, ...]  #: the strongest first


def intent(organic: Head, row: Floats, keys: Keys) -> Intent:
    """The intent of one row: odds of buying over those of the bias alone."""
    weights = row * organic.mean
    strong = np.flatnonzero(np.abs(weights) >= REASON_LEAST).tolist()
    reasons = [Reason(name=NAMES[place], weight=float(weights[place])) for place in strong if place != BIAS]
    reasons += [
        Reason(name=kind, weight=weight)
        for kind, effects in organic.effects.items()
        if abs(weight := effects.mean(keys[kind])) >= REASON_LEAST
    ]
    times = exp(min(organic.eta(row, keys) - float(organic.mean[0]), 50.0))
    strongest = sorted(reasons, key=lambda part: (-abs(part.weight), part.name))
    return Intent(level=round(100 * times / (times + HALFWAY)), reasons=tuple(strongest[:REASONS_MAX]))
