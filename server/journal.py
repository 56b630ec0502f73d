"""The journal: the durable log of everything accepted that can change a decision.

One interface for what writes and what reads it; `tests/contract/test_journal.py` says what it promises. Here
it is PostgreSQL: one packed row per micro-batch, partitioned by day so that retention is the dropping of
partitions. A batch from which something follows is appended in the same transaction as that; any other in
one statement. Where inputs come from Kafka a row says where its pings lie there (`server/kafka/journal.py`).
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from datetime import date, timedelta
from typing import Any, Protocol

import asyncpg
import msgspec

from server import crash
from server.clock import from_us, to_us
from server.db import Connection, Database
from server.inputs import Input, RecordFixes
from server.parts import WHOLE, Part
from server.pings import PackedPings, Pings, pack_pings, unpack_pings
from server.sql import queries
from server.writes import Writes

SQL = queries("engine")

#: Where in Kafka the items of a batch lie: from which offset of the partition, and before which.
Span = tuple[int, int] | None


class Source(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where the pings of an entry lie that came from Kafka."""

    span: tuple[int, int]
    items: Sequence[RecordFixes]  #: all pings of the retailer's there, as they came
    kept: Sequence[int]  #: which of them the entry's pings are


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One micro-batch."""

    seq: int  #: 1, 2, 3 … in its part, without gaps
    written_at_us: int  #: the batch's present: what every decision in it took for now
    version: int  #: of the published world it was judged by
    inputs: Sequence[Input]  #: all but the pings
    pings: Pings
    part: int = 0  #: of the retailer's shoppers
    source: Source | None = None
    #: of the entry before it: where the clock was set back over midnight none goes to an earlier day
    not_before: date = date.min

    @property
    def day(self) -> date:
        """The day (UTC) it belongs to."""
        return max(from_us(self.written_at_us).date(), self.not_before)

    @property
    def upto(self) -> int | None:
        """With it everything before this offset of Kafka's partition is done."""
        return None if self.source is None else self.source.span[1]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to journal."""
        return not self.inputs and not len(self.pings)


class Journal(Protocol):
    """Where the micro-batches of a part are kept. The same tests run on every implementation."""

    part: Part

    async def prepare(self, database: Database, day: date) -> None:
        """Makes room for entries of a day and of the next; cheap when there is."""
        ...

    def append(self, writes: Writes, retailer_id: str, entry: Entry) -> None:
        """Adds the entry to what a transaction writes; durable when that commits. Nothing, if it is empty."""
        ...

    async def append_alone(self, database: Database, retailer_id: str, entry: Entry) -> bool:
        """Adds the entry likewise; durable on return. False, and nothing added, if it is not the next one."""
        ...

    def day(self, connection: Connection, retailer_id: str, day: date) -> AsyncIterator[Entry]:
        """The entries of a day in order. Needs an open transaction."""
        ...

    def since(
        self, connection: Connection, retailer_id: str, seq: int, first: date, last: date
    ) -> AsyncIterator[Entry]:
        """The entries after `seq` in order, those of some days alone. Needs an open transaction."""
        ...


class PostgresJournal:
    """The journal in the table of that name."""

    def __init__(self, part: Part = WHOLE) -> None:
        self.part = part
        self._opened: set[date] = set()

    async def prepare(self, database: Database, day: date) -> None:
        if day not in self._opened:
            both = {day, day + timedelta(days=1)}  # the batch may be written just after midnight
            for wanted in sorted(both):
                # Where another lane makes the same day at this very moment, the name is taken once it has.
                with suppress(asyncpg.DuplicateTableError):
                    async with database.system() as connection:
                        await connection.execute(SQL["open_journal_day"], wanted)
            self._opened = both

    def append(self, writes: Writes, retailer_id: str, entry: Entry) -> None:
        place = retailer_id, self.part.number
        if not entry.empty:
            writes.add(SQL["append_journal"], *place, entry.seq, *self._columns(entry))
            writes.add(SQL["raise_head"], *place, entry.seq, entry.upto)
        elif entry.upto is not None:
            writes.add(SQL["move_head"], *place, entry.upto)

    async def append_alone(self, database: Database, retailer_id: str, entry: Entry) -> bool:
        if entry.empty:
            return True
        async with database.statement() as connection:
            place = (retailer_id, self.part.number, self.part.epoch, entry.seq - 1, entry.upto)
            arguments = (*place, *self._columns(entry))
            crash.passing("before_commit")
            appended: bool = await connection.fetchval(SQL["append_alone"], *arguments)
        return appended

    async def day(self, connection: Connection, retailer_id: str, day: date) -> AsyncIterator[Entry]:
        async for row in connection.cursor(
            SQL["journal_of_day"], retailer_id, day, self.part.number, 0, prefetch=200
        ):
            yield await self._entry(retailer_id, row)

    async def since(
        self, connection: Connection, retailer_id: str, seq: int, first: date, last: date
    ) -> AsyncIterator[Entry]:
        for days in range((last - first).days + 1):  # day by day, since the key leads by the day
            arguments = (retailer_id, first + timedelta(days=days), self.part.number, seq)
            async for row in connection.cursor(SQL["journal_of_day"], *arguments, prefetch=200):
                yield await self._entry(retailer_id, row)

    def _columns(self, entry: Entry) -> tuple[Any, ...]:
        return entry.day, from_us(entry.written_at_us), entry.version, self._packed(entry)

    def _packed(self, entry: Entry) -> bytes:
        return pack_inputs(entry.inputs, entry.pings)

    async def _unpacked(self, _retailer_id: str, packed: bytes) -> tuple[list[Input], Pings]:
        return unpack_inputs(packed)

    async def _entry(self, retailer_id: str, row: Any) -> Entry:
        inputs, pings = await self._unpacked(retailer_id, row["inputs"])
        return Entry(
            seq=row["seq"],
            written_at_us=to_us(row["written_at"]),
            version=row["version"],
            inputs=inputs,
            pings=pings,
            part=self.part.number,
            not_before=row["day"],
        )


class Reference(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The pings of a row that lie in Kafka: those between two offsets, but for some."""

    span: tuple[int, int]
    without: list[int]  #: which of them are not the entry's …
    instead: list[int]  #: … and those that the row itself has, otherwise than they came


