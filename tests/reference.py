"""What the transitions of a trace truly are, by brute force: the answer that the engine is held against.

Nothing here is shared with the engine. A circle is judged by one geodesic of geographiclib for each fix and
fence, an area by one `shapely.covers`; visits come from a plain loop. The only short cut is a box around each
fence, generous enough that no fix outside it can lie inside the fence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from geographiclib.geodesic import Geodesic

#: A degree of latitude is nowhere shorter than this on WGS84 (110,574 m at the equator).
LEAST_METRES_A_DEGREE = 110_000


class Circle(NamedTuple):
    name: str
    lat: float
    lon: float
    radius_m: float
    dwell_s: float


class Area(NamedTuple):
    name: str
    geometry: shapely.Polygon | shapely.MultiPolygon
    dwell_s: float


class Point(NamedTuple):
    """One fix; `at_us` is microseconds since the epoch."""

    at_us: int
    lat: float
    lon: float


class Seen(NamedTuple):
    """One transition: `at_us` is the fix's time, or the moment the dwell was reached."""

    device: str
    geofence: str
    event: str
    at_us: int
    lat: float  #: where the device was seen: at the enter, at the exit, last before the dwell was due
    lon: float


class Reference(NamedTuple):
    """The transitions, and how much was compared to find them."""

    transitions: list[Seen]
    fixes: int
    fences: int
    checks: int  #: exact judgements made; the box spared the rest


def reference(
    traces: Mapping[str, Sequence[Point]], circles: Sequence[Circle] = (), areas: Sequence[Area] = ()
) -> Reference:
    """The transitions of every device at every fence, in no particular order."""
    transitions: list[Seen] = []
    checks = fixes = 0
    for device, points in traces.items():
        track = _sorted(points)
        fixes += len(track)
        lat = np.array([point.lat for point in track])
        lon = np.array([point.lon for point in track])
        fences: list[Circle | Area] = [*circles, *areas]
        for fence in fences:
            near = _in_box(fence, lat, lon)
            inside = {index for index in near if _inside(fence, track[index])}
            checks += len(near)
            for event, at_us, seen in _visits(track, inside, fence.dwell_s):
                transitions.append(Seen(device, fence.name, event, at_us, seen.lat, seen.lon))
    return Reference(transitions, fixes, len(circles) + len(areas), checks)


def _sorted(points: Sequence[Point]) -> list[Point]:
    """By time; of equal times the first."""
    first: dict[int, Point] = {}
    for point in points:
        first.setdefault(point.at_us, point)
    return [first[at_us] for at_us in sorted(first)]


def _inside(fence: Circle | Area, point: Point) -> bool:
    """The boundary counts as inside."""
    if isinstance(fence, Circle):
        line = Geodesic.WGS84.Inverse(fence.lat, fence.lon, point.lat, point.lon, Geodesic.DISTANCE)
        return bool(line["s12"] <= fence.radius_m)
    return bool(shapely.covers(fence.geometry, shapely.Point(point.lon, point.lat)))


def _visits(track: Sequence[Point], inside: set[int], dwell_s: float) -> Iterator[tuple[str, int, Point]]:
    """Enter, dwell and exit of one device at one fence; a track that ends inside gets no exit.

    A dwell needs no fix of its own, only that time went on: it is told when any later fix comes, also the one
    that ends the visit, and is dated to the moment it was due.
    """
    dwell_us = round(dwell_s * 1_000_000)
    entered_at_us: int | None = None
    dwelled = False
    seen = track[0]
    # Only a fix inside, or the first one after it, can change anything.
    for index in sorted(inside | {index + 1 for index in inside if index + 1 < len(track)}):
        now = track[index]
        if index in inside and entered_at_us is None:
            entered_at_us, dwelled, seen = now.at_us, False, now
            yield "enter", now.at_us, now
        if entered_at_us is not None and not dwelled and now.at_us >= entered_at_us + dwell_us:
            dwelled = True
            yield "dwell", entered_at_us + dwell_us, seen
        if index not in inside and entered_at_us is not None:
            entered_at_us = None
            yield "exit", now.at_us, now
        seen = now


def _in_box(fence: Circle | Area, lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64]) -> list[int]:
    """The fixes that might be inside: those of a box around the fence, a tenth too large for a circle."""
    if isinstance(fence, Area):
        west, south, east, north = fence.geometry.bounds
        box = (lat >= south) & (lat <= north) & (lon >= west) & (lon <= east)
    else:
        height = 1.1 * fence.radius_m / LEAST_METRES_A_DEGREE
        width = height / math.cos(math.radians(min(89.0, abs(fence.lat) + height)))
        eastward = (lon - fence.lon + 180) % 360 - 180  # degrees from the centre, across the antimeridian too
        box = (abs(lat - fence.lat) <= height) & (abs(eastward) <= width)
    return [int(index) for index in np.flatnonzero(box)]
