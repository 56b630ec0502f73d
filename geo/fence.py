"""Geofences: a circle or an area around a store.

A circle is the set of points whose geodesic distance from its centre is at most the radius. An area is a
polygon, with holes perhaps, or several, its edges straight in longitude and latitude (RFC 7946, section
3.1.1). The boundary belongs to both.
"""

from functools import cached_property
from typing import TypeAlias

import msgspec
import numpy as np
import shapely

from geo.distance import distance_m
from geo.edges import Edges

MIN_RADIUS_M, MAX_RADIUS_M = 10.0, 10_000.0
DEFAULT_DWELL_S = 60.0


class Circle(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All points within `radius_m` of a centre."""

    lat_deg: float
    lon_deg: float
    radius_m: float  #: 10 to 10,000 m


class Area(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A polygon or several, in degrees: x is longitude, y is latitude. Never crosses the antimeridian."""

    geometry: shapely.Polygon | shapely.MultiPolygon

    @cached_property
    def edges(self) -> Edges:
        """The edges of all rings."""
        return Edges.of([self.geometry])

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """South, west, north, east. East exceeds 180 for a shape that was cut in two at the antimeridian."""
        south, north = self.geometry.bounds[1], self.geometry.bounds[3]
        sides = [(part.bounds[0], part.bounds[2]) for part in shapely.get_parts(self.geometry)]
        turned = [(west + 360, east + 360) if east <= 0 else (west, east) for west, east in sides]
        west, east = min((_span(sides), _span(turned)), key=lambda span: span[1] - span[0])
        return south, west, north, east

    @cached_property
    def bounding_circle(self) -> Circle:
        """A circle, not the smallest, that holds the whole area (its radius may exceed a circle fence's)."""
        south, west, north, east = self.bounds
        lat, lon = (south + north) / 2, (west + east) / 2
        lon = lon - 360 if lon > 180 else lon
        corners = shapely.get_coordinates(self.geometry)
        reach_m = distance_m(lat, lon, corners[:, 1], corners[:, 0])
        return Circle(lat_deg=lat, lon_deg=lon, radius_m=float(reach_m.max()) * 1.001)


def _span(sides: list[tuple[float, float]]) -> tuple[float, float]:
    return min(west for west, _ in sides), max(east for _, east in sides)


Shape: TypeAlias = Circle | Area


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """A geofence of a store."""

    external_id: str  #: the retailer's own name for it
    store: str  #: external id of the store it belongs to
    shape: Shape
    name: str = ""
    dwell_s: float = DEFAULT_DWELL_S  #: a visit dwells when it has lasted this long
    enabled: bool = True  #: a disabled fence matches nothing
    valid_from_us: int | None = None  #: a temporary fence matches nothing before this time …
    valid_until_us: int | None = None  #: … nor from this time on

    def contains(self, lat_deg: float, lon_deg: float) -> bool:
        """Whether a point lies inside or on the boundary."""
        shape = self.shape
        if isinstance(shape, Circle):
            return distance_m(shape.lat_deg, shape.lon_deg, lat_deg, lon_deg) <= shape.radius_m
        return bool(shapely.intersects_xy(shape.geometry, lon_deg, lat_deg))

    def boundary_distance_m(self, lat_deg: float, lon_deg: float) -> float:
        """Metres to the boundary: negative inside, positive outside.

        Exact for a circle; for an area measured in the plane that touches the Earth at the point, which is
        exact near and 0.1 % off at 5 km in middle latitudes.
        """
        shape = self.shape
        if isinstance(shape, Circle):
            return distance_m(shape.lat_deg, shape.lon_deg, lat_deg, lon_deg) - shape.radius_m
        to_edge_m = float(shape.edges.distance_m(np.array([lat_deg]), np.array([lon_deg]), np.array([0]))[0])
        return -to_edge_m if self.contains(lat_deg, lon_deg) else to_edge_m

    def distance_m(self, lat_deg: float, lon_deg: float) -> float:
        """Metres to the fence; 0 inside."""
        return max(0.0, self.boundary_distance_m(lat_deg, lon_deg))
