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

    def replaced(self, where: npt.NDArray[np.bool_], bounds: FloatArray) -> "Boxes":
        """With others in some places: rows of south, west, north, east, in the order of the places."""
        columns = [self.south.copy(), self.west.copy(), self.north.copy(), self.east.copy()]
        for column, values in zip(columns, bounds.T, strict=True):
            column[where] = values
        south, west, north, east = columns
        return Boxes(south=south, west=west, north=north, east=east)


#: The largest box of a group is at most this many times the size of its smallest, unless it is a rare one.
SPAN = 4.0
#: Rare boxes join a group of other sizes, if they are fewer than this share of it, …
RARE = 1 / 8
#: … or if they touch no more cells than this many times as many boxes of its size do.
CELLS = 9


def groups(size_deg: FloatArray) -> Sequence[npt.NDArray[np.intp]]:
    """Boxes of similar size together, the smallest first: each group wants a grid of its own."""
    if not len(size_deg):
        return []
    sizes = np.maximum(size_deg, 1e-7)
    step = (np.log(sizes / sizes.min()) / np.log(SPAN)).astype(np.int8)
    order = step.argsort(kind="stable")
    counts = np.bincount(step)
    found = [group for group in np.split(order, counts.cumsum()[:-1]) if len(group)]
    return _merged(found, sizes)


def _merged(found: list[npt.NDArray[np.intp]], sizes: FloatArray) -> list[npt.NDArray[np.intp]]:
    """Fewer groups: every grid costs a look-up of every point, so a few odd sizes are not worth one."""
    kept: list[npt.NDArray[np.intp]] = []
    for group in found:
        joins = False
        if kept:
            cell_deg = float(np.median(sizes[kept[-1]])) / 2
            few_in_large = len(kept[-1]) <= RARE * len(group)
            joins = few_in_large or ((sizes[group] / cell_deg + 1) ** 2).sum() <= CELLS * len(kept[-1])
        kept.append(np.concatenate([kept.pop(), group]) if joins else group)
    return kept
