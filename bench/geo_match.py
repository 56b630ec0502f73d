"""How fast fences are matched, against shapely's tree in the same run: `python -m bench.geo_match`.

Prints one JSON object a line. Times are of this process's processor, the best of several rounds, since other
work on the machine only ever adds to them. Compare ratios; absolute figures depend on the machine.
"""

import json
import platform
import time
from collections.abc import Callable, Iterator

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


def report(name: str, value: float, unit: str, baseline: tuple[str, float] | None = None) -> None:
    """One line; the ratio is of the value to its baseline."""
    line: dict[str, object] = {"name": name, "value": round(value, 3), "unit": unit}
    if baseline is not None:
        line["baseline"] = {"name": baseline[0], "value": round(baseline[1], 3)}
        line["ratio"] = round(value / baseline[1], 2)
    print(json.dumps({**line, "machine": platform.machine()}))


def main() -> None:
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
    report("match", fixes / ours, "fixes/s", ("STRtree.query + contains_xy", fixes / seconds(by_tree, 5)))

    lat, lon = batches[0]
    singles = [(lat[i : i + 1], lon[i : i + 1]) for i in range(200)]
    ours = seconds(lambda: [index.match(*single) for single in singles]) / len(singles)
    points = [shapely.Point(b[0], a[0]) for a, b in singles]
    theirs = seconds(lambda: [tree.query(point) for point in points]) / len(singles)
    report("single_fix", ours * 1e6, "us", ("STRtree.query", theirs * 1e6))

    report("index_build", seconds(lambda: FenceSet.build(fences), 5), "s")
    regions = seconds(lambda: [safe_region(float(a[0]), float(b[0]), index) for a, b in singles], 5)
    report("safe_region", regions / len(singles) * 1e6, "us")
    walked = list(walk(random))
    for mode in ("exact", "accurate"):
        rules = Rules(mode=mode)  # type: ignore[arg-type]
        report(f"sense_{mode}", fixes / seconds(lambda r=rules: follow(walked, index, r), 3), "fixes/s")  # type: ignore[misc]


if __name__ == "__main__":
    main()
