"""A set of fences, indexed: which of them hold these points, how surely, and which are near.

A `FenceSet` never changes; publishing builds the next one, so that no batch is ever judged by two. All
questions are asked for many points at once and answered by arrays. Fences are named by their place in
`fences`; a disabled one keeps its place and matches nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import shapely

from geo.accuracy import probability_in_area, probability_in_disc
from geo.distance import (
    SHORTEST_MERIDIAN_DEGREE_M,
    FloatArray,
    IndexArray,
    chord_m,
    distance_m,
    earth_centred,
)
from geo.edges import Edges
from geo.fence import Area, Circle, Fence
from geo.grid import Boxes, Level, levels_of


class FenceSet(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Fences of one retailer at one version, ready to be matched."""

    fences: tuple[Fence, ...]
    version: int
    by_id: Mapping[str, Fence]  #: the enabled fences by external id
    place_of: Mapping[str, int]  #: the places in `fences` of the enabled ones, by external id
    centre_lat_deg: FloatArray  #: of a circle, or of the circle around an area
    centre_lon_deg: FloatArray
    radius_m: FloatArray
    centre: tuple[FloatArray, FloatArray, FloatArray]  #: the same centres, Earth-centred
    chord2: FloatArray  #: the squared chord under the radius
    area_of: IndexArray  #: the fence's place among the areas; -1 for a circle
    geometries: npt.NDArray[Any]  #: the areas' prepared geometries
    edges: Edges  #: the areas' edges
    levels: tuple[Level, ...]
    by_lat: IndexArray  #: places of the enabled fences, by their centres' latitude

    @classmethod
    def build(cls, fences: Iterable[Fence], *, version: int = 0) -> "FenceSet":
        """Indexes fences; their external ids must differ."""
        kept = tuple(fences)
        circles = [_circle_around(fence) for fence in kept]
        lat = np.array([circle.lat_deg for circle in circles], np.float64)
        lon = np.array([circle.lon_deg for circle in circles], np.float64)
        radius = np.array([circle.radius_m for circle in circles], np.float64)
        shapes = [fence.shape for fence in kept if isinstance(fence.shape, Area)]
        areas = [shape.geometry for shape in shapes]
        is_area = np.array([isinstance(fence.shape, Area) for fence in kept], bool)
        enabled = np.array([place for place, fence in enumerate(kept) if fence.enabled], np.int32)
        geometries = np.array(areas, dtype=object)
        shapely.prepare(geometries)
        return cls(
            fences=kept,
            version=version,
            by_id={fence.external_id: fence for fence in kept if fence.enabled},
            place_of={fence.external_id: place for place, fence in enumerate(kept) if fence.enabled},
            centre_lat_deg=lat,
            centre_lon_deg=lon,
            radius_m=radius,
            centre=earth_centred(lat, lon),
            chord2=chord_m(radius) ** 2,
            area_of=np.where(is_area, np.cumsum(is_area) - 1, -1).astype(np.int32),
            geometries=geometries,
            edges=Edges.of(areas),
            levels=levels_of(
                _boxes(lat, lon, radius, shapes, is_area).take(enabled.astype(np.intp)), enabled
            ),
            by_lat=enabled[np.argsort(lat[enabled], kind="stable")].astype(np.intp),
        )

    def __len__(self) -> int:
        return len(self.fences)

    def match(self, lat_deg: FloatArray, lon_deg: FloatArray) -> tuple[IndexArray, IndexArray]:
        """All pairs (point, fence) where the point lies inside the fence or on its boundary, ascending."""
        pairs = [level.candidates(lat_deg, lon_deg) for level in self.levels]
        if not pairs:
            return np.empty(0, np.int32), np.empty(0, np.int32)
        point, fence = pairs[0] if len(pairs) == 1 else _merged(pairs)
        if not len(point):
            return point, fence
        x, y, z = earth_centred(lat_deg, lon_deg)
        fence_x, fence_y, fence_z = self.centre
        dx, dy, dz = x[point] - fence_x[fence], y[point] - fence_y[fence], z[point] - fence_z[fence]
        near = dx * dx + dy * dy + dz * dz <= self.chord2[fence]
        point, fence = point[near], fence[near]
        if not len(self.geometries):
            return point, fence
        inside = self._in_area(lat_deg, lon_deg, point, fence)
        return point[inside], fence[inside]

    def _in_area(
        self, lat_deg: FloatArray, lon_deg: FloatArray, point: IndexArray, fence: IndexArray
    ) -> npt.NDArray[np.bool_]:
        """True for pairs with a circle, and for those with an area that holds the point."""
        inside = np.ones(len(point), bool)
        pair = np.flatnonzero(self.area_of[fence] >= 0)
        geometry = self.geometries[self.area_of[fence[pair]]]
        lon, lat = lon_deg[point[pair]], lat_deg[point[pair]]
        inside[pair] = shapely.intersects_xy(geometry, lon, lat)
        # The antimeridian has two longitudes, and an area that ends there knows only one of them.
        seam = np.flatnonzero(np.abs(lon) == 180.0)
        inside[pair[seam]] |= shapely.intersects_xy(geometry[seam], -lon[seam], lat[seam])
        return inside

    def probability_inside(
        self, lat_deg: FloatArray, lon_deg: FloatArray, fence: IndexArray, sigma_m: FloatArray
    ) -> FloatArray:
        """P(inside) for matched pairs: point i lies in fence[i]."""
        probability = np.empty(len(fence))
        area = self.area_of[fence]
        circle, polygon = np.flatnonzero(area < 0), np.flatnonzero(area >= 0)
        off_m = self._off_centre_m(lat_deg[circle], lon_deg[circle], fence[circle])
        probability[circle] = probability_in_disc(off_m, self.radius_m[fence[circle]], sigma_m[circle])
        probability[polygon] = probability_in_area(
            self.edges, lat_deg[polygon], lon_deg[polygon], area[polygon], sigma_m[polygon]
        )
        return probability

    def nearest(
        self, lat_deg: float, lon_deg: float, count: int, *, within_m: float = 5_000.0
    ) -> tuple[IndexArray, FloatArray]:
        """The fences whose boundaries are nearest to a point, inside or outside of it, nearest first.

        Returns their places and the unsigned distances to their boundaries, `within_m` at most.
        """
        fence = self._around(lat_deg, within_m)
        lat, lon = np.full(len(fence), lat_deg), np.full(len(fence), lon_deg)
        off_m = self._off_centre_m(lat, lon, fence)
        gap_m = np.abs(off_m - self.radius_m[fence])
        polygon = self.area_of[fence] >= 0
        # An area's boundary is no nearer than the circle around it, or anywhere inside of that.
        least_m = np.where(polygon, np.maximum(off_m - self.radius_m[fence], 0.0), gap_m)
        most_m = np.where(polygon, off_m + self.radius_m[fence], gap_m)
        enough_m = np.partition(most_m, count - 1)[count - 1] if len(fence) > count else np.inf
        exact = np.flatnonzero(polygon & (least_m <= min(enough_m, within_m)))
        least_m[exact] = self.edges.distance_m(lat[exact], lon[exact], self.area_of[fence[exact]])
        order = np.argsort(least_m, kind="stable")[:count]
        order = order[least_m[order] <= within_m]
        return fence[order], least_m[order]

    def _around(self, lat_deg: float, within_m: float) -> IndexArray:
        """Enabled fences that may have a boundary within this distance."""
        if not len(self.by_lat):
            return np.empty(0, np.int32)
        reach_deg = (within_m + float(self.radius_m.max())) / SHORTEST_MERIDIAN_DEGREE_M
        sorted_lat = self.centre_lat_deg[self.by_lat]
        begin, end = np.searchsorted(sorted_lat, [lat_deg - reach_deg, lat_deg + reach_deg])
        return self.by_lat[begin:end]

    def _off_centre_m(self, lat_deg: FloatArray, lon_deg: FloatArray, fence: IndexArray) -> FloatArray:
        return distance_m(lat_deg, lon_deg, self.centre_lat_deg[fence], self.centre_lon_deg[fence])


