"""The pings of a micro-batch, their fixes in columns: so they are admitted, sensed and journaled."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from geo.batch import LEAST_ACCURACY_M, FixBatch, float32_precision
from geo.distance import FloatArray
from geo.fix import Fix
from geo.reported import Report
from geo.rows import known
from server.inputs import RecordFixes

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

KEY_BYTES = 8  #: by which a fix is known again
_FLOATS = ("lat_deg", "lon_deg", "accuracy_m", "speed_mps", "course_deg", "altitude_m")
#: Odd constants of splitmix64 and xxHash, one for each part of a key.
_MIX = tuple(map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xC2B2AE3D27D4EB4F)))


class Pings(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Pings in order of arrival. The fixes of ping `i` are rows `first[i]` to `first[i + 1]`; what its item
    itself lists is where they came from, and counts for nothing here.
    """

    items: list[RecordFixes]
    first: Integers
    fixed_at_us: Integers
    lat_deg: FloatArray
    lon_deg: FloatArray
    accuracy_m: FloatArray  #: NaN: unknown, here and in the next three
    speed_mps: FloatArray
    course_deg: FloatArray
    altitude_m: FloatArray
    mock: Flags
    ids: list[str | None] | None = None  #: the phones' own names for them; None where none has one

    @classmethod
    def of(cls, items: Sequence[RecordFixes]) -> "Pings":
        """The columns of what the items list."""
        rows = list(chain.from_iterable(item.fixes for item in items))
        ids = [fix.id for fix in rows]
        return cls(
            items=list(items),
            first=np.cumsum([0, *(len(item.fixes) for item in items)]),
            fixed_at_us=np.array([fix.fixed_at_us for fix in rows], np.int64),
            # None becomes NaN.
            lat_deg=np.array([fix.lat_deg for fix in rows], np.float64),
            lon_deg=np.array([fix.lon_deg for fix in rows], np.float64),
            accuracy_m=_unless_negative([fix.accuracy_m for fix in rows], zero=False),
            speed_mps=_unless_negative([fix.speed_mps for fix in rows], zero=True),
            course_deg=np.array([fix.course_deg for fix in rows], np.float64),
            altitude_m=np.array([fix.altitude_m for fix in rows], np.float64),
            mock=np.array([fix.mock for fix in rows], bool),
            ids=ids if any(ids) else None,
        )

    @classmethod
    def joined(cls, parts: Sequence["Pings"]) -> "Pings":
        """All of these, in order."""
        ids = [name for part in parts for name in part.ids or [None] * len(part.fixed_at_us)]
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in (*_FLOATS, "fixed_at_us", "mock")
        }
        return cls(
            items=[item for part in parts for item in part.items],
            first=np.cumsum(np.concatenate([[0], *(part.counts for part in parts)])),
            ids=ids if any(ids) else None,
            **columns,
        )

    def __len__(self) -> int:
        return len(self.items)

    @property
    def counts(self) -> Integers:
        """How many fixes each ping has."""
        return self.first[1:] - self.first[:-1]  # np.diff takes eight times as long, and this is asked often

    @property
    def of_row(self) -> Integers:
        """Which ping each row belongs to."""
        return np.arange(len(self.items)).repeat(self.counts)

    def rows(self, ping: int) -> range:
        """The rows of a ping."""
        return range(int(self.first[ping]), int(self.first[ping + 1]))

    def fix(self, row: int) -> Fix:
        """One fix as a value."""
        floats = {name: known(float(getattr(self, name)[row])) for name in _FLOATS[2:]}
        return Fix(
            lat_deg=float(self.lat_deg[row]),
            lon_deg=float(self.lon_deg[row]),
            fixed_at_us=int(self.fixed_at_us[row]),
            mock=bool(self.mock[row]),
            id=None if self.ids is None else self.ids[row],
            **floats,
        )

    def listed(self) -> list[RecordFixes]:
        """The items with their fixes as values."""
        return [
            msgspec.structs.replace(item, fixes=tuple(self.fix(row) for row in self.rows(ping)))
            for ping, item in enumerate(self.items)
        ]

    def only(self, pings: Sequence[int], items: Sequence[RecordFixes], rows: Flags) -> "Pings":
        """Some pings, as these items, with those of their rows that are flagged."""
        before = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(rows, out=before[1:])
        counts = np.diff(before[self.first])
        at = rows.nonzero()[0]
        ids = None if self.ids is None else [self.ids[row] for row in at.tolist()]
        columns = {name: getattr(self, name)[at] for name in (*_FLOATS, "fixed_at_us", "mock")}
        first = np.zeros(len(pings) + 1, np.int64)
        np.cumsum(counts[list(pings)], out=first[1:])
        return Pings(items=list(items), first=first, ids=ids if ids and any(ids) else None, **columns)

    def select(self, wanted: Callable[[RecordFixes], bool]) -> "Pings":
        """Those pings whose item is wanted."""
        kept = [ping for ping, item in enumerate(self.items) if wanted(item)]
        if len(kept) == len(self.items):
            return self
        flags = np.zeros(len(self.items), bool)
        flags[kept] = True
        return self.only(kept, [self.items[ping] for ping in kept], flags.repeat(self.counts))

    def batch(self, slots: npt.NDArray[np.int32]) -> FixBatch:
        """What the fence engine reads, given the slot of each ping's device."""
        return FixBatch(
            device=slots.repeat(self.counts),
            lat_deg=self.lat_deg,
            lon_deg=self.lon_deg,
            fixed_at_us=self.fixed_at_us,
            accuracy_m=np.maximum(float32_precision(self.accuracy_m), LEAST_ACCURACY_M),
            speed_mps=float32_precision(self.speed_mps),
        )

    def keys(self) -> bytes:
        """What makes two fixes of one device the same, 8 bytes a row: the phone's own id, else time and
        position.
        """
        parts = (self.fixed_at_us.view(np.uint64), self.lat_deg.view(np.uint64), self.lon_deg.view(np.uint64))
        key = np.zeros(len(self.fixed_at_us), np.uint64)
        for part, factor in zip(parts, _MIX, strict=False):
            key = (key ^ part) * factor
            key ^= key >> np.uint64(29)
        key *= _MIX[3]
        for row, name in enumerate(self.ids or ()):
            if name is not None:
                key[row] = np.frombuffer(hashlib.blake2b(name.encode(), digest_size=8).digest(), np.uint64)[0]
        return key.tobytes()

    def mocked(self) -> set[tuple[str, int]]:
        """Device and time of the fixes that a mock-location app made up."""
        at = self.mock.nonzero()[0]
        whose = self.of_row[at].tolist()
        return {
            (self.items[ping].device_id, at_us)
            for ping, at_us in zip(whose, self.fixed_at_us[at].tolist(), strict=True)
        }

    def by_device(self) -> Iterator[tuple[int, RecordFixes]]:
        """The last ping of each device that has a fix."""
        last = {item.device_id: ping for ping, item in enumerate(self.items) if len(self.rows(ping))}
        return ((ping, self.items[ping]) for ping in last.values())


