"""What a fix anywhere costs among a million fences, compared to a thousand that are as dense."""

from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

import numpy as np

from bench._town import BATCH, FENCES, REACH_DEG, SEED, each_circle, figure, seconds, town
from geo.index import FenceSet

FEW, MANY = 1_000, 1_000_000
BATCHES, ROUNDS = 200, 15


def run() -> Iterator[dict[str, Any]]:
    """Matching in batches, per fix, in nanoseconds. Both take turns: other work touches both alike."""
    few, many = _rounds(FEW), _rounds(MANY)
    best = [float("inf")] * 2
    for _ in range(ROUNDS):
        best = [min(one, seconds(work, 1)) for one, work in zip(best, (few, many), strict=True)]
    few_ns, many_ns = (took_s / (BATCH * BATCHES) * 1e9 for took_s in best)
    yield figure("fence_scale", many_ns, "ns", (f"{FEW:,} fences", few_ns))


def _rounds(count: int) -> Callable[[], object]:
    """Matches all batches among so many fences."""
    random = np.random.default_rng(SEED)
    reach_deg = REACH_DEG * sqrt(count / FENCES)
    fences = FenceSet.build(each_circle(random, count, reach_deg=reach_deg))
    batches = [town(random, BATCH, reach_deg=reach_deg) for _ in range(BATCHES)]
    return lambda: [fences.match(*batch) for batch in batches]
