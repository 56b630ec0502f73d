"""A hashed grid over the Earth: which boxes may hold a point.

Each box is entered in every cell it touches. Cells are hashed to buckets; two cells that share a bucket cost
a few needless candidates, never a wrong answer, because whoever asks judges the candidates exactly. So the
grid needs no memory for empty regions, and boxes anywhere on Earth cost the same.

Rows are equally high. A row has as many columns as make its cells about square, the same number throughout
one degree of latitude. The hash steps through the buckets by the golden section from row to row, so that the
rows of a town fall between one another (Knuth, The Art of Computer Programming, volume 3, 6.4).
"""

import math
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import FloatArray, IndexArray
from geo.fences.boxes import Boxes
from geo.fences.ranges import spread

#: A cell's side as a share of the usual box's: smaller means fewer needless candidates and more memory. This
#: makes some six entries of a box.
CELL_SHARE = 0.7
#: Boxes are widened by this much (0.1 mm) against rounding at the borders of cells.
MARGIN_DEG = 1e-9
#: So many boxes are entered at a time: few enough for the processor's caches.
CHUNK = 8_192
_GOLDEN = 0.6180339887498949
_HIGH, _LOW = 32, (1 << 32) - 1

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

    def cells_of(self, boxes: Boxes) -> tuple[IndexArray, Longs, Longs]:
        """Every cell each box touches: the box's place, the row and the column."""
        south, north = (
            np.clip((side + 90.0) * self.rows_per_degree, 0, 180 * self.rows_per_degree).astype(np.int64)
            for side in (boxes.south - MARGIN_DEG, boxes.north + MARGIN_DEG)
        )
        box, row = spread(south, north - south + 1)
        degree = row // self.rows_per_degree
        around, per_degree = self.columns[degree], self.columns_per_degree[degree]
        west = np.floor((boxes.west[box] - MARGIN_DEG + 180.0) * per_degree).astype(np.int64)
        east = np.floor((boxes.east[box] + MARGIN_DEG + 180.0) * per_degree).astype(np.int64)
        strip, column = spread(west, np.minimum(east - west + 1, around))
        cells = box[strip], row[strip], column
        seamless = bool((west > 0).all() and (east < around).all())
        return cells if seamless else _wound(*cells, around[strip])


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
        begins = range(0, len(boxes.south), CHUNK)
        some = (mesh.cells_of(boxes.some(slice(begin, begin + CHUNK))) for begin in begins)
        entry = np.concatenate(
            [_entries(cells, begin, stride, mask) for begin, cells in zip(begins, some, strict=True)]
        )
        entry.sort()
        again = (entry[1:] == entry[:-1]).nonzero()[0]  # two cells of a box that share a bucket
        entry = np.delete(entry, again) if len(again) else entry
        first = np.zeros(mask + 2, np.int32)
        np.cumsum(np.bincount(entry >> _HIGH, minlength=mask + 1), out=first[1:])
        entry &= _LOW
        return cls(mesh=mesh, stride=stride, mask=mask, first=first, cards=cards.take(entry))


def _entries(cells: tuple[IndexArray, Longs, Longs], begin: int, stride: int, mask: int) -> Longs:
    """The bucket of each cell and, counted from `begin` on, the box in it, in one number."""
    box, row, column = cells
    entry = row * stride
    entry += column
    entry &= mask
    entry <<= _HIGH
    entry += box
    entry += begin
    return entry


def _wound(box: IndexArray, row: Longs, column: Longs, around: Longs) -> tuple[IndexArray, Longs, Longs]:
    """Cells whose columns go on across the antimeridian, by all the numbers that they have."""
    column %= around
    seam = (column == 0).nonzero()[0]
    return (
        np.concatenate([box, box[seam]]),
        np.concatenate([row, row[seam]]),
        np.concatenate([column, around[seam]]),
    )
