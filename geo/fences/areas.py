"""Areas: what holds a point. `pictures` keeps what tells it, and what `geo.fences.ground` asks."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import shapely

from geo.distance import MEAN_RADIUS_M, FloatArray, IndexArray, distances_m, earth_centred
from geo.fence import Circle
from geo.fences.pictures import Pictures

#: From any point to the one on the other side of the Earth.
_HALF_ROUND_M = math.pi * MEAN_RADIUS_M


class Areas(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Areas 0..n-1."""

    geometry: npt.NDArray[Any]  #: polygons and multipolygons, prepared once they are drawn
    bounds: FloatArray  #: rows of south, west, north, east; east exceeds 180 across the antimeridian
    pictures: Pictures

    @classmethod
    def of(cls, geometries: Sequence[shapely.Polygon | shapely.MultiPolygon]) -> "Areas":
        """Takes geometries in; each is drawn when it is first asked for."""
        geometry = np.empty(len(geometries), dtype=object)
        geometry[:] = geometries
        return cls(geometry=geometry, bounds=_bounds(geometry), pictures=Pictures.blank(len(geometry)))

    def __len__(self) -> int:
        return len(self.geometry)

    def take(self, index: npt.NDArray[np.integer]) -> "Areas":
        """Some of them, in the order of `index`."""
        return Areas(
            geometry=self.geometry[index], bounds=self.bounds[index], pictures=self.pictures.take(index)
        )

    def joined(self, other: "Areas") -> "Areas":
        """These and then the others."""
        return Areas(
            geometry=np.concatenate([self.geometry, other.geometry]),
            bounds=np.concatenate([self.bounds, other.bounds]),
            pictures=self.pictures.joined(other.pictures),
        )

    def circles(self) -> FloatArray:
        """Circles around the boxes around them: rows of latitude, longitude, radius in metres."""
        south, west, north, east = self.bounds.T
        lat, lon = (south + north) / 2, (west + east) / 2
        middle = earth_centred(lat, lon)
        # No point of a box is further from its middle than its corners, unless it goes far round the Earth.
        reach_m = np.maximum(*(distances_m(middle, earth_centred(side, east)) for side in (south, north)))
        reach_m[east - west > 180.0] = _HALF_ROUND_M
        return np.column_stack([lat, np.where(lon > 180, lon - 360, lon), reach_m * 1.001])

    def circle(self, area: int) -> Circle:
        """A circle around an area, not the smallest."""
        self.draw(np.array([area]))
        slot, outlines = self.pictures.slot[area], self.pictures.outlines
        lat, lon = outlines.middle[slot].tolist()
        return Circle(
            lat_deg=lat, lon_deg=lon - 360 if lon > 180 else lon, radius_m=float(outlines.reach_m[slot])
        )

    def draw(self, area: IndexArray) -> bool:
        """Draws those of some areas that are not drawn yet; whether there were any."""
        return self.pictures.draw(area, self.geometry, self.bounds)

    def holds(self, lat_deg: FloatArray, lon_deg: FloatArray, area: IndexArray) -> npt.NDArray[np.bool_]:
        """For each point whether it lies in `area[i]` or on its boundary, by the exact geometry."""
        geometry = self.geometry[area]
        inside: npt.NDArray[np.bool_] = shapely.intersects_xy(geometry, lon_deg, lat_deg)
        # The antimeridian has two longitudes, and an area that ends there knows only one of them.
        seam = np.flatnonzero(np.abs(lon_deg) == 180.0)
        if len(seam):
            inside[seam] |= shapely.intersects_xy(geometry[seam], -lon_deg[seam], lat_deg[seam])
        return inside


def _bounds(geometry: npt.NDArray[Any]) -> FloatArray:
    bounds = np.ascontiguousarray(shapely.bounds(geometry)[:, [1, 0, 3, 2]])
    several = (shapely.get_type_id(geometry) == shapely.GeometryType.MULTIPOLYGON).nonzero()[0]
    if len(several):
        bounds[several] = _bounds_of_several(geometry[several])
    return bounds


def _bounds_of_several(geometry: npt.NDArray[Any]) -> FloatArray:
    """Bounds of areas of several parts, some of which perhaps go on beyond the antimeridian."""
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
