"""A thousand walkers through the made-up town, matched and judged, against shapely's tree on the same fixes.

The walkers go to and fro, as long as anything of theirs is remembered and longer: what is measured is a fleet
that forgets as much as it learns, clearing away included. Both judge every way in turn, so that other work on
the machine touches both alike; the fastest way of each counts. Times are of this thread's processor.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import shapely

from bench._town import BATCH, LAT, figure, polygons, town
from geo.engine import FixBatch, Fleet, sense
from geo.fence import Fence
from geo.fix import SECOND_US
from geo.index import FenceSet
from geo.transition import Rules

BATCHES, WAYS = 120, 10
STEP_S, PACE_MPS = 10, 1.4  #: a fix of each walker every ten seconds
REMEMBERED = 2  #: ways, until as much is forgotten as is learned


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
            fixed_at_us=np.full(BATCH, step * STEP_S * SECOND_US),
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
    fleet, at_us = Fleet(index.roll), 0
    for walker in range(BATCH):
        fleet.add(str(walker))
    took_s = []
    for way in range(WAYS):
        began = time.thread_time()
        for batch in batches[:: -1 if way % 2 else 1]:
            at_us += STEP_S * SECOND_US
            sense(fleet, msgspec.structs.replace(batch, fixed_at_us=np.full(BATCH, at_us)), index, rules)
        judged = time.thread_time()
        for batch in batches:
            point, area = tree.query(shapely.points(batch.lon_deg, batch.lat_deg))
            shapely.contains_xy(areas[area], batch.lon_deg[point], batch.lat_deg[point])
        took_s.append((judged - began, time.thread_time() - judged))
    ours_s, theirs_s = (min(ways) for ways in zip(*took_s[REMEMBERED:], strict=True))
    baseline = "STRtree.query + contains_xy", BATCH * BATCHES / theirs_s
    yield figure(name, BATCH * BATCHES / ours_s, "fixes/s", baseline)