class Packed(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What is in a row."""

    pings: PackedPings | None = None
    inputs: list[Input] = []
    reference: Reference | None = None


_encoder = msgspec.msgpack.Encoder()
#: Rows of earlier versions hold a list, with the fixes one by one.
_decoder = msgspec.msgpack.Decoder(list[Input] | Packed)


def pack_inputs(inputs: Sequence[Input], pings: Pings, reference: Reference | None = None) -> bytes:
    """One micro-batch as the bytes of a journal row."""
    packed = pack_pings(pings) if len(pings) else None
    return _encoder.encode(Packed(pings=packed, inputs=list(inputs), reference=reference))


def unpack_inputs(packed: bytes) -> tuple[list[Input], Pings]:
    """What lies in the row itself; raises msgspec.ValidationError on bytes `pack_inputs` did not write."""
    inputs, pings, _ = unpack_row(packed)
    return inputs, pings


def unpack_row(packed: bytes) -> tuple[list[Input], Pings, Reference | None]:
    """Likewise, and which pings are elsewhere."""
    found = _decoder.decode(packed)
    if isinstance(found, list):
        return *split(found), None
    pings = Pings.of(()) if found.pings is None else unpack_pings(found.pings)
    return found.inputs, pings, found.reference


def listed(packed: bytes) -> list[Input]:
    """All inputs of a journal row, pings with their fixes as values."""
    inputs, pings = unpack_inputs(packed)
    return [*inputs, *pings.listed()]


def without_shopper(packed: bytes, ids: Collection[str]) -> bytes:
    """The bytes of a journal row without the inputs of one shopper, under whichever of her ids."""
    inputs, pings, reference = unpack_row(packed)
    kept = [item for item in inputs if item.shopper_id not in ids]
    if reference is not None:  # hers that Kafka has go with its retention
        whose = dict(zip(reference.instead, pings.items, strict=True))
        gone = [place for place, item in whose.items() if item.shopper_id in ids]
        left = [place for place in reference.instead if place not in gone]
        reference = Reference(reference.span, sorted([*reference.without, *gone]), left)
    return pack_inputs(kept, pings.select(lambda item: item.shopper_id not in ids), reference)


def split(inputs: Sequence[Input]) -> tuple[list[Input], Pings]:
    """What is no ping; and the pings, in columns."""
    return (
        [item for item in inputs if not isinstance(item, RecordFixes)],
        Pings.of([item for item in inputs if isinstance(item, RecordFixes)]),
    )
