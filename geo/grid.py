"""A hashed grid over the Earth: which boxes may hold a point.

Each box is entered in every cell it touches. Cells are hashed to buckets; two cells that share a bucket cost
a few needless candidates, never a wrong answer, because whoever asks judges the candidates exactly. So the
grid needs no memory for empty regions, and boxes anywhere on Earth cost the same.

Boxes of similar size share a level, whose cells are about as large as they are, so that a box of any size
touches about ten cells. Rows are equally high. A row has as many columns as make its cells about square, the
same number throughout one degree of latitude.
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import FloatArray, IndexArray

HashArray: TypeAlias = npt.NDArray[np.uint64]

#: The largest box of a level is at most this many times the size of its smallest.
LEVEL_SPAN = 4.0
_ROW_FACTOR, _COLUMN_FACTOR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
#: Boxes are widened by this much (0.1 mm) against rounding at the borders of cells.
_MARGIN_DEG = 1e-9


class Boxes(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Bounds in degrees. A box across the antimeridian has west < -180 or east > 180."""

    south: FloatArray
    west: FloatArray
    north: FloatArray
    east: FloatArray

    def take(self, index: npt.NDArray[np.integer]) -> "Boxes":
        """Some of the boxes, in the order of `index`."""
        return Boxes(
            south=self.south[index], west=self.west[index], north=self.north[index], east=self.east[index]
        )

    def replaced(self, where: npt.NDArray[np.bool_], bounds: Sequence[tuple[float, ...]]) -> "Boxes":
        """With others (south, west, north, east) in some places, in their order."""
        columns = [self.south.copy(), self.west.copy(), self.north.copy(), self.east.copy()]
        for column, values in zip(columns, zip(*bounds, strict=True), strict=False):
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


class Level(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Boxes of similar size in a grid of their own."""

    rows_per_degree: int
    columns: FloatArray  #: cells around the Earth in each of the 180 degrees of latitude, from the south
    shift: np.uint64  #: a hash shifted by this is a bucket
    first: IndexArray  #: bucket b holds items[first[b]] .. items[first[b + 1] - 1], ascending
    items: IndexArray

    @classmethod
    def build(cls, boxes: Boxes, items: IndexArray, cell_share: float) -> "Level":
        """Enters each box under its item's number. A cell's side is `cell_share` of the usual box's."""
        cell_deg = cell_share * float(np.median(boxes.size_deg))
        rows_per_degree = max(1, int(1 / max(cell_deg, 1e-6)))
        columns = _columns(rows_per_degree)
        box, cell_hash = _cells(boxes, rows_per_degree, columns)
        bits = max(4, int(2 * len(box)).bit_length())
        bucket = (cell_hash >> np.uint64(64 - bits)).astype(np.int64)
        entry = np.unique(bucket * (int(items.max()) + 1) + items[box])
        bucket, item = np.divmod(entry, int(items.max()) + 1)
        first = np.searchsorted(bucket, np.arange((1 << bits) + 1)).astype(np.int32)
        return cls(
            rows_per_degree=rows_per_degree,
            columns=columns,
            shift=np.uint64(64 - bits),
            first=first,
            items=item.astype(np.int32),
        )

    def candidates(self, lat_deg: FloatArray, lon_deg: FloatArray) -> tuple[IndexArray, IndexArray]:
        """Pairs of a point's place and an item whose box may hold it, ascending."""
        row = np.minimum((lat_deg + 90.0) * self.rows_per_degree, 180 * self.rows_per_degree - 1).astype(
            np.int64
        )
        around = self.columns[row // self.rows_per_degree]
        column = np.floor((lon_deg + 180.0) / 360.0 * around) % around
        bucket = (_hash(row, column) >> self.shift).astype(np.int64)
        begin = self.first[bucket]
        count = self.first[bucket + 1] - begin
        ends = np.cumsum(count)
        point = np.repeat(np.arange(len(lat_deg), dtype=np.int32), count)
        place = np.arange(len(point)) + np.repeat(begin - ends + count, count)
        return point, self.items[place]


def levels_of(boxes: Boxes, items: IndexArray, *, cell_share: float = 0.5) -> tuple[Level, ...]:
    """Sorts boxes by size into as few levels as their sizes need.

    Smaller cells mean fewer needless candidates and more memory: half a box's size makes some nine entries of
    a box, its whole size four.
    """
    order = np.argsort(boxes.size_deg, kind="stable")
    sizes = boxes.size_deg[order]
    levels, begin = [], 0
    while begin < len(order):
        end = int(np.searchsorted(sizes, LEVEL_SPAN * max(float(sizes[begin]), 1e-7), side="right"))
        chosen = order[begin:end]
        levels.append(Level.build(boxes.take(chosen), items[chosen], cell_share))
        begin = end
    return tuple(levels)


def _columns(rows_per_degree: int) -> FloatArray:
    south = np.arange(-90.0, 90.0)
    widest = np.cos(np.radians(np.where(south < 0, south + 1, south)))
    return np.maximum(1.0, np.floor(360.0 * rows_per_degree * widest))


def _cells(boxes: Boxes, rows_per_degree: int, columns: FloatArray) -> tuple[npt.NDArray[np.intp], HashArray]:
    """Every cell each box touches: the box's place and the cell's hash."""
    top = 180 * rows_per_degree - 1
    south = np.clip(np.floor((boxes.south - _MARGIN_DEG + 90.0) * rows_per_degree), 0, top).astype(np.int64)
    north = np.clip(np.floor((boxes.north + _MARGIN_DEG + 90.0) * rows_per_degree), 0, top).astype(np.int64)
    box, row = _ranges(south, north - south + 1)
    around = columns[row // rows_per_degree]
    west = np.floor((boxes.west[box] - _MARGIN_DEG + 180.0) / 360.0 * around)
    east = np.floor((boxes.east[box] + _MARGIN_DEG + 180.0) / 360.0 * around)
    strip, column = _ranges(west.astype(np.int64), np.minimum(east - west + 1, around).astype(np.int64))
    return box[strip], _hash(row[strip], column % around[strip])


def _ranges(
    begin: npt.NDArray[np.int64], count: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """begin[i], begin[i] + 1, … count[i] numbers for every i, beside the i they are of."""
    of = np.repeat(np.arange(len(begin)), count)
    before = np.cumsum(count) - count
    return of, np.arange(len(of)) + np.repeat(begin - before, count)


def _hash(row: npt.NDArray[np.int64], column: FloatArray) -> HashArray:
    """Fibonacci hashing in two dimensions; the upper bits are the good ones."""
    hashed: HashArray = row.astype(np.uint64) * _ROW_FACTOR + column.astype(np.uint64) * _COLUMN_FACTOR
    return hashed
