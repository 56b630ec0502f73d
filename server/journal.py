"""The journal: the durable log of everything accepted that can change a decision.

One interface for what writes and what reads it. Here it is PostgreSQL: one packed row per micro-batch, in the
same transaction as its effects, partitioned by day so that retention is the dropping of partitions.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import date, timedelta
from typing import Protocol

import asyncpg
import msgspec

from server.clock import from_us, to_us
from server.db import Connection, Database
from server.inputs import Input, pack_inputs, unpack_inputs
from server.sql import queries

SQL = queries("engine")


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One micro-batch."""

    seq: int  #: 1, 2, 3 … per retailer, without gaps
    written_at_us: int  #: the batch's present: what every decision in it took for now
    version: int  #: of the published world it was judged by
    inputs: Sequence[Input]

    @property
    def day(self) -> date:
        """The day (UTC) it belongs to."""
        return from_us(self.written_at_us).date()


class Journal(Protocol):
    """Where micro-batches are kept. The same tests run on every implementation."""

    async def prepare(self, database: Database, day: date) -> None:
        """Makes room for entries of a day and of the next; cheap when there is."""
        ...

    async def append(self, connection: Connection, retailer_id: str, entry: Entry) -> None:
        """Adds the entry in the caller's transaction; durable when that commits."""
        ...

    def day(self, connection: Connection, retailer_id: str, day: date) -> AsyncIterator[Entry]:
        """The entries of a day in order. Needs an open transaction."""
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
        await connection.execute(
            SQL["append_journal"],
            retailer_id,
            entry.seq,
            entry.day,
            from_us(entry.written_at_us),
            entry.version,
            pack_inputs(entry.inputs),
        )

    async def day(self, connection: Connection, retailer_id: str, day: date) -> AsyncIterator[Entry]:
        async for row in connection.cursor(SQL["journal_of_day"], retailer_id, day, prefetch=200):
            yield Entry(
                seq=row["seq"],
                written_at_us=to_us(row["written_at"]),
                version=row["version"],
                inputs=unpack_inputs(row["inputs"]),
            )
