"""A fence's shape on the plane around its middle, where areas, overlaps and new outlines are worked out."""

from typing import TypeAlias

import msgspec
import numpy as np
import shapely

from geo.distance import FloatArray, distance_m
from geo.fence import Area, Circle, Shape
from geo.plane import Plane

#: A shape on a plane.
Flat: TypeAlias = shapely.Polygon | shapely.MultiPolygon

#: A circle is drawn with so many corners in a quarter of it, and is then 0.2 % too small.
_CORNERS = 16


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of a fence on a plane of its own."""

    plane: Plane
    shape: Flat
    circle: Circle  #: the fence itself, or the circle around its area
    is_circle: bool
    depth_m: float  #: the radius; of an area, the longest way from a point of it to its boundary
    area_m2: float

    @classmethod
    def of(cls, shape: Shape) -> "Outline":
        """The outline of a circle or an area."""
        circle = shape if isinstance(shape, Circle) else shape.bounding_circle
        plane = Plane.at(circle.lat_deg, circle.lon_deg)
        if isinstance(shape, Circle):
            disc = shapely.Point(0, 0).buffer(shape.radius_m, quad_segs=_CORNERS)
            depth_m, area_m2 = shape.radius_m, float(np.pi) * shape.radius_m**2
            return cls(
                plane=plane, shape=disc, circle=circle, is_circle=True, depth_m=depth_m, area_m2=area_m2
            )
        flat = shapely.transform(shape.geometry, lambda lon_lat: _metres(plane, lon_lat))
        shapely.prepare(flat)
        return cls(
            plane=plane,
            shape=flat,
            circle=circle,
            is_circle=False,
            depth_m=shapely.maximum_inscribed_circle(flat).length,
            area_m2=flat.area,
        )

    def outside_m(self, lat_deg: FloatArray, lon_deg: FloatArray) -> FloatArray:
        """Metres from each position to the boundary: negative inside, positive outside."""
        circle = self.circle
        if self.is_circle:
            return distance_m(circle.lat_deg, circle.lon_deg, lat_deg, lon_deg) - circle.radius_m
        points = shapely.points(self.metres(lat_deg, lon_deg))
        boundary = shapely.boundary(self.shape)
        shapely.prepare(boundary)
        gap_m = shapely.distance(boundary, points)
        return np.where(shapely.intersects(self.shape, points), -gap_m, gap_m)

    def metres(self, lat_deg: FloatArray, lon_deg: FloatArray) -> FloatArray:
        """Positions on this plane: rows of metres east and north of the fence's middle."""
        return _metres(self.plane, np.column_stack([lon_deg, lat_deg]))

    def seen_from(self, other: "Outline") -> Flat:
        """This shape on the other one's plane."""
        return shapely.transform(self.shape, lambda at_m: _metres(other.plane, _degrees(self.plane, at_m)))

    def area_from(self, shape: Flat) -> Area:
        """The area of a shape on this plane, its corners rounded to about a tenth of a metre."""
        turned = shapely.transform(shape, lambda at_m: np.round(_degrees(self.plane, at_m), 6))
        return Area(geometry=turned)


def _metres(plane: Plane, lon_lat_deg: FloatArray) -> FloatArray:
    off_deg = lon_lat_deg - [plane.lon_deg, plane.lat_deg]
    off_deg[:, 0] -= 360.0 * np.round(off_deg[:, 0] / 360.0)
    return np.asarray(off_deg * [plane.east_m, plane.north_m])


def _degrees(plane: Plane, at_m: FloatArray) -> FloatArray:
    """Rows of longitude and latitude. A longitude may come out beyond 180."""
    return np.asarray(at_m / [plane.east_m, plane.north_m] + [plane.lon_deg, plane.lat_deg])
