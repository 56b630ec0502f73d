"""Which fences have their centre near a point.

Fences of one size lie in memory along a curve that leaves no square before it is done (Morton 1966), so that
the fences of a square of any size are a run of places. A directory tells where each square's run begins, for
squares of a few sizes.
"""

import math

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import SHORTEST_MERIDIAN_DEGREE_M
from geo.fences.grid import MARGIN_DEG, Mesh

#: The smallest squares hold so many fences on the average, those that hold any.
USUAL = 8
#: From one size of squares to the next, in powers of two.
STEP = 2
#: So many centres are looked at first.
DOZENS = 30
_HIGH, _LOW = 32, (1 << 32) - 1


class Nearby(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The centres of one level's fences."""

    mesh: Mesh
    begin: int  #: the level's places
    end: int
    radius_m: float  #: of the largest fence
    usual_reach_m: float  #: within so much of a point in the middle of things there are dozens of centres
    smallest: int  #: the smallest squares are 2 to this power cells wide
    sides_m: tuple[float, ...]  #: of the squares of each size
    squares: tuple[dict[int, int], ...]  #: by size: row and column -> begin and end of a run

    @classmethod
    def build(
        cls,
        mesh: Mesh,
        row: npt.NDArray[np.int64],
        column: npt.NDArray[np.int64],
        begin: int,
        radius_m: float,
    ) -> "Nearby":
        """`row` and `column` are the cells of the centres, in the order of `curve`."""
        rows = mesh.rows_per_degree
        most = (rows & -rows).bit_length() - 1  # so that no square is in two degrees of latitude
        smallest = 0
        while smallest < most and len(row) < USUAL * _squares(row, column, smallest):
            smallest += 1
        sizes = range(smallest, most + 1, STEP)
        sides_m = [SHORTEST_MERIDIAN_DEGREE_M / mesh.rows_per_degree * (1 << size) for size in sizes]
        held = len(row) / _squares(row, column, smallest)
        return cls(
            mesh=mesh,
            begin=begin,
            end=begin + len(row),
            radius_m=radius_m,
            usual_reach_m=sides_m[0] * math.sqrt(DOZENS / (math.pi * held)) + radius_m,
            smallest=smallest,
            sides_m=tuple(sides_m),
            squares=tuple(_runs(row >> size, column >> size, begin) for size in sizes),
        )

    def runs(self, lat_deg: float, lon_deg: float, reach_m: float) -> list[tuple[int, int]]:
        """Places from … to before …: all fences whose centre is within `reach_m` of a point, and more."""
        step = 0
        while self.sides_m[step] < reach_m / 2:
            step += 1
            if step == len(self.sides_m):
                return [(self.begin, self.end)]
        size, get, mesh, found = self.smallest + STEP * step, self.squares[step].get, self.mesh, []
        reach_deg = reach_m / SHORTEST_MERIDIAN_DEGREE_M + MARGIN_DEG
        south, north = max(lat_deg - reach_deg, -90.0), min(lat_deg + reach_deg, 90.0)
        turn_deg = _turn_deg(lat_deg, reach_deg)
        rows = mesh.rows_per_degree
        for row in range(int((south + 90.0) * rows) >> size, (int((north + 90.0) * rows) >> size) + 1):
            degree = (row << size) // rows
            scale, around = mesh.column_scales[degree], mesh.column_counts[degree]
            west = math.floor((lon_deg - turn_deg + 180.0) * scale)
            east = math.floor((lon_deg + turn_deg + 180.0) * scale)
            spans = [(west, east)] if west >= 0 and east < around else _unwound(west, east, around)
            for first, last in spans:
                for column in range(first >> size, (last >> size) + 1):
                    run = get(row << _HIGH | column)
                    if run is not None:
                        found.append((run >> _HIGH, run & _LOW))
        return found


def _turn_deg(lat_deg: float, reach_deg: float) -> float:
    """How far a circle around a point reaches in longitude."""
    if abs(lat_deg) + reach_deg >= 90.0:
        return 180.0
    sine = math.sin(math.radians(reach_deg)) / math.cos(math.radians(lat_deg))
    return math.degrees(math.asin(sine)) + MARGIN_DEG if sine < 1.0 else 180.0


def _unwound(west: int, east: int, around: int) -> list[tuple[int, int]]:
    """Columns from … to …, of which there are `around`, and one more at longitude 180."""
    if east - west >= around:
        return [(0, around)]
    if west < 0:
        return [(0, east), (west + around, around)]
    return [(west, around), (0, east - around)]


def curve(row: npt.NDArray[np.int64], column: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where each cell lies on the curve: the bits of its row and its column by turns."""
    return _every_other_bit(row) << 1 | _every_other_bit(column)


def _every_other_bit(number: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The bits of numbers below 2³¹ with a zero before each."""
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        number = (number | number << shift) & mask
    return number


def _starts(row: npt.NDArray[np.int64], column: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Where another square begins."""
    other = np.ones(len(row), bool)
    other[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
    return np.flatnonzero(other)


def _squares(row: npt.NDArray[np.int64], column: npt.NDArray[np.int64], size: int) -> int:
    return len(_starts(row >> size, column >> size))


def _runs(row: npt.NDArray[np.int64], column: npt.NDArray[np.int64], begin: int) -> dict[int, int]:
    starts = _starts(row, column)
    squares = row[starts] << _HIGH | column[starts]
    ends = np.append(starts[1:], len(row))
    return dict(zip(squares.tolist(), ((starts + begin) << _HIGH | ends + begin).tolist(), strict=True))
