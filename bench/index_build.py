"""How long fences take to be indexed.

Compared to what shapely needs for the same circles as polygons of 24 corners: the tree and the preparation of
each for exact checks, the polygons being at hand (making them of the circles takes several times as long).
Ours starts from `Fence` objects and ends with all that matching, probabilities and nearest fences need.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely

from bench._town import SEED, circles, figure, polygons, seconds, with_areas
from geo.index import FenceSet

COUNTS = (10_000, 100_000)


def run() -> Iterator[dict[str, Any]]:
    """Circles, then circles with a fifth of them polygons of 12 to 500 corners."""
    random = np.random.default_rng(SEED)
    for count in COUNTS:
        fences = circles(random, count)
        ours = seconds(lambda made=fences: FenceSet.build(made), 5)  # type: ignore[misc]
        yield figure(f"index_build_{count}", ours, "s", ("STRtree + prepare", _by_shapely(polygons(fences))))
    mixed = with_areas(random, circles(random), 0.2, (12, 500))
    ours = seconds(lambda: FenceSet.build(mixed), 3)
    yield figure("index_build_mixed", ours, "s", ("STRtree + prepare", _by_shapely(polygons(mixed))))


def _by_shapely(areas: "np.ndarray[Any, Any]") -> float:
    """The best of some times; each is of new polygons, since a polygon is prepared once."""
    written, best = shapely.to_wkb(areas), float("inf")
    for _ in range(5):
        fresh = shapely.from_wkb(written)
        began = time.process_time()
        shapely.prepare(fresh)
        shapely.STRtree(fresh)
        best = min(best, time.process_time() - began)
    return best
