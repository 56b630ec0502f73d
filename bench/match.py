"""Matching and transitions of micro-batches of 1,000 fixes among 10,000 circles in a town.

`match` is the exact mode, which does what the baseline does and keeps visits besides; `match_accurate` judges
by accuracy as the server does; `match_only` leaves the transitions away.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely

from bench._town import BATCH, BATCHES, SEED, by_tree, circles, figure, polygons, seconds, town
from bench._walkers import compare
from geo.index import FenceSet


def run() -> Iterator[dict[str, Any]]:
    """Runs all of it; takes some half a minute."""
    random = np.random.default_rng(SEED)
    fences = circles(random)
    yield from compare("match", fences, "exact", random)
    yield from compare("match_accurate", fences, "accurate", random)
    index, batches, areas = (
        FenceSet.build(fences),
        [town(random, BATCH) for _ in range(BATCHES)],
        polygons(fences),
    )
    shapely.prepare(areas)
    tree = shapely.STRtree(areas)
    ours = seconds(lambda: [index.match(lat, lon) for lat, lon in batches])
    theirs = seconds(lambda: by_tree(tree, areas, batches), 5)
    fixes = BATCH * BATCHES
    yield figure("match_only", fixes / ours, "fixes/s", ("STRtree.query + contains_xy", fixes / theirs))
