"""The boundaries of many areas in flat arrays, in strips of a few edges that can be passed over as one.

What a boundary is to a point is found out in two steps: which strips may matter, by the box around each, and
then what their edges say. Both are done in the plane that touches the Earth at the point.
"""

from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import shapely

from geo.distance import FloatArray, IndexArray, degree_lengths_m, distances_m, earth_centred
from geo.fences.ranges import numbers, places_of, spread

Singles: TypeAlias = npt.NDArray[np.float32]

#: Areas of so many vertices or more -> edges in a strip. About half the root makes both steps alike dear.
STRIPS = ((0, 4), (128, 8), (1024, 16))
#: Boxes are widened by this share of their area's size, since they are kept in single precision.
_MARGIN = 1e-6


class Edges(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Strips of edges as points see them: an edge runs from each vertex to the next, except from `ends`."""

    point: IndexArray  #: by vertex, ascending
    x: Singles  #: how far east of the point, in its units
    y: Singles  #: how far north
    ends: IndexArray  #: the last vertex of each strip


class Views(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Points, each looking at an area. Rows are north and east."""

    area: IndexArray
    here: Singles  #: where it is, in degrees from the area's middle
    scale: Singles  #: how many of its units go into a degree there


class Outlines(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Boundaries of areas 0..n-1.

    Outer rings run counter-clockwise, holes clockwise, so that the inside is always on the left. All is kept
    in single precision, as rows of north and east in degrees from the area's middle: over a kilometre that is
    a tenth of a millimetre.
    """

    middle: FloatArray  #: by area: rows of latitude and longitude
    reach_m: FloatArray  #: by area: of a circle around the middle that holds it
    first_strip: IndexArray  #: area i has the strips first_strip[i] .. first_strip[i + 1] - 1
    centres: Singles  #: by strip: of the box around it
    halves: Singles  #: … and half that box's height and width
    first_vertex: IndexArray  #: strip i runs along the vertices first_vertex[i] .. first_vertex[i + 1] - 1
    vertices: Singles  #: where one strip ends and the next begins, the vertex comes twice

    @classmethod
    def of(cls, lines: "Lines", bounds: FloatArray) -> "Outlines":
        """Takes boundaries in; `bounds` as in `Areas`."""
        middle, size = (bounds[:, :2] + bounds[:, 2:]) / 2, bounds[:, 2:] - bounds[:, :2]
        strip = lines.strip
        vertices = lines.degrees - middle[lines.area_of_strip[strip]]
        begin = lines.first_vertex[:-1]
        low, high = np.minimum.reduceat(vertices, begin), np.maximum.reduceat(vertices, begin)
        margin = _MARGIN * size[lines.area_of_strip].max(axis=1, keepdims=True)
        return cls(
            middle=middle,
            reach_m=_reaches_m(lines, middle),
            first_strip=np.searchsorted(lines.area_of_strip, np.arange(len(bounds) + 1)).astype(np.int32),
            centres=((low + high) / 2).astype(np.float32),
            halves=((high - low) / 2 + margin).astype(np.float32),
            first_vertex=lines.first_vertex,
            vertices=vertices.astype(np.float32),
        )

    def take(self, area: npt.NDArray[np.integer]) -> "Outlines":
        """Those of some areas, in their order."""
        strip, first_strip = places_of(self.first_strip, area)
        vertex, first_vertex = places_of(self.first_vertex, strip)
        return Outlines(
            middle=self.middle[area],
            reach_m=self.reach_m[area],
            first_strip=first_strip,
            centres=self.centres.take(strip, axis=0),
            halves=self.halves.take(strip, axis=0),
            first_vertex=first_vertex,
            vertices=self.vertices.take(vertex, axis=0),
        )

    def after(self, others: "Outlines") -> "Outlines":
        """These, but to lie behind the others in each array."""
        return msgspec.structs.replace(
            self,
            first_strip=self.first_strip[1:] + others.first_strip[-1],
            first_vertex=self.first_vertex[1:] + others.first_vertex[-1],
        )

    def views(
        self, lat_deg: FloatArray, lon_deg: FloatArray, area: IndexArray, unit_m: FloatArray | float
    ) -> Views:
        """Point i looks at `area[i]` and counts in `unit_m` metres."""
        here = np.column_stack([lat_deg, lon_deg])
        here -= self.middle.take(area, axis=0)
        here[:, 1] -= 360.0 * np.rint(here[:, 1] / 360.0)
        north_m, east_m = degree_lengths_m(lat_deg)
        scale = np.column_stack([north_m / unit_m, east_m / unit_m])
        return Views(area=area, here=here.astype(np.float32), scale=scale.astype(np.float32))

    def within(self, views: Views, reach: float) -> Edges:
        """The edges that may be within `reach` units of the points, and more."""
        count, strip, away, half = self._strips(views)
        away -= half
        away *= away > 0
        away *= away
        near = np.flatnonzero(away[:, 0] + away[:, 1] <= np.float32(reach * reach))
        return self._edges(views, np.arange(len(count)).repeat(count)[near], strip[near])

    def distance(self, views: Views) -> FloatArray:
        """How far the nearest edge is from each point, in its units."""
        if not len(views.area):
            return np.empty(0)
        count, strip, away, half = self._strips(views)
        # In every box there is an edge, so the nearest one is no further than the nearest box's far corner.
        first = count.cumsum() - count
        far = (away + half) ** 2
        most = np.minimum.reduceat(far[:, 0] + far[:, 1], first)
        away -= half
        away *= away > 0
        away *= away
        near = np.flatnonzero(away[:, 0] + away[:, 1] <= np.repeat(most, count))
        edges = self._edges(views, np.arange(len(count)).repeat(count)[near], strip[near])
        distance2 = _squared_distance(edges)
        distance2[edges.ends[:-1]] = np.inf
        begins = np.searchsorted(edges.point, np.arange(len(count)))
        return np.sqrt(np.minimum.reduceat(distance2, begins))

    def _strips(self, views: Views) -> tuple[IndexArray, IndexArray, Singles, Singles]:
        """All strips of each point's area, one point after the other.

        Returns how many there are for each point, and for each strip its place, how far north and east or
        south and west its box's middle is, and half the box's height and width.
        """
        begin = self.first_strip[views.area]
        count = self.first_strip[views.area + 1] - begin
        strip = numbers(begin, count)
        scale = views.scale.repeat(count, axis=0)
        away = self.centres.take(strip, axis=0)
        away -= views.here.repeat(count, axis=0)
        np.abs(away, out=away)
        away *= scale
        half = self.halves.take(strip, axis=0)
        half *= scale
        return count, strip, away, half

    def _edges(self, views: Views, point: npt.NDArray[Any], strip: IndexArray) -> Edges:
        """The edges of some strips, each seen from a point."""
        begin = self.first_vertex[strip]
        count = self.first_vertex[strip + 1] - begin
        away = self.vertices.take(numbers(begin, count), axis=0)
        point = point.repeat(count)
        away -= views.here.take(point, axis=0)
        away *= views.scale.take(point, axis=0)
        return Edges(point=point, x=away[:, 1].copy(), y=away[:, 0].copy(), ends=count.cumsum() - 1)


class Lines(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The boundaries of polygons and multipolygons, as they are given, in strips."""

    area_of_strip: IndexArray  #: ascending
    first_vertex: IndexArray  #: as in `Outlines`
    degrees: FloatArray  #: by vertex: rows of latitude, longitude; beyond 180 across the antimeridian

    @classmethod
    def of(cls, geometry: npt.NDArray[Any], bounds: FloatArray) -> "Lines":
        """Collects them; `bounds` as in `Areas`."""
        parts, area_of_part = shapely.get_parts(shapely.orient_polygons(geometry), return_index=True)
        rings, part_of_ring = shapely.get_rings(parts, return_index=True)
        points, ring_of_point = shapely.get_coordinates(rings, return_index=True)
        area = area_of_part[part_of_ring]
        edges = np.bincount(ring_of_point, minlength=len(rings)) - 1
        length = _strip_lengths(np.bincount(area, weights=edges, minlength=len(geometry)))[area]
        ring, strip = spread(np.zeros(len(rings), np.int64), -(-edges // length))
        count = np.minimum(length[ring], edges[ring] - strip * length[ring]) + 1
        first_point = np.cumsum(edges + 1) - edges - 1
        of_strip, point = spread(first_point[ring] + strip * length[ring], count)
        degrees = points[point][:, ::-1].copy()
        degrees[:, 1] += 360.0 * (degrees[:, 1] < bounds[area[ring[of_strip]], 1])
        return cls(
            area_of_strip=area[ring].astype(np.int32),
            first_vertex=np.append(0, count.cumsum()).astype(np.int32),
            degrees=degrees,
        )

    @property
    def strip(self) -> IndexArray:
        """The strip of each vertex."""
        return np.arange(len(self.area_of_strip), dtype=np.int32).repeat(np.diff(self.first_vertex))

    @property
    def starts(self) -> npt.NDArray[np.intp]:
        """The vertices from which an edge leads to the next vertex."""
        found = np.ones(len(self.degrees), bool)
        found[self.first_vertex[1:] - 1] = False
        return found.nonzero()[0]


def _reaches_m(lines: Lines, middle: FloatArray) -> FloatArray:
    area = lines.area_of_strip[lines.strip]
    centre = [axis[area] for axis in earth_centred(middle[:, 0], middle[:, 1])]
    reach_m = distances_m(centre, earth_centred(lines.degrees[:, 0], lines.degrees[:, 1]))
    first = np.searchsorted(area, np.arange(len(middle)))
    return np.maximum.reduceat(reach_m, first) * 1.001


def _strip_lengths(edges: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    length = np.full(len(edges), STRIPS[0][1])
    for least, longer in STRIPS[1:]:
        length[edges >= least] = longer
    return length


def _squared_distance(edges: Edges) -> Singles:
    """Squared distance from the origin to each edge, by the vertex it begins with, but the last vertex."""
    x0, y0 = edges.x[:-1], edges.y[:-1]
    dx, dy = edges.x[1:] - x0, edges.y[1:] - y0
    length2 = dx * dx + dy * dy
    along = np.clip(-(x0 * dx + y0 * dy) / np.where(length2 > 0, length2, np.float32(1)), 0, 1)
    x, y = x0 + along * dx, y0 + along * dy
    return x * x + y * y
