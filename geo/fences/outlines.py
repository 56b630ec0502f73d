"""The boundaries of many areas in flat arrays, in strips of a few edges that can be passed over as one.

What a boundary is to a point is found out in two steps (`geo.fences.ground`): which strips may matter, by the
box around each, and then what their edges say, in the plane that touches the Earth at the point.
"""

from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import shapely

from geo.distance import FloatArray, IndexArray, distances_m, earth_centred
from geo.fences.ranges import places_of, spread

Singles: TypeAlias = npt.NDArray[np.float32]

#: Areas of so many vertices or more -> edges in a strip. About half the root makes both steps alike dear.
STRIPS = ((0, 4), (128, 8), (1024, 16))
#: Boxes are widened by this share of their area's size, since they are kept in single precision.
_MARGIN = 1e-6


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
