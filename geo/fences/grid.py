"""A hashed grid over the Earth: which boxes may hold a point.

Each box is entered in every cell it touches. Cells are hashed to buckets; two cells that share a bucket cost
a few needless candidates, never a wrong answer, because whoever asks judges the candidates exactly. So the
grid needs no memory for empty regions, and boxes anywhere on Earth cost the same.

Rows are equally high. A row has as many columns as make its cells about square, the same number throughout
one degree of latitude. The hash steps through the buckets by the golden section from row to row, so that the
rows of a town fall between one another (Knuth, The Art of Computer Programming, volume 3, 6.4).
"""

import math
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from geo.compiled import compiled
from geo.distance import FloatArray, IndexArray
from geo.fences.boxes import Boxes

#: A cell's side as a share of the usual box's: smaller means fewer needless candidates and more memory. This
#: makes some six entries of a box.
CELL_SHARE = 0.7
#: Boxes are widened by this much (0.1 mm) against rounding at the borders of cells.
MARGIN_DEG = 1e-9
_GOLDEN = 0.6180339887498949

Longs: TypeAlias = npt.NDArray[np.int64]
Records: TypeAlias = npt.NDArray[np.void]


class Mesh(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Cells: numbered rows from the south pole, and in each row numbered columns from the antimeridian.

    There is one more row for the north pole itself, and in each row one more column for longitude 180.
    """

    rows_per_degree: int  #: 2ⁿ or 3·2ⁿ
    columns: Longs  #: cells around the Earth, by the degree of latitude from the south
    columns_per_degree: FloatArray  #: the same for one degree of longitude
    column_counts: list[int]  #: both for Python
    column_scales: list[float]

    @classmethod
    def of(cls, cell_deg: float) -> "Mesh":
        """Cells of about this side."""
        wanted = max(1.0 / max(cell_deg, 1e-6), 1.0)
        halvings = math.frexp(wanted)[1] - 1
        # Among 2ⁿ, 3·2ⁿ⁻¹ and 2ⁿ⁺¹ the nearest, as shares go.
        halves = 2 if wanted < 1.22 * 2**halvings else 3 if wanted < 1.73 * 2**halvings else 4
        rows_per_degree = max(1, (halves << halvings) // 2)
        south = np.append(np.arange(-90.0, 90.0), 89.0)
        widest = np.cos(np.radians(np.where(south < 0, south + 1, south)))
        columns = np.maximum(1.0, np.floor(360.0 * rows_per_degree * widest))
        per_degree = columns / 360.0
        return cls(
            rows_per_degree=rows_per_degree,
            columns=columns.astype(np.int64),
            columns_per_degree=per_degree,
            column_counts=columns.astype(np.int64).tolist(),
            column_scales=per_degree.tolist(),
        )

    def cell(self, lat_deg: FloatArray, lon_deg: FloatArray) -> tuple[Longs, Longs]:
        """The row and the column of each point."""
        row = ((lat_deg + 90.0) * self.rows_per_degree).astype(np.int64)
        per_degree = self.columns_per_degree[row // self.rows_per_degree]
        return row, ((lon_deg + 180.0) * per_degree).astype(np.int64)

    def about(self, boxes: Boxes) -> int:
        """About how many cells all boxes touch."""
        degree = np.clip((boxes.south + boxes.north) / 2 + 90.0, 0, 179).astype(np.int64)
        rows = (boxes.north - boxes.south) * self.rows_per_degree + 1
        columns = np.minimum(
            (boxes.east - boxes.west) * self.columns_per_degree[degree] + 1, self.columns[degree]
        )
        return int(rows @ columns)


class Grid(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Boxes by the cells of a mesh. What is told of one, its card, lies wherever it is entered."""

    mesh: Mesh
    stride: int  #: from a row's bucket to the next row's
    mask: int
    first: IndexArray  #: bucket b holds cards[first[b]] .. cards[first[b + 1] - 1], in the boxes' order
    cards: Records

    @classmethod
    def build(cls, mesh: Mesh, boxes: Boxes, cards: Records) -> "Grid":
        """Enters boxes, each with its card."""
        mask = (1 << max(4, mesh.about(boxes).bit_length())) - 1
        stride = int(_GOLDEN * (mask + 1)) | 1
        lines = Lines(mesh.rows_per_degree, mesh.columns, mesh.columns_per_degree, stride, mask)
        sides = Sides(boxes.south, boxes.west, boxes.north, boxes.east)
        first, last = np.zeros(mask + 2, np.int32), np.full(mask + 1, -1, np.int32)
        _count(lines, sides, first[1:], last)
        first.cumsum(out=first)
        last.fill(-1)
        entry = np.empty(int(first[-1]), np.int32)
        _enter(lines, sides, first[:-1].copy(), last, entry)
        return cls(mesh=mesh, stride=stride, mask=mask, first=first, cards=cards.take(entry))


class Lines(NamedTuple):
    """A mesh and how its cells are hashed, for compiled functions."""

    rows_per_degree: int
    columns: Longs
    columns_per_degree: FloatArray
    stride: int
    mask: int


class Sides(NamedTuple):
    """Boxes for compiled functions."""

    south: FloatArray
    west: FloatArray
    north: FloatArray
    east: FloatArray


@compiled
def _count(lines: Lines, sides: Sides, count: IndexArray, last: IndexArray) -> None:
    """Counts the boxes in each bucket. `last` is its last box, -1 at first: two cells may share a bucket."""
    for box in range(len(sides.south)):
        south, north = _rows(lines, sides, box)
        for row in range(south, north + 1):
            west, columns, around = _columns(lines, sides, box, row)
            for i in range(columns):
                column = west + i
                if not 0 < column < around:
                    column %= around
                for bucket in _buckets(lines, row, column, around):
                    count[bucket] += last[bucket] != box
                    last[bucket] = box


@compiled
def _enter(lines: Lines, sides: Sides, to: IndexArray, last: IndexArray, entry: IndexArray) -> None:
    """Enters the boxes in their order, those of a bucket from where `to` says."""
    for box in range(len(sides.south)):
        south, north = _rows(lines, sides, box)
        for row in range(south, north + 1):
            west, columns, around = _columns(lines, sides, box, row)
            for i in range(columns):
                column = west + i
                if not 0 < column < around:
                    column %= around
                for bucket in _buckets(lines, row, column, around):
                    if last[bucket] != box:
                        entry[to[bucket]] = box
                        to[bucket] += 1
                        last[bucket] = box


@compiled
def _rows(lines: Lines, sides: Sides, box: int) -> tuple[int, int]:
    """The first and the last row that a box touches."""
    per_degree = lines.rows_per_degree
    south = (sides.south[box] - MARGIN_DEG + 90.0) * per_degree
    north = (sides.north[box] + MARGIN_DEG + 90.0) * per_degree
    return int(min(max(south, 0.0), 180.0 * per_degree)), int(min(max(north, 0.0), 180.0 * per_degree))


@compiled
def _columns(lines: Lines, sides: Sides, box: int, row: int) -> tuple[int, int, int]:
    """The first column of a row that a box touches (maybe beyond the antimeridian), how many, of how many."""
    degree = int(row / lines.rows_per_degree)
    around, per_degree = lines.columns[degree], lines.columns_per_degree[degree]
    west = math.floor((sides.west[box] - MARGIN_DEG + 180.0) * per_degree)
    east = math.floor((sides.east[box] + MARGIN_DEG + 180.0) * per_degree)
    return west, min(east - west + 1, around), around


@compiled
def _buckets(lines: Lines, row: int, column: int, around: int) -> tuple[int, int]:
    """The bucket of a cell, twice; at the antimeridian that of its other number, too."""
    bucket = row * lines.stride + column
    return bucket & lines.mask, (bucket + around if column == 0 else bucket) & lines.mask
