"""What one fix alone costs, as when a phone pings and nobody else does: matching without arrays.

Compared to one `STRtree.query` of a point in the same run, which finds bounding boxes only.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import shapely

from bench._town import SEED, circles, figure, polygons, seconds, town, with_areas
from geo.index import FenceSet

FIXES = 200


def match_all(index: FenceSet, places: list[tuple[float, float]]) -> None:
    """Matches places one by one."""
    for place in places:
        index.match_one(*place, 0)


def run() -> Iterator[dict[str, Any]]:
    """One fix against 10,000 circles, the same with a fifth of them polygons, and its nearest 20 fences."""
    random = np.random.default_rng(SEED)
    fences = circles(random)
    lat, lon = (column.tolist() for column in town(random, FIXES))
    tree = shapely.STRtree(polygons(fences))
    points = [shapely.Point(east, north) for north, east in zip(lat, lon, strict=True)]
    by_tree = ("STRtree.query", seconds(lambda: [tree.query(point) for point in points]) / FIXES * 1e6)
    for name, kept in (
        ("single_fix", fences),
        ("single_fix_mixed", with_areas(random, fences, 0.2, (12, 500))),
    ):
        took_s = seconds(partial(match_all, FenceSet.build(kept), list(zip(lat, lon, strict=True))))
        yield figure(name, took_s / FIXES * 1e6, "us", by_tree)
    index = FenceSet.build(fences)
    took_s = seconds(lambda: [index.nearest(*at, 20) for at in zip(lat, lon, strict=True)])
    yield figure("nearest_20", took_s / FIXES * 1e6, "us", by_tree)
