"""Growing tables of fixed-width records: what the engine keeps of millions of devices.

A record is read and written whole, by many at once (numpy) or one alone (`struct`), since both cost far less
than doing the same field by field.
"""

import struct
from collections import namedtuple
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[np.void]
#: One record or many, as compiled functions see them: fields are attributes there.
Record: TypeAlias = Any

_FORMATS = {"i8": "q", "f8": "d", "i4": "i", "f4": "f", "i2": "h", "u1": "B"}
#: A table grows by a sixteenth, and by so many records at least; by half while it is small.
GROWTH, GROWTH_LEAST, SMALL = 1.0625, 256, 65_536


class Rows:
    """Records of named fields; record `i` is the i-th ever added. Views of it are void once it grows."""

    def __init__(self, **fields: str) -> None:
        self.dtype = np.dtype(list(fields.items()))
        self._packer = struct.Struct("=" + "".join(_FORMATS[kind] for kind in fields.values()))
        # The fields are known at run time alone.
        self._one = cast(Any, namedtuple)("Row", fields)  # noqa: PYI024
        self._opaque = np.dtype(f"V{self.dtype.itemsize}")
        self._bytes = np.zeros(0, np.uint8)
        self._buffer: Any = self._bytes  # which is a buffer, though its type does not say so
        self._opaque_rows: npt.NDArray[Any] = self._bytes.view(self._opaque)
        self.data: Records = self._bytes.view(self.dtype)
        self.used = 0

    def __len__(self) -> int:
        return self.used

    def add(self, count: int) -> int:
        """Adds so many records, to be filled in; the place of the first."""
        self.reserve(count)
        first, self.used = self.used, self.used + count
        return first

    def reserve(self, count: int) -> None:
        """Makes room for so many records more."""
        if self.used + count > len(self.data):
            growth = 1.5 if len(self.data) < SMALL else GROWTH
            self._hold(max(int(len(self.data) * growth), self.used + count + GROWTH_LEAST))

    def extend(self, records: Records) -> int:
        """Adds records at the end; the place of the first."""
        first = self.add(len(records))
        self._opaque_rows[first : self.used] = self._whole(records)
        return first

    def take(self, places: npt.NDArray[Any]) -> Records:
        """Copies of the records at these places."""
        return self._fields(self._opaque_rows.take(places))

    def get_one(self, place: int) -> Any:
        """One record as Python values, by the names of the fields."""
        return self._one._make(self._packer.unpack_from(self._buffer, place * self.dtype.itemsize))

    def values(self, place: int) -> tuple[Any, ...]:
        """The same without the names, which takes a third of the time."""
        return self._packer.unpack_from(self._buffer, place * self.dtype.itemsize)

    def put_one(self, place: int, *values: float) -> None:
        """Overwrites one record."""
        self._packer.pack_into(self._buffer, place * self.dtype.itemsize, *values)

    def add_one(self, *values: float) -> int:
        """Adds one record; its place."""
        place = self.add(1)
        self.put_one(place, *values)
        return place

    def trim(self) -> None:
        """Gives room back where less than half of it is in use: what is in use grows again before long."""
        if self.used * GROWTH + GROWTH_LEAST < len(self.data) / 2:
            self._hold(int(self.used * GROWTH) + GROWTH_LEAST)

    def pick(self, records: Records, places: npt.NDArray[Any]) -> Records:
        """Copies of some of such records, wherever they come from."""
        return self._fields(self._whole(records).take(places))

    def first(self, count: int) -> Records:
        """Copies of the first records of the table."""
        return self._fields(self._opaque_rows[:count].copy())

    def empty(self, count: int) -> Records:
        """Records to be filled in and added later."""
        return np.zeros(count, self.dtype)

    # `ndarray.view` does the same at three times the cost.
    def _whole(self, records: Records) -> npt.NDArray[Any]:
        return np.ndarray(len(records), self._opaque, cast(Any, records))

    def _fields(self, opaque: npt.NDArray[Any]) -> Records:
        return np.ndarray(len(opaque), self.dtype, cast(Any, opaque))

    def _hold(self, room: int) -> None:
        """Moves to a block of this many records."""
        self.data = self._opaque_rows = np.zeros(0, self.dtype)
        self._bytes.resize(room * self.dtype.itemsize, refcheck=False)  # new bytes are zero
        self._opaque_rows, self.data = self._bytes.view(self._opaque), self._bytes.view(self.dtype)


def known(number: float) -> float | None:
    """None for NaN."""
    return None if number != number else number  # noqa: PLR0124  # NaN alone differs from itself


def unknown(number: float | None) -> float:
    """NaN for None."""
    return float("nan") if number is None else number
