"""Areas: what holds a point, how surely, and how far their boundaries are. Done by `cells` and `outlines`."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import shapely

from geo.distance import FloatArray, IndexArray, distances_m, earth_centred
from geo.fences.bell import REACH_SIGMA, probability_in_areas
from geo.fences.cells import BOUNDARY, DEPTH_M, Cells
from geo.fences.outlines import Lines, Outlines


class Areas(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Areas 0..n-1."""

    geometry: npt.NDArray[Any]  #: prepared polygons and multipolygons
    bounds: FloatArray  #: rows of south, west, north, east; east exceeds 180 across the antimeridian
    circles: FloatArray  #: around them, not the smallest: rows of latitude, longitude, radius in metres
    outlines: Outlines
    cells: Cells

    @classmethod
    def of(cls, geometries: Sequence[shapely.Polygon | shapely.MultiPolygon]) -> "Areas":
        """Indexes geometries."""
        geometry = np.empty(len(geometries), dtype=object)
        geometry[:] = geometries
        shapely.prepare(geometry)
        bounds = _bounds(geometry)
        lines = Lines.of(geometry, bounds)
        return cls(
            geometry=geometry,
            bounds=bounds,
            circles=_circles(lines, bounds),
            outlines=Outlines.of(lines, bounds),
            cells=Cells.of(lines, bounds),
        )

    def __len__(self) -> int:
        return len(self.geometry)

    def take(self, index: npt.NDArray[np.integer]) -> "Areas":
        """Some of them, in the order of `index`."""
        return Areas(
            geometry=self.geometry[index],
            bounds=self.bounds[index],
            circles=self.circles[index],
            outlines=self.outlines.take(index),
            cells=self.cells.take(index),
        )

    def joined(self, other: "Areas") -> "Areas":
        """These and then the others."""
        return Areas(
            geometry=np.concatenate([self.geometry, other.geometry]),
            bounds=np.concatenate([self.bounds, other.bounds]),
            circles=np.concatenate([self.circles, other.circles]),
            outlines=self.outlines.joined(other.outlines),
            cells=self.cells.joined(other.cells),
        )

    def holds(self, lat_deg: FloatArray, lon_deg: FloatArray, area: IndexArray) -> npt.NDArray[np.bool_]:
        """For each point whether it lies in `area[i]` or on its boundary."""
        value = self.cells.at(lat_deg, lon_deg, area)
        inside = value > BOUNDARY
        doubtful = np.flatnonzero(value == BOUNDARY)
        if len(doubtful):
            geometry, lon, lat = self.geometry[area[doubtful]], lon_deg[doubtful], lat_deg[doubtful]
            inside[doubtful] = shapely.intersects_xy(geometry, lon, lat)
            # The antimeridian has two longitudes, and an area that ends there knows only one of them.
            seam = np.flatnonzero(np.abs(lon) == 180.0)
            if len(seam):
                inside[doubtful[seam]] |= shapely.intersects_xy(geometry[seam], -lon[seam], lat[seam])
        return inside

    def holds_one(self, lat_deg: float, lon_deg: float, area: int) -> bool:
        """The same for one point."""
        value = self.cells.at_one(lat_deg, lon_deg, area)
        if value != BOUNDARY:
            return value > BOUNDARY
        geometry = self.geometry[area]
        inside = bool(shapely.intersects_xy(geometry, lon_deg, lat_deg))
        return inside or (abs(lon_deg) == 180.0 and bool(shapely.intersects_xy(geometry, -lon_deg, lat_deg)))

    def probability(
        self, lat_deg: FloatArray, lon_deg: FloatArray, area: IndexArray, sigma_m: FloatArray
    ) -> FloatArray:
        """P(inside) for fixes inside areas: fix i lies in `area[i]`, holes and all."""
        probability = np.ones(len(area))
        depth_m = DEPTH_M[self.cells.at(lat_deg, lon_deg, area)]
        near = np.flatnonzero(depth_m < REACH_SIGMA * sigma_m)
        if len(near):
            views = self.outlines.views(lat_deg[near], lon_deg[near], area[near], sigma_m[near])
            probability[near] = probability_in_areas(self.outlines.within(views, REACH_SIGMA), len(near))
        return probability

    def probability_one(self, lat_deg: float, lon_deg: float, area: int, sigma_m: float) -> float:
        """The same for one fix."""
        if DEPTH_M[self.cells.at_one(lat_deg, lon_deg, area)] >= REACH_SIGMA * sigma_m:
            return 1.0
        views = self.outlines.views(np.array([lat_deg]), np.array([lon_deg]), np.array([area]), sigma_m)
        return float(probability_in_areas(self.outlines.within(views, REACH_SIGMA), 1)[0])

    def gap_m(self, lat_deg: FloatArray, lon_deg: FloatArray, area: IndexArray) -> FloatArray:
        """Metres from point i to the boundary of `area[i]`, for every i."""
        return self.outlines.distance(self.outlines.views(lat_deg, lon_deg, area, 1.0))


def _circles(lines: Lines, bounds: FloatArray) -> FloatArray:
    lat, lon = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
    lon = np.where(lon > 180, lon - 360, lon)
    area = lines.area_of_strip[lines.strip]
    centre = [axis[area] for axis in earth_centred(lat, lon)]
    reach_m = distances_m(centre, earth_centred(lines.degrees[:, 0], lines.degrees[:, 1]))
    first = np.searchsorted(area, np.arange(len(bounds)))
    return np.column_stack([lat, lon, np.maximum.reduceat(reach_m, first) * 1.001])


def _bounds(geometry: npt.NDArray[Any]) -> FloatArray:
    if not len(geometry):
        return np.empty((0, 4))
    parts, area = shapely.get_parts(geometry, return_index=True)
    west, south, east, north = shapely.bounds(parts).T
    first = np.searchsorted(area, np.arange(len(geometry)))
    turn = np.where(east <= 0, 360.0, 0.0)
    sides = [
        (np.minimum.reduceat(west + by, first), np.maximum.reduceat(east + by, first)) for by in (0.0, turn)
    ]
    turned = sides[1][1] - sides[1][0] < sides[0][1] - sides[0][0] - 1.0  # only where it makes a difference
    return np.column_stack(
        [
            np.minimum.reduceat(south, first),
            np.where(turned, sides[1][0], sides[0][0]),
            np.maximum.reduceat(north, first),
            np.where(turned, sides[1][1], sides[0][1]),
        ]
    )
