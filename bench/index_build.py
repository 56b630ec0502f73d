"""How long fences take to be indexed.

Compared to what shapely needs for the same circles as polygons of 24 corners: the tree and the preparation of
each for exact checks, the polygons being at hand (making them of the circles takes several times as long).
Ours starts from `Fence` objects and ends with all that matching, probabilities and nearest fences need, but
for areas: like shapely, which prepares in earnest when a polygon is first asked, we draw an area when a point
first comes near it. `index_draw` is what that takes for all of them at once.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import shapely

from bench._town import SEED, circles, figure, polygons, seconds, with_areas
from geo.fence import Area, Fence
from geo.index import FenceSet

COUNTS = (10_000, 100_000)


def run() -> Iterator[dict[str, Any]]:
    """Circles; the same, a fifth of them polygons of 12 to 500 corners; what is put off, per polygon."""
    random = np.random.default_rng(SEED)
    for count in COUNTS:
        yield _built(f"index_build_{count}", circles(random, count))
    mixed = with_areas(random, circles(random), 0.2, (12, 500))
    yield _built("index_build_mixed", mixed)
    areas = [fence for fence in mixed if isinstance(fence.shape, Area)]
    middles = [
        fence.shape.geometry.representative_point() for fence in areas if isinstance(fence.shape, Area)
    ]
    lat, lon = (np.array([getattr(middle, axis) for middle in middles]) for axis in ("y", "x"))
    best = float("inf")
    for _ in range(3):
        index = FenceSet.build(areas)
        best = min(best, seconds(partial(index.match, lat, lon), 1))
    yield figure("index_draw", best / len(areas) * 1e6, "us")


def _built(name: str, fences: Sequence[Fence]) -> dict[str, Any]:
    ours = seconds(partial(FenceSet.build, fences), 10)
    return figure(name, ours * 1e3, "ms", ("STRtree + prepare", _by_shapely(polygons(fences)) * 1e3))


def _by_shapely(areas: "np.ndarray[Any, Any]") -> float:
    """The best of some times; each is of new polygons, since a polygon is prepared once."""
    written, best = shapely.to_wkb(areas), float("inf")
    for _ in range(10):
        fresh = shapely.from_wkb(written)
        began = time.process_time()
        shapely.prepare(fresh)
        shapely.STRtree(fresh)
        best = min(best, time.process_time() - began)
    return best
