"""Bounds of fences, in degrees."""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import SHORTEST_MERIDIAN_DEGREE_M, FloatArray


class Boxes(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Bounds in degrees. A box across the antimeridian has west < -180 or east > 180."""

    south: FloatArray
    west: FloatArray
    north: FloatArray
    east: FloatArray

    @classmethod
    def of_circles(cls, lat_deg: FloatArray, lon_deg: FloatArray, radius_m: FloatArray) -> "Boxes":
        """The bounds of circles, generous by less than 1 %."""
        reach_deg = radius_m / SHORTEST_MERIDIAN_DEGREE_M
        south, north = lat_deg - reach_deg, lat_deg + reach_deg
        polar = (north >= 90) | (south <= -90)
        sine = np.sin(np.radians(reach_deg)) / np.maximum(np.cos(np.radians(lat_deg)), 1e-12)
        reach_lon_deg = np.where(polar | (sine >= 1), 180.0, np.degrees(np.arcsin(np.minimum(sine, 1.0))))
        return cls(
            south=np.maximum(south, -90.0),
            west=lon_deg - reach_lon_deg,
            north=np.minimum(north, 90.0),
            east=lon_deg + reach_lon_deg,
        )

    def take(self, index: npt.NDArray[np.integer]) -> "Boxes":
        """Some of the boxes, in the order of `index`."""
        return Boxes(
            south=self.south[index], west=self.west[index], north=self.north[index], east=self.east[index]
        )

    def replaced(self, where: npt.NDArray[np.bool_], bounds: FloatArray) -> "Boxes":
        """With others in some places: rows of south, west, north, east, in the order of the places."""
        columns = [self.south.copy(), self.west.copy(), self.north.copy(), self.east.copy()]
        for column, values in zip(columns, bounds.T, strict=True):
            column[where] = values
        south, west, north, east = columns
        return Boxes(south=south, west=west, north=north, east=east)

    @property
    def size_deg(self) -> FloatArray:
        """The longer side of each box, in degrees of a great circle (at most, near a pole)."""
        crosses = (self.south <= 0) & (self.north >= 0)
        nearest = np.where(crosses, 0.0, np.minimum(np.abs(self.south), np.abs(self.north)))
        widest = np.cos(np.radians(np.floor(nearest)))
        return np.maximum(self.north - self.south, (self.east - self.west) * widest)


def groups(size_deg: FloatArray) -> Sequence[npt.NDArray[np.intp]]:
    """Boxes of similar size together, the smallest first: each group wants a grid of its own."""
    order = np.argsort(size_deg, kind="stable")
    sizes = np.maximum(size_deg[order], 1e-7)
    found: list[npt.NDArray[np.intp]] = []
    begin = 0
    while begin < len(order):
        end = int(np.searchsorted(sizes, LEVEL_SPAN * sizes[begin], side="right"))
        found.append(order[begin:end])
        begin = end
    return _merged(found, size_deg)


#: The largest box of a group is at most this many times the size of its smallest, unless it is a rare one.
LEVEL_SPAN = 4.0
#: Rare boxes join a group of other sizes while they make it no dearer than this much.
RARE = 1 / 8


def _merged(found: list[npt.NDArray[np.intp]], size_deg: FloatArray) -> list[npt.NDArray[np.intp]]:
    """Fewer groups: every grid costs a look-up of every point, so a few odd sizes are not worth one."""
    kept: list[npt.NDArray[np.intp]] = []
    for group in found:
        if kept and len(kept[-1]) <= RARE * len(group):
            group = np.concatenate([kept.pop(), group])  # noqa: PLW2901  # a few small ones in larger cells
        elif kept:
            cell_deg = np.median(size_deg[kept[-1]]) / 2
            cells = float(((size_deg[group] / cell_deg + 1) ** 2).sum())
            if cells <= 9 * len(kept[-1]) * RARE * 8:
                group = np.concatenate([kept.pop(), group])  # noqa: PLW2901  # a few large ones in many cells
        kept.append(group)
    return kept
