"""How long a retailer with a million geofences waits for an edit of one, and for its edits to be folded in.

An edit is on the way of everybody's fixes, a fold is not: it runs in a thread, for the next publication.
"""

from collections.abc import Iterator
from math import sqrt
from typing import Any

import msgspec
import numpy as np

from bench._town import FENCES, REACH_DEG, SEED, each_circle, figure, seconds
from geo.index import WORTH_FOLDING, FenceSet

MANY = 1_000_000


def run() -> Iterator[dict[str, Any]]:
    """An edit of an untouched set, one of a set that is due to be folded, and the fold."""
    random = np.random.default_rng(SEED)
    fences = FenceSet.build(each_circle(random, MANY, reach_deg=REACH_DEG * sqrt(MANY / FENCES)))
    changed = [
        msgspec.structs.replace(fences.fence(place), dwell_s=5.0) for place in range(WORTH_FOLDING + 1)
    ]
    edited = fences.edited(changed, version=1)
    yield figure("fence_edit", _edit_ms(fences), "ms")
    yield figure("fence_edit_before_fold", _edit_ms(edited), "ms")
    yield figure("fence_fold", seconds(edited.folded, 2), "s")


def _edit_ms(fences: FenceSet) -> float:
    fence = msgspec.structs.replace(fences.fence(7), dwell_s=7.0)
    return seconds(lambda: fences.edited([fence], ["f8"], version=2), 5) * 1e3
