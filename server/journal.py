"""The journal: the durable log of everything accepted that can change a decision.

One interface for what writes and what reads it; `tests/contract/test_journal.py` says what it promises. Here
it is PostgreSQL: one packed row per micro-batch, partitioned by day so that retention is the dropping of
partitions. A batch from which something follows is appended in the same transaction as that; any other in
one statement.
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
from server.pings import PackedPings, Pings, pack_pings, unpack_pings
from server.sql import queries

SQL = queries("engine")


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One micro-batch."""

    seq: int  #: 1, 2, 3 … per retailer, without gaps
    written_at_us: int  #: the batch's present: what every decision in it took for now
    version: int  #: of the published world it was judged by
    inputs: Sequence[Input]  #: all but the pings
    pings: Pings
    #: of the entry before it: where the clock was set back over midnight none goes to an earlier day
    not_before: date = date.min

    @property
    def day(self) -> date:
        """The day (UTC) it belongs to."""
        return max(from_us(self.written_at_us).date(), self.not_before)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to journal."""
        return not self.inputs and not len(self.pings)


class Journal(Protocol):
    """Where micro-batches are kept. The same tests run on every implementation."""

    async def prepare(self, database: Database, day: date) -> None:
        """Makes room for entries of a day and of the next; cheap when there is."""
        ...

    async def append(self, connection: Connection, retailer_id: str, entry: Entry) -> None:
        """Adds the entry in the caller's transaction; durable when that commits. Nothing, if it is empty."""
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

    def __init__(self) -> None:
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

    async def append(self, connection: Connection, retailer_id: str, entry: Entry) -> None:
        if not entry.empty:
            await connection.execute(SQL["append_journal"], retailer_id, entry.seq, *_columns(entry))
            crash.passing("before_commit")

    async def append_alone(self, database: Database, retailer_id: str, entry: Entry) -> bool:
        if entry.empty:
            return True
        async with database.statement() as connection:
            arguments = (retailer_id, entry.seq - 1, *_columns(entry))
            crash.passing("before_commit")
            appended: bool = await connection.fetchval(SQL["append_alone"], *arguments)
        return appended

    async def day(self, connection: Connection, retailer_id: str, day: date) -> AsyncIterator[Entry]:
        async for row in connection.cursor(SQL["journal_of_day"], retailer_id, day, 0, prefetch=200):
            yield _entry(row)

    async def since(
        self, connection: Connection, retailer_id: str, seq: int, first: date, last: date
    ) -> AsyncIterator[Entry]:
        for days in range((last - first).days + 1):  # day by day, since the key leads by the day
            arguments = (retailer_id, first + timedelta(days=days), seq)
            async for row in connection.cursor(SQL["journal_of_day"], *arguments, prefetch=200):
                yield _entry(row)


class _Packed(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What is in a row."""

    pings: PackedPings | None = None
    inputs: list[Input] = []


_encoder = msgspec.msgpack.Encoder()
#: Rows of earlier versions hold a list, with the fixes one by one.
_decoder = msgspec.msgpack.Decoder(list[Input] | _Packed)


def pack_inputs(inputs: Sequence[Input], pings: Pings) -> bytes:
    """One micro-batch as the bytes of a journal row."""
    packed = pack_pings(pings) if len(pings) else None
    return _encoder.encode(_Packed(pings=packed, inputs=list(inputs)))


def unpack_inputs(packed: bytes) -> tuple[list[Input], Pings]:
    """The inverse of `pack_inputs`; raises msgspec.ValidationError on bytes it did not write."""
    found = _decoder.decode(packed)
    if isinstance(found, list):
        return split(found)
    return found.inputs, Pings.of(()) if found.pings is None else unpack_pings(found.pings)


def listed(packed: bytes) -> list[Input]:
    """All inputs of a journal row, pings with their fixes as values."""
    inputs, pings = unpack_inputs(packed)
    return [*inputs, *pings.listed()]


def without_shopper(packed: bytes, ids: Collection[str]) -> bytes:
    """The bytes of a journal row without the inputs of one shopper, under whichever of her ids."""
    inputs, pings = unpack_inputs(packed)
    kept = [item for item in inputs if item.shopper_id not in ids]
    return pack_inputs(kept, pings.select(lambda item: item.shopper_id not in ids))


def split(inputs: Sequence[Input]) -> tuple[list[Input], Pings]:
    """What is no ping; and the pings, in columns."""
    return (
        [item for item in inputs if not isinstance(item, RecordFixes)],
        Pings.of([item for item in inputs if isinstance(item, RecordFixes)]),
    )


def _columns(entry: Entry) -> tuple[Any, ...]:
    packed = pack_inputs(entry.inputs, entry.pings)
    return entry.day, from_us(entry.written_at_us), entry.version, packed


def _entry(row: Any) -> Entry:
    inputs, pings = unpack_inputs(row["inputs"])
    return Entry(
        seq=row["seq"],
        written_at_us=to_us(row["written_at"]),
        version=row["version"],
        inputs=inputs,
        pings=pings,
        not_before=row["day"],
    )
