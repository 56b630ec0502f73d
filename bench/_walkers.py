"""A thousand walkers through the made-up town, matched and judged, against shapely's tree on the same fixes.

Rounds of both take turns and of every batch the fastest round counts, so that other work on the machine
touches both alike, and as little as possible. Times are of this thread's processor.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import shapely

from bench._town import BATCH, LAT, figure, polygons, town
from geo.engine import FixBatch, Fleet, sense
from geo.fence import Fence
from geo.index import FenceSet
from geo.transition import Rules

BATCHES, ROUNDS = 120, 6
STEP_S, PACE_MPS = 10, 1.4  #: a fix of each walker every ten seconds


def walk(random: np.random.Generator) -> Iterator[FixBatch]:
    """The walkers' fixes, a batch a step, each on a straight way of its own."""
    lat, lon = town(random, BATCH)
    heading = random.uniform(0, 2 * np.pi, BATCH)
    north_deg = np.cos(heading) * STEP_S * PACE_MPS / 111_400
    east_deg = np.sin(heading) * STEP_S * PACE_MPS / (111_400 * np.cos(np.radians(LAT)))
    for step in range(BATCHES):
        yield FixBatch(
            device=np.arange(BATCH, dtype=np.int32),
            lat_deg=lat + north_deg * step,
            lon_deg=lon + east_deg * step,
            fixed_at_us=np.full(BATCH, step * STEP_S * 1_000_000),
            accuracy_m=np.full(BATCH, 10.0),
            speed_mps=np.full(BATCH, np.nan),
        )


def compare(
    name: str, fences: Sequence[Fence], mode: str, random: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Fixes a second through matching and transitions, beside those through shapely alone."""
    batches, index = list(walk(random)), FenceSet.build(fences)
    areas = polygons(fences)
    shapely.prepare(areas)
    tree = shapely.STRtree(areas)
    rules = Rules(mode=mode)  # type: ignore[arg-type]
    ours, theirs = np.full(BATCHES, np.inf), np.full(BATCHES, np.inf)
    for _ in range(ROUNDS):
        fleet = Fleet(index.roll)
        for walker in range(BATCH):
            fleet.add(str(walker))
        for step, batch in enumerate(batches):
            began = time.thread_time()
            sense(fleet, batch, index, rules)
            judged = time.thread_time()
            point, area = tree.query(shapely.points(batch.lon_deg, batch.lat_deg))
            shapely.contains_xy(areas[area], batch.lon_deg[point], batch.lat_deg[point])
            ours[step] = min(ours[step], judged - began)
            theirs[step] = min(theirs[step], time.thread_time() - judged)
    baseline = "STRtree.query + contains_xy", BATCH * BATCHES / float(theirs.sum())
    yield figure(name, BATCH * BATCHES / float(ours.sum()), "fixes/s", baseline)
