"""How much a shopper wants to go to a store: the organic head, as a number from 0 to 100, with its reasons.

Intent is no reason to speak. Who is about to buy anyway needs no discount; what counts is what a message
changes (`offers.learn.objective`)."""

from math import exp

import msgspec

from offers.learn.blr import Floats, Head, Keys
from offers.learn.features import COLUMNS

#: So many times as likely to buy as somebody of whom nothing is known is an intent of 50.
HALFWAY = 10.0
REASONS_MAX, REASON_LEAST = 4, 0.05


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
    parts = [(c.name, weight) for c, weight in zip(COLUMNS, (row * organic.mean).tolist(), strict=True)]
    parts += [(kind, of.mean(keys[kind])) for kind, of in organic.effects.items()]
    reasons = [
        Reason(name=name, weight=weight)
        for name, weight in parts
        if name != "bias" and abs(weight) >= REASON_LEAST
    ]
    times = exp(min(organic.eta(row, keys) - float(organic.mean[0]), 50.0))
    strongest = sorted(reasons, key=lambda part: (-abs(part.weight), part.name))
    return Intent(level=round(100 * times / (times + HALFWAY)), reasons=tuple(strongest[:REASONS_MAX]))
