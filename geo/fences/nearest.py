"""The fences whose boundaries are nearest to points, inside or outside of them."""

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import MEAN_RADIUS_M, FloatArray, IndexArray, point_earth_centred
from geo.fences.nearby import Nearby
from geo.fences.part import Part
from geo.fences.ranges import spread

TimeArray = npt.NDArray[np.int64]
Rows = tuple[IndexArray, IndexArray, FloatArray]  #: points, places, distances to the boundaries
_DIAMETER_M = 2 * MEAN_RADIUS_M


class Near(msgspec.Struct, frozen=True, gc=False, eq=False):
    """Fences near points, row by row: the points ascending, and the fences of each the nearest first."""

    point: IndexArray
    place: IndexArray
    gap_m: FloatArray  #: unsigned, to the boundary

    def only(self, rows: npt.NDArray[Any]) -> "Near":
        """Some of the rows."""
        return Near(self.point[rows], self.place[rows], self.gap_m[rows])


_NOTHING = Near(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0))


class Wanted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is looked for: the `count` fences nearest to each of some points, `within_m` at most."""

    lat_deg: list[float]
    lon_deg: list[float]
    count: int
    within_m: float
    from_us: TimeArray | None = None  #: by point: only fences that are valid at some time from then …
    until_us: TimeArray | None = None  #: … to then


class Source(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where it is looked for."""

    part: Part
    first: int  #: the place that its first fence has in the set
    alive: npt.NDArray[np.bool_] | None  #: which of its fences still count; None: all
    temporary: bool  #: whether any of them has a begin or an end


def nearest(sources: Iterable[Source], wanted: Wanted) -> Near:
    """The nearest fences. All that are as near as the last one are told, so maybe more."""
    here = np.array(list(map(point_earth_centred, wanted.lat_deg, wanted.lon_deg)))
    found, within_m = _NOTHING, np.full(len(here), wanted.within_m)
    for source in sources:
        for level in source.part.levels:
            near, near_m = _of_level(source, level.nearby, wanted, here, within_m)
            if not len(found.point):
                found, within_m = near, near_m
            elif len(near.point):
                found, within_m = _nearest(_joined([found, near]), wanted.count, within_m)
    return found


def _of_level(
    source: Source, nearby: Nearby, wanted: Wanted, here: FloatArray, within_m: FloatArray
) -> tuple[Near, FloatArray]:
    """The nearest fences of one level, and by point up to which distance there are no others."""
    furthest_m = within_m + nearby.radius_m
    reach_m = np.minimum(nearby.usual_reach_m, furthest_m)
    left, done, done_m = np.arange(len(here)), [], within_m.copy()
    while len(left):
        looked = [
            (point, *run)
            for point, far_m in zip(left.tolist(), reach_m[left].tolist(), strict=True)
            for run in nearby.runs(wanted.lat_deg[point], wanted.lon_deg[point], far_m)
        ]
        near, near_m = _nearest(_measured(source, looked, wanted, here, within_m), wanted.count, within_m)
        ready = reach_m >= near_m + nearby.radius_m
        finished = left[ready[left]]
        done_m[finished] = near_m[finished]
        done.append(near if len(finished) == len(left) else near.only(ready[near.point]))
        left = left[~ready[left]]
        if len(left):
            # Whatever is nearer than what was found lies within this; if not enough was, look further.
            enough = np.bincount(near.point, minlength=len(here)) >= wanted.count
            further_m = np.minimum(2 * reach_m, furthest_m)
            reach_m = np.where(enough, near_m + nearby.radius_m, further_m)
    return _joined(done), done_m


def _joined(parts: list[Near]) -> Near:
    """All of these, the fences of each point the nearest first."""
    if len(parts) == 1:
        return parts[0]
    point, place, gap_m = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("point", "place", "gap_m")
    )
    return Near(point, place, gap_m).only(np.lexsort((gap_m, point)))