def _unless_negative(numbers: list[float | None], *, zero: bool) -> FloatArray:
    """Numbers that phones set to -1 (an accuracy also to 0) where they do not know them: those become NaN."""
    column = np.array(numbers, np.float64)
    column[(column < 0) if zero else (column <= 0)] = np.nan
    return column


class PackedPings(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Pings as bytes: columns as they lie in memory, little-endian."""

    shopper_ids: list[str]
    device_ids: list[str]
    received_at_us: bytes
    count: bytes
    in_sensitive: bytes
    sensitive_at_us: dict[int, int]
    backlog: bytes
    reports: dict[int, tuple[Report, ...]]
    fixed_at_us: bytes
    floats: list[bytes]  #: in the order of `_FLOATS`; empty where no row has one
    mock: bytes
    ids: list[str | None] | None
    copied_at_us: dict[int, tuple[int, ...]] = {}


def pack_pings(pings: Pings) -> PackedPings:
    items = pings.items
    sensitive = {
        ping: item.sensitive_at_us for ping, item in enumerate(items) if item.sensitive_at_us is not None
    }
    floats = [getattr(pings, name) for name in _FLOATS]
    return PackedPings(
        shopper_ids=[item.shopper_id for item in items],
        device_ids=[item.device_id for item in items],
        received_at_us=np.array([item.received_at_us for item in items], "<i8").tobytes(),
        count=pings.counts.astype("<i4").tobytes(),
        in_sensitive=bytes([bool(item.in_sensitive) for item in items]),
        sensitive_at_us=sensitive,
        backlog=bytes([item.backlog for item in items]),
        reports={ping: item.reports for ping, item in enumerate(items) if item.reports},
        fixed_at_us=pings.fixed_at_us.astype("<i8").tobytes(),
        floats=[b"" if np.isnan(column).all() else column.astype("<f8").tobytes() for column in floats],
        mock=np.packbits(pings.mock).tobytes() if pings.mock.any() else b"",
        ids=pings.ids,
        copied_at_us={ping: item.copied_at_us for ping, item in enumerate(items) if item.copied_at_us},
    )


def unpack_pings(packed: PackedPings) -> Pings:
    """The inverse of `pack_pings`; the items list no fixes."""
    columns = (packed.received_at_us, packed.count)
    received, counts = (np.frombuffer(data, kind) for data, kind in zip(columns, ("<i8", "<i4"), strict=True))
    fixed_at_us = np.frombuffer(packed.fixed_at_us, "<i8")
    rows = zip(packed.shopper_ids, packed.device_ids, received.tolist(), packed.in_sensitive, strict=True)
    items = [
        RecordFixes(
            shopper_id=shopper_id,
            device_id=device_id,
            received_at_us=received_at_us,
            in_sensitive=bool(in_sensitive),
            sensitive_at_us=packed.sensitive_at_us.get(ping),
            backlog=bool(packed.backlog[ping]),
            reports=packed.reports.get(ping, ()),
            copied_at_us=packed.copied_at_us.get(ping, ()),
        )
        for ping, (shopper_id, device_id, received_at_us, in_sensitive) in enumerate(rows)
    ]
    unknown = np.full(len(fixed_at_us), np.nan)
    floats: dict[str, Any] = {
        name: np.frombuffer(data, "<f8") if data else unknown
        for name, data in zip(_FLOATS, packed.floats, strict=True)
    }
    mock = np.zeros(len(fixed_at_us), bool)
    if packed.mock:
        mock = np.unpackbits(np.frombuffer(packed.mock, np.uint8), count=len(fixed_at_us)).astype(bool)
    return Pings(
        items=items,
        first=np.concatenate([[0], np.cumsum(counts)]),
        fixed_at_us=fixed_at_us,
        mock=mock,
        ids=packed.ids,
        **floats,
    )
