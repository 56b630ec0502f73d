"""How fast fences are matched, against shapely's tree in the same run.

Times are of this process's processor, the best of several rounds, since other work on the machine only ever
adds to them.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geo.engine import FixBatch, sense
from geo.fence import Circle, Fence
from geo.index import FenceSet
from geo.region import safe_region
from geo.transition import DeviceState, Rules

Points = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

LAT, LON, REACH_DEG = 60.17, 24.94, 0.09  #: a town of 20 km by 20 km
FENCES, BATCH, BATCHES = 10_000, 1_000, 50
SEED = 1


def town(random: np.random.Generator, count: int) -> Points:
    """Places all over the town."""
    return (
        LAT + random.uniform(-REACH_DEG, REACH_DEG, count),
        LON + 2 * random.uniform(-REACH_DEG, REACH_DEG, count),
    )


def circles(random: np.random.Generator) -> list[Fence]:
    """Circles of 50 to 150 m."""
    lat, lon = town(random, FENCES)
    radius = random.uniform(50, 150, FENCES)
    return [
        Fence(external_id=f"f{i}", store=f"s{i}", shape=Circle(lat_deg=a, lon_deg=b, radius_m=r))
        for i, (a, b, r) in enumerate(zip(lat.tolist(), lon.tolist(), radius.tolist(), strict=True))
    ]


def polygons(fences: list[Fence]) -> npt.NDArray[np.object_]:
    """The same circles as polygons of 24 corners, which is what shapely can index."""
    shapes = [fence.shape for fence in fences]
    found = [
        shapely.affinity.scale(
            shapely.Point(shape.lon_deg, shape.lat_deg).buffer(shape.radius_m / 111_400, quad_segs=6),
            2.0,
            1.0,
        )
        for shape in shapes
        if isinstance(shape, Circle)
    ]
    return np.array(found, dtype=object)


def seconds(work: Callable[[], object], rounds: int = 30) -> float:
    """The processor time of the fastest of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def walk(random: np.random.Generator) -> Iterator[FixBatch]:
    """A thousand walkers, a fix of each every ten seconds."""
    lat, lon = town(random, BATCH)
    heading = random.uniform(0, 2 * np.pi, BATCH)
    for step in range(BATCHES):
        yield FixBatch(
            device=np.arange(BATCH, dtype=np.int32),
            lat_deg=lat + np.cos(heading) * step * 14 / 111_400,
            lon_deg=lon + np.sin(heading) * step * 14 / 55_500,
            fixed_at_us=np.full(BATCH, step * 10_000_000),
            accuracy_m=np.full(BATCH, 10.0),
            speed_mps=np.full(BATCH, np.nan),
        )


def follow(batches: list[FixBatch], fences: FenceSet, rules: Rules) -> None:
    """Runs walkers through the engine."""
    states = [DeviceState()] * BATCH
    for batch in batches:
        states = [sensed.state for sensed in sense(states, batch, fences, rules)]


def figure(name: str, value: float, unit: str, baseline: tuple[str, float] | None = None) -> dict[str, Any]:
    """One figure, maybe with what it is to be compared to."""
    told: dict[str, Any] = {"name": name, "value": round(value, 3), "unit": unit}
    if baseline is not None:
        told["baseline"] = {"name": baseline[0], "value": round(baseline[1], 3)}
    return told


def run() -> Iterator[dict[str, Any]]:
    """Runs all of it; takes about half a minute."""
    random = np.random.default_rng(SEED)
    fences, batches = circles(random), [town(random, BATCH) for _ in range(BATCHES)]
    areas = polygons(fences)
    shapely.prepare(areas)
    index, tree = FenceSet.build(fences), shapely.STRtree(areas)

    def by_tree() -> None:
        for lat, lon in batches:
            point, area = tree.query(shapely.points(lon, lat))
            shapely.contains_xy(areas[area], lon[point], lat[point])

    fixes = BATCH * BATCHES
    ours = seconds(lambda: [index.match(lat, lon) for lat, lon in batches])
    baseline = ("STRtree.query + contains_xy", fixes / seconds(by_tree, 5))
    yield figure("match_only", fixes / ours, "fixes/s", baseline)
    yield from one_by_one(index, tree, batches[0])
    yield figure("index_build", seconds(lambda: FenceSet.build(fences), 5), "s")
    walked = list(walk(random))
    for mode in ("exact", "accurate"):
        rules = Rules(mode=mode)  # type: ignore[arg-type]
        took_s = seconds(lambda r=rules: follow(walked, index, r), 3)  # type: ignore[misc]
        yield figure(f"sense_{mode}", fixes / took_s, "fixes/s")


def one_by_one(index: FenceSet, tree: shapely.STRtree, places: Points) -> Iterator[dict[str, Any]]:
    """What a single fix costs."""
    lat, lon = places
    singles = [(lat[i : i + 1], lon[i : i + 1]) for i in range(200)]
    points = [shapely.Point(b[0], a[0]) for a, b in singles]
    ours = seconds(lambda: [index.match(*single) for single in singles]) / len(singles)
    theirs = seconds(lambda: [tree.query(point) for point in points]) / len(singles)
    yield figure("match_single", ours * 1e6, "us", ("STRtree.query", theirs * 1e6))
    regions = seconds(lambda: [safe_region(float(a[0]), float(b[0]), index) for a, b in singles], 5)
    yield figure("safe_region", regions / len(singles) * 1e6, "us")
