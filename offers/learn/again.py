"""Draws a stored receipt again from what stands in it: its terms, its exploration, its number."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from offers.learn.explore import Exploration, draw
from offers.learn.objective import total


def rescored(receipt: Mapping[str, Any]) -> dict[str, float]:
    """The score of each judged offer, added up anew from its terms."""
    rescale = receipt["judgement"]["rescale"]
    judged = [one for one in receipt["candidates"] if "terms" in one]
    return {one["offer"]: total(one["terms"], rescale) for one in judged}


def redrawn(receipt: Mapping[str, Any]) -> str | None:
    """The offer that is drawn from the scores; None: nothing."""
    judged, scores = receipt["judgement"], rescored(receipt)
    arms = [arm["offer"] for arm in judged["propensities"] if arm["offer"] is not None]
    explore = msgspec.convert(judged["exploration"], Exploration)
    drawn = draw(np.array([scores[name] for name in arms]), explore, judged["uniform"])
    return None if drawn.chosen is None else arms[drawn.chosen]