def _circle_around(fence: Fence) -> Circle:
    return fence.shape if isinstance(fence.shape, Circle) else fence.shape.bounding_circle


def _boxes(
    lat_deg: FloatArray,
    lon_deg: FloatArray,
    radius_m: FloatArray,
    areas: list[Area],
    is_area: npt.NDArray[np.bool_],
) -> Boxes:
    """The bounds of circles, generous by less than 1 %, and of areas."""
    reach_deg = radius_m / SHORTEST_MERIDIAN_DEGREE_M
    south, north = lat_deg - reach_deg, lat_deg + reach_deg
    sine = np.sin(np.radians(reach_deg)) / np.cos(np.radians(lat_deg))
    polar = (north >= 90) | (south <= -90)
    reach_lon_deg = np.where(polar, 180.0, np.degrees(np.arcsin(np.where(polar, 0.0, np.minimum(sine, 1.0)))))
    west, east = lon_deg - reach_lon_deg, lon_deg + reach_lon_deg
    if areas:
        bounds = np.array([area.bounds for area in areas])
        south[is_area], west[is_area], north[is_area], east[is_area] = bounds.T
    return Boxes(south=np.maximum(south, -90.0), west=west, north=np.minimum(north, 90.0), east=east)


def _merged(pairs: list[tuple[IndexArray, IndexArray]]) -> tuple[IndexArray, IndexArray]:
    """Pairs of several levels in one order. A fence is in one level, so none comes twice."""
    point, fence = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    order = np.lexsort((fence, point))
    return point[order], fence[order]
