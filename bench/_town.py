"""A made-up town for benchmarks: fences and fixes all over it, and how time is taken.

Times are of this process's processor, the best of several rounds, since other work on the machine only ever
adds to them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geo.fence import Area, Circle, Fence

Points = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

LAT, LON, REACH_DEG = 60.17, 24.94, 0.09  #: a town of 20 km by 20 km
FENCES, BATCH, BATCHES = 10_000, 1_000, 50
SEED = 1


def town(random: np.random.Generator, count: int, *, reach_deg: float = REACH_DEG) -> Points:
    """Places all over the town, or over one that reaches further."""
    return (
        LAT + random.uniform(-reach_deg, reach_deg, count),
        LON + 2 * random.uniform(-reach_deg, reach_deg, count),
    )


def circles(random: np.random.Generator, count: int = FENCES, *, reach_deg: float = REACH_DEG) -> list[Fence]:
    """Circles of 50 to 150 m."""
    return list(each_circle(random, count, reach_deg=reach_deg))


def each_circle(random: np.random.Generator, count: int, *, reach_deg: float = REACH_DEG) -> Iterator[Fence]:
    """The same one after the other, since a million of them as objects take more room than their index."""
    lat, lon = town(random, count, reach_deg=reach_deg)
    radius = random.uniform(50, 150, count)
    for i in range(count):
        circle = Circle(lat_deg=float(lat[i]), lon_deg=float(lon[i]), radius_m=float(radius[i]))
        yield Fence(external_id=f"geofence-{i:07}", store=f"store-{i:07}", shape=circle)


def with_areas(
    random: np.random.Generator, fences: Sequence[Fence], share: float, corners: tuple[int, int]
) -> list[Fence]:
    """Some of the circles as irregular polygons of their size, with so many corners."""
    made = []
    for fence in fences:
        shape = fence.shape
        if isinstance(shape, Circle) and random.random() < share:
            count = int(random.integers(*corners, endpoint=True))
            turn = np.sort(random.uniform(0, 2 * np.pi, count))
            waves = 1 + 0.25 * np.sin(3 * turn + random.uniform(0, 6)) + 0.02 * random.uniform(-1, 1, count)
            reach_deg = shape.radius_m / 111_400 * waves
            lon = shape.lon_deg + 2 * reach_deg * np.cos(turn)
            lat = shape.lat_deg + reach_deg * np.sin(turn)
            area = Area(geometry=shapely.Polygon(np.column_stack([lon, lat])))
            made.append(Fence(external_id=fence.external_id, store=fence.store, shape=area))
        else:
            made.append(fence)
    return made


def polygons(fences: Sequence[Fence]) -> npt.NDArray[np.object_]:
    """The fences as shapely can index them: circles as polygons of 24 corners."""
    found = [
        shapely.affinity.scale(
            shapely.Point(shape.lon_deg, shape.lat_deg).buffer(shape.radius_m / 111_400, quad_segs=6),
            2.0,
            1.0,
        )
        if isinstance(shape := fence.shape, Circle)
        else shape.geometry
        for fence in fences
    ]
    return np.array(found, dtype=object)


def by_tree(tree: shapely.STRtree, areas: npt.NDArray[np.object_], batches: Sequence[Points]) -> None:
    """What shapely does at its best: bulk queries, then the exact check against prepared polygons."""
    for lat, lon in batches:
        point, area = tree.query(shapely.points(lon, lat))
        shapely.contains_xy(areas[area], lon[point], lat[point])


def seconds(work: Callable[[], object], rounds: int = 30) -> float:
    """The processor time of the fastest of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def figure(name: str, value: float, unit: str, baseline: tuple[str, float] | None = None) -> dict[str, Any]:
    """One figure, maybe with what it is to be compared to."""
    told: dict[str, Any] = {"name": name, "value": round(value, 3), "unit": unit}
    if baseline is not None:
        told["baseline"] = {"name": baseline[0], "value": round(baseline[1], 3)}
    return told
