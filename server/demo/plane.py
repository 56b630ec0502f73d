"""A flat map of the town: metres east and north of its middle.

Good to a few centimetres over the two kilometres of the demo, which is all it is for; the engine itself
measures on the ellipsoid.
"""

import math
from typing import Final, NamedTuple

import msgspec

# WGS84: semi-major axis in metres and first eccentricity squared.
_A_M: Final = 6_378_137.0
_E2: Final = 0.006_694_379_990_14


class Spot(NamedTuple):
    """A point of the flat map, metres east and north of its origin."""

    east_m: float
    north_m: float


class Plane(msgspec.Struct, frozen=True, kw_only=True):
    """The tangent plane at an origin, by the ellipsoid's two radii of curvature there."""

    lat_deg: float
    lon_deg: float

    def spot(self, lat_deg: float, lon_deg: float) -> Spot:
        """Where a place lies on the flat map."""
        east_m, north_m = self._metres_per_degree()
        return Spot((lon_deg - self.lon_deg) * east_m, (lat_deg - self.lat_deg) * north_m)

    def place(self, spot: Spot) -> tuple[float, float]:
        """The latitude and longitude of a spot, degrees."""
        east_m, north_m = self._metres_per_degree()
        return self.lat_deg + spot.north_m / north_m, self.lon_deg + spot.east_m / east_m

    def _metres_per_degree(self) -> tuple[float, float]:
        lat = math.radians(self.lat_deg)
        flat = 1.0 - _E2 * math.sin(lat) ** 2
        meridian_m = _A_M * (1.0 - _E2) / flat**1.5
        parallel_m = _A_M / math.sqrt(flat) * math.cos(lat)
        return math.radians(parallel_m), math.radians(meridian_m)


def distance_m(one: Spot, other: Spot) -> float:
    """Straight-line distance."""
    return math.hypot(one.east_m - other.east_m, one.north_m - other.north_m)


def course_deg(start: Spot, end: Spot) -> float:
    """Direction from `start` to `end`, clockwise from north, 0 to 360."""
    return math.degrees(math.atan2(end.east_m - start.east_m, end.north_m - start.north_m)) % 360.0
