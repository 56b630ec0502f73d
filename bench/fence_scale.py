"""What a fix anywhere costs among a million fences, compared to a thousand that are as dense."""

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from bench._town import BATCH, FENCES, REACH_DEG, SEED, each_circle, figure, seconds, town
from geo.index import FenceSet

FEW, MANY = 1_000, 1_000_000
BATCHES = 200


def run() -> Iterator[dict[str, Any]]:
    """Matching in batches, per fix, in nanoseconds."""
    few, many = (_nanoseconds(count) for count in (FEW, MANY))
    yield figure("fence_scale", many, "ns", ("1,000 fences", few))


def _nanoseconds(count: int) -> float:
    random = np.random.default_rng(SEED)
    reach_deg = REACH_DEG * sqrt(count / FENCES)
    fences = FenceSet.build(each_circle(random, count, reach_deg=reach_deg))
    batches = [town(random, BATCH, reach_deg=reach_deg) for _ in range(BATCHES)]
    took_s = seconds(lambda: [fences.match(*batch) for batch in batches], 10)
    return took_s / (BATCH * BATCHES) * 1e9
