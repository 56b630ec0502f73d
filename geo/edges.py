"""The edges of many areas in flat arrays, and how far points are from them."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import shapely

from geo.distance import FloatArray, IndexArray, degree_lengths_m


class Edges(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Edges of areas 0..n-1, all rings of an area together.

    Outer rings run counter-clockwise, holes clockwise, so that the inside is always on the left of an edge.
    """

    first: IndexArray  #: area i has the edges first[i] .. first[i + 1] - 1
    from_lon_deg: FloatArray
    from_lat_deg: FloatArray
    to_lon_deg: FloatArray
    to_lat_deg: FloatArray

    @classmethod
    def of(cls, geometries: Sequence[shapely.Polygon | shapely.MultiPolygon] | npt.NDArray[Any]) -> "Edges":
        """Collects the edges of polygons and multipolygons, in order."""
        oriented = shapely.orient_polygons(np.array(geometries, dtype=object))
        parts, area_of_part = shapely.get_parts(oriented, return_index=True)
        rings, part_of_ring = shapely.get_rings(parts, return_index=True)
        points, ring_of_point = shapely.get_coordinates(rings, return_index=True)
        inner = ring_of_point[1:] == ring_of_point[:-1]
        area_of_edge = area_of_part[part_of_ring[ring_of_point[:-1][inner]]]
        first = np.searchsorted(area_of_edge, np.arange(len(geometries) + 1)).astype(np.int32)
        start, end = points[:-1][inner], points[1:][inner]
        return cls(
            first=first,
            from_lon_deg=start[:, 0].copy(),
            from_lat_deg=start[:, 1].copy(),
            to_lon_deg=end[:, 0].copy(),
            to_lat_deg=end[:, 1].copy(),
        )

    def seen_from(
        self, lat_deg: FloatArray, lon_deg: FloatArray, area: IndexArray
    ) -> tuple[IndexArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        """The edges of `area[i]` in metres east and north of point i, for every i, one after the other.

        Returns the place of each point's first edge (one more at the end), and the edges' start x, y and
        end x, y. The plane touches the ellipsoid at the point.
        """
        count = self.first[area + 1] - self.first[area]
        begins = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
        edge = np.arange(begins[-1]) - np.repeat(begins[:-1] - self.first[area], count)
        north_m, east_m = (np.repeat(scale, count) for scale in degree_lengths_m(lat_deg))
        lat, lon = np.repeat(lat_deg, count), np.repeat(lon_deg, count)
        return (
            begins,
            _turn(self.from_lon_deg[edge] - lon) * east_m,
            (self.from_lat_deg[edge] - lat) * north_m,
            _turn(self.to_lon_deg[edge] - lon) * east_m,
            (self.to_lat_deg[edge] - lat) * north_m,
        )

    def distance_m(self, lat_deg: FloatArray, lon_deg: FloatArray, area: IndexArray) -> FloatArray:
        """Metres from point i to the nearest edge of `area[i]`, for every i."""
        if not len(area):
            return np.empty(0)
        begins, x0, y0, x1, y1 = self.seen_from(lat_deg, lon_deg, area)
        return np.sqrt(np.minimum.reduceat(squared_distance(x0, y0, x1, y1), begins[:-1]))


def squared_distance(x0: FloatArray, y0: FloatArray, x1: FloatArray, y1: FloatArray) -> FloatArray:
    """Squared distance from the origin to each segment (x0, y0)–(x1, y1)."""
    dx, dy = x1 - x0, y1 - y0
    length2 = dx * dx + dy * dy
    along = np.clip(-(x0 * dx + y0 * dy) / np.where(length2 > 0, length2, 1.0), 0.0, 1.0)
    nearest_x, nearest_y = x0 + along * dx, y0 + along * dy
    return np.asarray(nearest_x * nearest_x + nearest_y * nearest_y)


def _turn(lon_deg: FloatArray) -> FloatArray:
    """A difference of longitudes, the short way round."""
    return lon_deg - 360.0 * np.round(lon_deg / 360.0)
