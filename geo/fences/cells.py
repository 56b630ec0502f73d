"""Areas as small pictures: which squares lie wholly inside or outside, and which hold the boundary.

Each area has a frame of its own, one square wider than its bounds on every side, cut into 16 by 16 squares,
or more for an area of many vertices. Only points in squares on the boundary need the exact geometry. Squares
inside know how far away the boundary is at least.
"""

import math

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import SHORTEST_MERIDIAN_DEGREE_M, FloatArray, degree_lengths_m
from geo.fences.outlines import Lines
from geo.fences.ranges import numbers, spread

#: Areas of so many vertices or more -> squares along each side.
SIDES = ((0, 16), (64, 32), (512, 64))
OUTSIDE, BOUNDARY, INSIDE = 0, 1, 2
#: Inside, a square's value tells the distance to the boundary: each step is 9 % more, from 1 m on.
STEPS_PER_DOUBLING = 8
DEPTH_M = np.concatenate([[0.0] * (INSIDE + 1), 2.0 ** (np.arange(256 - INSIDE - 1) / STEPS_PER_DOUBLING)])
#: Squares count as touched by an edge that passes them at this share of their side.
_MARGIN = 1e-6


class Cells(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Pictures of areas 0..n-1."""

    #: by area: rows of south, west, squares per degree of latitude, of longitude, the last square of a row,
    #: the place of the first of the squares, which come row by row from the south-west
    frames: FloatArray
    squares: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, lines: Lines, bounds: FloatArray) -> "Cells":
        """Draws areas; `bounds` as in `Areas`."""
        vertices = np.bincount(lines.area_of_strip[lines.strip], minlength=len(bounds))
        side = np.full(len(bounds), SIDES[0][1])
        for least, more in SIDES[1:]:
            side[vertices >= least] = more
        low, extent = bounds[:, :2], bounds[:, 2:] - bounds[:, :2]
        square = np.maximum(extent, 1e-9) / (side - 3)[:, None]
        low = low - 1.5 * square
        ends = (side**2).cumsum()
        cells = cls(
            frames=np.column_stack([low, 1 / square, side - 1, ends - side**2]),
            squares=np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8),
        )
        parallel_deg = np.abs(bounds[:, [0, 2]]).max(axis=1, initial=0.0)
        # The antimeridian has two longitudes: whatever is found beside such an area may be its other side.
        rims = np.where((bounds[:, 1] <= -180.0) | (bounds[:, 3] == 180.0), BOUNDARY, OUTSIDE)
        for size in sorted(set(side.tolist())):
            cells._draw(lines, (side == size).nonzero()[0], parallel_deg, rims)
        return cells

    def take(self, area: npt.NDArray[np.integer]) -> "Cells":
        """Those of some areas, in their order."""
        frames = self.frames[area]
        count = ((frames[:, 4] + 1) ** 2).astype(np.int64)
        squares = self.squares[numbers(frames[:, 5].astype(np.int64), count)]
        frames[:, 5] = count.cumsum() - count
        return Cells(frames=frames, squares=squares)

    def after(self, others: "Cells") -> "Cells":
        """These, but to lie behind the others in each array."""
        frames = self.frames.copy()
        frames[:, 5] += len(others.squares)
        return Cells(frames=frames, squares=self.squares)

    def _draw(
        self,
        lines: Lines,
        area: npt.NDArray[np.intp],
        parallel_deg: FloatArray,
        rims: npt.NDArray[np.integer],
    ) -> None:
        """Fills in the squares of areas that all have as many; `parallel_deg` are their highest latitudes."""
        frames = self.frames[area]
        side = int(frames[0, 4]) + 1
        edges = _Edges.of(lines, area, frames)
        touched = edges.touched()
        inside = edges.crossed_oddly() & ~touched
        _, east_m = degree_lengths_m(parallel_deg[area])
        narrowest_m = np.minimum(SHORTEST_MERIDIAN_DEGREE_M / frames[:, 2], 0.999 * east_m / frames[:, 3])
        depth_m = (_depth(inside) - 1) * narrowest_m[:, None, None]
        steps = INSIDE + 1 + np.floor(STEPS_PER_DOUBLING * np.log2(np.maximum(depth_m, 0.5)))
        value = np.where(inside, np.clip(steps, INSIDE, 255), np.where(touched, BOUNDARY, OUTSIDE))
        for edge in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]):
            value[edge] = rims[area][:, None]
        first = frames[:, 5].astype(np.int64)
        self.squares[numbers(first, np.full(len(area), side * side))] = value.reshape(-1)


class _Edges(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Edges over pictures of `side` by `side` squares, in squares from the south-west."""

    side: int
    pictures: int
    picture: npt.NDArray[np.int64]
    x0: FloatArray
    y0: FloatArray
    x1: FloatArray
    y1: FloatArray

    @classmethod
    def of(cls, lines: Lines, area: npt.NDArray[np.intp], frames: FloatArray) -> "_Edges":
        """Those of some areas, given with their frames."""
        picture = np.full(int(lines.area_of_strip[-1]) + 1, -1)
        picture[area] = np.arange(len(area))
        starts = lines.starts
        starts = starts[picture[lines.area_of_strip[lines.strip[starts]]] >= 0]
        of = picture[lines.area_of_strip[lines.strip[starts]]]
        (y0, x0), (y1, x1) = (
            ((lines.degrees[vertex] - frames[of, :2]) * frames[of, 2:4]).T for vertex in (starts, starts + 1)
        )
        return cls(side=int(frames[0, 4]) + 1, pictures=len(area), picture=of, x0=x0, y0=y0, x1=x1, y1=y1)

    def _rows(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Each edge with every row of squares it touches."""
        return self._runs(np.minimum(self.y0, self.y1), np.maximum(self.y0, self.y1))

    def _runs(self, low: FloatArray, high: FloatArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        begin, end = (
            np.clip(np.floor(limit), 0, self.side - 1).astype(np.int64)
            for limit in (low - _MARGIN, high + _MARGIN)
        )
        return spread(begin, end - begin + 1)

    def touched(self) -> npt.NDArray[np.bool_]:
        """The squares that any edge touches."""
        edge, row = self._rows()
        low, high = (order(self.y0, self.y1)[edge] for order in (np.minimum, np.maximum))
        # Between these heights an edge is within the row, and between these sides then; level ones all along.
        sides = [
            np.where(low < high, self._x_at(edge, np.clip(y, low, high)), level[edge])
            for y, level in ((row - _MARGIN, self.x0), (row + 1 + _MARGIN, self.x1))
        ]
        run, column = self._runs(np.minimum(*sides), np.maximum(*sides))
        found = np.zeros(self.pictures * self.side * self.side, bool)
        found[(self.picture[edge[run]] * self.side + row[run]) * self.side + column] = True
        return found.reshape(self.pictures, self.side, self.side)

    def crossed_oddly(self) -> npt.NDArray[np.bool_]:
        """The squares to whose middles one comes from the west over an odd number of edges."""
        edge, row = self._rows()
        middle = row + 0.5
        crosses = np.flatnonzero((self.y0[edge] <= middle) != (self.y1[edge] <= middle))
        edge, row = edge[crosses], row[crosses]
        column = np.clip(np.ceil(self._x_at(edge, middle[crosses]) - 0.5), 0, self.side).astype(np.int64)
        shape = self.pictures, self.side, self.side + 1
        square = (self.picture[edge] * self.side + row) * (self.side + 1) + column
        crossed = np.bincount(square, minlength=math.prod(shape)).reshape(shape)
        return np.asarray(crossed.cumsum(axis=2)[:, :, :-1] % 2 == 1)

    def _x_at(self, edge: npt.NDArray[np.int32], y: npt.NDArray[np.floating]) -> FloatArray:
        x0, y0 = self.x0[edge], self.y0[edge]
        height = self.y1[edge] - y0
        return x0 + (y - y0) / np.where(height == 0, 1.0, height) * (self.x1[edge] - x0)


def _depth(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.int16]:
    """How many squares, corners included, one must go at least to leave the inside; 0 outside."""
    depth = inside.astype(np.int16)
    left = np.pad(inside, ((0, 0), (1, 1), (1, 1)))
    while left.any():
        rows = left[:, 1:-1] & left[:, :-2] & left[:, 2:]
        left[:, 1:-1, 1:-1] = rows[:, :, 1:-1] & rows[:, :, :-2] & rows[:, :, 2:]
        depth += left[:, 1:-1, 1:-1]
    return depth
