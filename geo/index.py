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
    distances_m,
    earth_centred,
    point_earth_centred,
)
from geo.edges import Edges
from geo.fence import Area, Circle, Fence
from geo.grid import Boxes, Level, levels_of

#: In a town the nearest fences are looked for within this distance first.
NEAR_M = 500.0
#: So few fences are all looked at instead.
FEW = 256


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
    levels: tuple[Level, ...]  #: finds the fences that may hold a point
    near: tuple[Level, ...]  #: finds those whose boundary may be within `NEAR_M` of a point, and more
    by_lat: IndexArray  #: places of the enabled fences, by their centres' latitude

    @classmethod
    def build(cls, fences: Iterable[Fence], *, version: int = 0) -> "FenceSet":
        """Indexes fences; their external ids must differ."""
        kept = tuple(fences)
        circles = [_circle_around(fence) for fence in kept]
        lat = np.array([circle.lat_deg for circle in circles], np.float64)
        lon = np.array([circle.lon_deg for circle in circles], np.float64)
        radius = np.array([circle.radius_m for circle in circles], np.float64)
        areas = [fence.shape for fence in kept if isinstance(fence.shape, Area)]
        is_area = np.array([isinstance(fence.shape, Area) for fence in kept], bool)
        enabled = np.array([place for place, fence in enumerate(kept) if fence.enabled], np.int32)
        geometries = np.array([area.geometry for area in areas], dtype=object)
        shapely.prepare(geometries)
        boxes = _boxes_of_circles(lat, lon, radius).replaced(is_area, [area.bounds for area in areas])
        reach = _boxes_of_circles(lat, lon, radius + NEAR_M)
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
            edges=Edges.of(geometries),
            levels=levels_of(boxes.take(enabled), enabled),
            near=levels_of(reach.take(enabled), enabled, cell_share=1.0),
            by_lat=enabled[np.argsort(lat[enabled], kind="stable")],
        )

    def __repr__(self) -> str:
        return f"<FenceSet of {len(self.fences)} fences, version {self.version}>"

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
        here = earth_centred(lat_deg[circle], lon_deg[circle])
        off_m = distances_m(here, [axis[fence[circle]] for axis in self.centre])
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
        if len(self.by_lat) > FEW:
            here = np.array([lat_deg]), np.array([lon_deg])
            near = np.concatenate([level.candidates(*here)[1] for level in self.near])
            fence, gap_m = self._by_gap(lat_deg, lon_deg, near, count, min(NEAR_M, within_m))
            if len(fence) == count:
                return fence, gap_m
        return self._by_gap(lat_deg, lon_deg, self._around(lat_deg, within_m), count, within_m)

    def _by_gap(
        self, lat_deg: float, lon_deg: float, fence: IndexArray, count: int, within_m: float
    ) -> tuple[IndexArray, FloatArray]:
        """Of some fences those with the nearest boundaries, and how far these are."""
        off_m = distances_m(point_earth_centred(lat_deg, lon_deg), [axis[fence] for axis in self.centre])
        radius_m, area = self.radius_m[fence], self.area_of[fence]
        gap_m = np.abs(off_m - radius_m)
        polygon = area >= 0
        if polygon.any():
            # An area's boundary is no nearer than the circle around it, or anywhere inside of that.
            gap_m[polygon] = np.maximum(off_m - radius_m, 0.0)[polygon]
            most_m = np.where(polygon, off_m + radius_m, gap_m)
            enough_m = np.partition(most_m, count - 1)[count - 1] if len(fence) > count else np.inf
            exact = np.flatnonzero(polygon & (gap_m <= min(enough_m, within_m)))
            repeated = np.full(len(exact), lat_deg), np.full(len(exact), lon_deg)
            gap_m[exact] = self.edges.distance_m(*repeated, area[exact])
        order = np.flatnonzero(gap_m <= within_m)
        order = order[np.argsort(gap_m[order], kind="stable")[:count]]
        return fence[order], gap_m[order]

    def _around(self, lat_deg: float, within_m: float) -> IndexArray:
        """Enabled fences that may have a boundary within this distance, and more."""
        if not len(self.by_lat):
            return self.by_lat
        reach_deg = (within_m + float(self.radius_m.max())) / SHORTEST_MERIDIAN_DEGREE_M
        begin, end = np.searchsorted(
            self.centre_lat_deg, [lat_deg - reach_deg, lat_deg + reach_deg], sorter=self.by_lat
        )
        return self.by_lat[begin:end]


def _circle_around(fence: Fence) -> Circle:
    return fence.shape if isinstance(fence.shape, Circle) else fence.shape.bounding_circle


def _boxes_of_circles(lat_deg: FloatArray, lon_deg: FloatArray, radius_m: FloatArray) -> Boxes:
    """The bounds of circles, generous by less than 1 %."""
    reach_deg = radius_m / SHORTEST_MERIDIAN_DEGREE_M
    south, north = lat_deg - reach_deg, lat_deg + reach_deg
    polar = (north >= 90) | (south <= -90)
    sine = np.sin(np.radians(reach_deg)) / np.cos(np.radians(lat_deg))
    reach_lon_deg = np.where(polar, 180.0, np.degrees(np.arcsin(np.where(polar, 0.0, np.minimum(sine, 1.0)))))
    return Boxes(
        south=np.maximum(south, -90.0),
        west=lon_deg - reach_lon_deg,
        north=np.minimum(north, 90.0),
        east=lon_deg + reach_lon_deg,
    )


def _merged(pairs: list[tuple[IndexArray, IndexArray]]) -> tuple[IndexArray, IndexArray]:
    """Pairs of several levels in one order. A fence is in one level, so none comes twice."""
    point, fence = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    order = np.lexsort((fence, point))
    return point[order], fence[order]
