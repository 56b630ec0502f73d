"""Walks on a flat map for the tests of motion: sightings given in metres and seconds."""

import math
from collections.abc import Iterable

from geo.fence import Circle, Fence
from geo.fix import SECOND_US
from geo.plane import Plane
from geo.transition import Sighting

LAT, LON = 60.17, 24.94
BEGIN_US = 1_700_000_000 * SECOND_US


def at(
    second: float,
    east_m: float = 0.0,
    north_m: float = 0.0,
    *,
    accuracy_m: float | None = 10.0,
    speed_mps: float | None = None,
    around: tuple[float, float] = (LAT, LON),
) -> Sighting:
    """A sighting so many metres east and north of a place."""
    lat, lon = Plane.at(*around).degrees(east_m, north_m)
    return Sighting(
        at_us=BEGIN_US + round(second * SECOND_US),
        lat_deg=lat,
        lon_deg=lon,
        accuracy_m=accuracy_m,
        speed_mps=speed_mps,
    )


def walk(
    seconds: Iterable[float],
    speed_mps: float,
    course_deg: float = 0.0,
    *,
    accuracy_m: float | None = 10.0,
    around: tuple[float, float] = (LAT, LON),
) -> list[Sighting]:
    """A straight walk through the place at second 0."""
    east, north = math.sin(math.radians(course_deg)), math.cos(math.radians(course_deg))
    ways = ((second, speed_mps * second) for second in seconds)
    return [
        at(second, way_m * east, way_m * north, accuracy_m=accuracy_m, around=around)
        for second, way_m in ways
    ]


def circle(
    external_id: str,
    east_m: float,
    north_m: float,
    radius_m: float,
    *,
    around: tuple[float, float] = (LAT, LON),
    **more: int,
) -> Fence:
    """A circle so many metres east and north of a place."""
    lat, lon = Plane.at(*around).degrees(east_m, north_m)
    shape = Circle(lat_deg=lat, lon_deg=lon, radius_m=radius_m)
    return Fence(external_id=external_id, store="s", shape=shape, **more)
