"""The fences whose boundaries are nearest to a point, inside or outside of them."""

from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import MEAN_RADIUS_M, FloatArray, IndexArray, point_earth_centred
from geo.fences.nearby import Nearby
from geo.fences.part import Part

Pairs = tuple[IndexArray, FloatArray]  #: places, and unsigned distances to the boundaries
_DIAMETER_M = 2 * MEAN_RADIUS_M
_NOTHING: Pairs = (np.empty(0, np.int32), np.empty(0))


class Wanted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is looked for: the `count` fences nearest to a point, `within_m` at most."""

    lat_deg: float
    lon_deg: float
    count: int
    within_m: float
    from_us: int | None = None  #: only fences that are valid at some time from then …
    until_us: int | None = None  #: … to then


class Source(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where it is looked for."""

    part: Part
    first: int  #: the place that its first fence has in the set
    alive: npt.NDArray[np.bool_] | None  #: which of its fences still count; None: all
    temporary: bool  #: whether any of them has a begin or an end


def nearest(sources: Iterable[Source], wanted: Wanted) -> Pairs:
    """The nearest fences, nearest first. All that are as near as the last one are told, so maybe more."""
    found, within_m = _NOTHING, wanted.within_m
    here = np.array(point_earth_centred(wanted.lat_deg, wanted.lon_deg))
    for source in sources:
        for level in source.part.levels:
            near, near_m = _of_level(source, level.nearby, wanted, here, within_m)
            if not len(found[0]):
                found, within_m = near, near_m
            elif len(near[0]):
                joined = np.concatenate([found[0], near[0]]), np.concatenate([found[1], near[1]])
                found, within_m = _nearest(joined, wanted.count, within_m)
    return found


def _of_level(
    source: Source, nearby: Nearby, wanted: Wanted, here: FloatArray, within_m: float
) -> tuple[Pairs, float]:
    """The nearest fences of one level, and up to which distance there are no others."""
    furthest_m = within_m + nearby.radius_m
    reach_m = min(nearby.usual_reach_m, furthest_m)
    while True:
        runs = nearby.runs(wanted.lat_deg, wanted.lon_deg, reach_m)
        near, near_m = _nearest(_measured(source, runs, wanted, here, within_m), wanted.count, within_m)
        if reach_m >= near_m + nearby.radius_m:
            return near, near_m
        # Whatever is nearer than what was found lies within this; if not enough was, look further.
        enough = len(near[0]) >= wanted.count
        reach_m = near_m + nearby.radius_m if enough else min(2 * reach_m, furthest_m)


def _nearest(pairs: Pairs, count: int, within_m: float) -> tuple[Pairs, float]:
    """Of some fences the `count` nearest, by distance, and up to which distance there are no others."""
    order = pairs[1].argsort()
    gap_m = pairs[1][order]
    if len(order) >= count:
        within_m = min(within_m, float(gap_m[count - 1]))
    last = int(gap_m.searchsorted(within_m, "right"))
    return (pairs[0][order[:last]], gap_m[:last]), within_m


def _measured(
    source: Source, runs: list[tuple[int, int]], wanted: Wanted, here: FloatArray, within_m: float
) -> Pairs:
    """The places of some runs and how far the boundaries are; areas that are too far away are left out."""
    if not runs:
        return _NOTHING
    part = source.part
    places, globe = part.places, part.discs.globe
    place = np.concatenate([places[begin:end] for begin, end in runs])
    circle = np.concatenate([globe[begin:end] for begin, end in runs])
    counted = _counted(source, place, wanted)
    if counted is not None:
        place, circle = place[counted], circle[counted]
    radius_m = circle[:, 3]
    way = circle[:, :3] - here
    off_m = np.sqrt(np.vecdot(way, way))
    off_m /= _DIAMETER_M
    np.arcsin(np.minimum(off_m, 1.0, out=off_m), out=off_m)
    off_m *= _DIAMETER_M
    gap_m = off_m - radius_m
    if part.columns.areas:
        place, gap_m = _with_areas(source, place, off_m, radius_m, gap_m, wanted, within_m)
    place += np.int32(source.first)
    return place, np.abs(gap_m, out=gap_m)


def _counted(source: Source, place: IndexArray, wanted: Wanted) -> npt.NDArray[np.bool_] | None:
    """Which of some fences count at all; None: all of them."""
    counted = None if source.alive is None else source.alive[place]
    if not source.temporary or wanted.from_us is None or wanted.until_us is None:
        return counted
    columns = source.part.columns
    valid = (columns.from_us[place] <= wanted.until_us) & (columns.until_us[place] > wanted.from_us)
    return valid if counted is None else counted & valid


def _with_areas(  # noqa: PLR0917 - columns of one table
    source: Source,
    place: IndexArray,
    off_m: FloatArray,
    radius_m: FloatArray,
    gap_m: FloatArray,
    wanted: Wanted,
    within_m: float,
) -> Pairs:
    """The same with the true distances of areas. So far the circles around them were measured."""
    columns = source.part.columns
    area = columns.area[place]
    polygon = area >= 0
    # An area's boundary is no nearer than the circle around it, or anywhere inside of that.
    gap_m = np.where(polygon, np.maximum(gap_m, 0.0), np.abs(gap_m))
    if len(place) > wanted.count:
        most_m = np.where(polygon, off_m + radius_m, gap_m)
        within_m = min(within_m, float(np.partition(most_m, wanted.count - 1)[wanted.count - 1]))
    kept = np.flatnonzero(gap_m <= within_m)
    place, gap_m, area = place[kept], gap_m[kept], area[kept]
    exact = np.flatnonzero(area >= 0)
    repeated = np.full(len(exact), wanted.lat_deg), np.full(len(exact), wanted.lon_deg)
    gap_m[exact] = source.part.gap_m(*repeated, place[exact])
    return place, gap_m