def _nearest(near: Near, count: int, within_m: FloatArray) -> tuple[Near, FloatArray]:
    """By point the `count` nearest of some fences, and up to which distance there are no others."""
    near = near.only(np.lexsort((near.gap_m, near.point)))
    within_m = np.minimum(within_m, _nth(near.point, near.gap_m, count, len(within_m)))
    return near.only(near.gap_m <= within_m[near.point]), within_m


def _nth(point: IndexArray, ascending: FloatArray, count: int, points: int) -> FloatArray:
    """By point the last of the first `count` values; infinite where there are fewer."""
    first = point.searchsorted(np.arange(points + 1))
    enough = (first[1:] - first[:-1] >= count).nonzero()[0]
    found = np.full(points, np.inf)
    found[enough] = ascending[first[enough] + count - 1]
    return found


def _measured(
    source: Source,
    looked: list[tuple[int, int, int]],
    wanted: Wanted,
    here: FloatArray,
    within_m: FloatArray,
) -> Near:
    """How far the boundaries of the fences in some runs are from points; areas too far away are left out."""
    if not looked:
        return _NOTHING
    part = source.part
    whose, begin, end = np.array(looked, np.int32).T
    of, place = spread(begin, end - begin)
    point, circle = whose[of], part.discs.globe.take(place, axis=0)
    counted = _counted(source, point, place, wanted)
    if counted is not None:
        point, place, circle = point[counted], place[counted], circle[counted]
    radius_m = circle[:, 3]
    way = circle[:, :3] - here[point]
    off_m = np.sqrt(np.vecdot(way, way))
    off_m /= _DIAMETER_M
    np.arcsin(np.minimum(off_m, 1.0, out=off_m), out=off_m)
    off_m *= _DIAMETER_M
    gap_m = off_m - radius_m
    if part.columns.areas:
        point, place, gap_m = _with_areas(source, (point, place, gap_m), off_m, radius_m, wanted, within_m)
    place += np.int32(source.first)
    return Near(point, place, np.abs(gap_m, out=gap_m))


def _counted(
    source: Source, point: IndexArray, place: IndexArray, wanted: Wanted
) -> npt.NDArray[np.bool_] | None:
    """Which of some fences count at all; None: all of them."""
    counted = None if source.alive is None else source.alive[place]
    if not source.temporary or wanted.from_us is None or wanted.until_us is None:
        return counted
    columns = source.part.columns
    valid = columns.from_us[place] <= wanted.until_us[point]
    valid &= columns.until_us[place] > wanted.from_us[point]
    return valid if counted is None else counted & valid


def _with_areas(  # noqa: PLR0917 - columns of one table
    source: Source,
    rows: Rows,
    off_m: FloatArray,
    radius_m: FloatArray,
    wanted: Wanted,
    within_m: FloatArray,
) -> Rows:
    """The same rows with the true distances of areas. So far the circles around them were measured."""
    columns, (point, place, gap_m) = source.part.columns, rows
    area = columns.area[place]
    polygon = area >= 0
    # An area's boundary is no nearer than the circle around it, or anywhere inside of that.
    gap_m = np.where(polygon, np.maximum(gap_m, 0.0), np.abs(gap_m))
    most_m = np.where(polygon, off_m + radius_m, gap_m)
    order = np.lexsort((most_m, point))
    within_m = np.minimum(within_m, _nth(point[order], most_m[order], wanted.count, len(within_m)))
    kept = np.flatnonzero(gap_m <= within_m[point])
    point, place, gap_m, area = point[kept], place[kept], gap_m[kept], area[kept]
    exact = np.flatnonzero(area >= 0)
    at = point[exact]
    lat_deg, lon_deg = np.array(wanted.lat_deg)[at], np.array(wanted.lon_deg)[at]
    gap_m[exact] = source.part.gap_m(lat_deg, lon_deg, place[exact])
    return point, place, gap_m
