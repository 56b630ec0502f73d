"""A stored day, to be lived through again: its journal, the states of that morning, the worlds it names, and
what was decided.

Whoever replays it runs the same functions as the live pipeline (`server/turn.py`) on what this gives. All is
read in one snapshot; nothing is written.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, Self

from geo.fences.roll import Roll
from server.db import Connection, Database
from server.errors import VicinoError
from server.journal import Entry, Journal, PostgresJournal
from server.phones import Phones
from server.publish import Bodies, UnknownRetailer, load_published
from server.records import Record, take_record
from server.sql import queries
from server.world import World

SQL = queries("engine")

Edit = Callable[[Bodies], Bodies]  #: what is published as it is to be instead


class NothingStored(VicinoError):  # noqa: N818 - it names what was found
    """There is no journal of that day."""


class StoredDay:
    """One retailer's day (UTC). `records` and `phones` are its shoppers as they stand in the replay."""

    def __init__(  # noqa: PLR0917 - what it is made of
        self,
        connection: Connection,
        retailer_id: str,
        day: date,
        secret: bytes,
        edit: Edit | None,
        journal: Journal,
    ) -> None:
        self.connection = connection
        self.journal = journal
        self.retailer_id = retailer_id
        self.day = day
        self.records: dict[str, Record] = {}
        self._roll = Roll()
        self.phones = Phones(self._roll)
        self.world: World | None = None  #: of the newest entry
        self._secret = secret
        self._edit = edit
        self._asked: set[str] = set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: Database,
        retailer_id: str,
        day: date,
        edit: Edit | None = None,
        journal: Journal | None = None,
    ) -> AsyncIterator[Self]:
        """The day; with `edit`, as if other things had been published; with `journal`, of the shoppers of its
        part. Raises UnknownRetailer.
        """
        async with database.transaction(retailer_id, snapshot=True) as connection:
            secret = await connection.fetchval(SQL["secret"], retailer_id)
            if secret is None:
                raise UnknownRetailer(f"no retailer {retailer_id}")
            yield cls(connection, retailer_id, day, secret, edit, journal or PostgresJournal())

    async def entries(self) -> AsyncIterator[Entry]:
        """The micro-batches in order. Raises NothingStored where there is none."""
        found = False
        async for entry in self.journal.day(self.connection, self.retailer_id, self.day):
            found = True
            yield entry
        if not found:
            raise NothingStored(
                f"nothing is stored of {self.day}: that day had no input, or its journal is gone"
            )

    async def size(self) -> int:
        """How many micro-batches there are."""
        count: int = await self.connection.fetchval(SQL["journal_size"], self.retailer_id, self.day)
        return count

    async def at(self, entry: Entry) -> World:
        """The world by which an entry was judged; the shoppers it concerns are loaded."""
        await self.load({item.shopper_id for item in (*entry.inputs, *entry.pings.items)})
        if self.world is None or self.world.version != entry.version:
            bodies = await load_published(self.connection, self.retailer_id, entry.version)
            if self._edit is not None:
                bodies = self._edit(bodies)
            self.world = World.build(self.retailer_id, self._secret, entry.version, bodies, roll=self._roll)
        return self.world

    async def load(self, shopper_ids: Collection[str]) -> None:
        """Takes over the shoppers that this day has not asked for yet, as they stood that morning."""
        missing = [name for name in shopper_ids if name not in self._asked]
        self._asked.update(missing)
        rows = await self.connection.fetch(SQL["records_at_day_start"], self.retailer_id, self.day, missing)
        self.records |= {
            row["shopper_id"]: take_record(row["state"], self.phones)
            for row in rows
            if row["state"] is not None
        }

    async def receipts(self, entry: Entry) -> Mapping[str, dict[str, Any]]:
        """What an entry led to: receipts by the decision's id."""
        rows = await self.connection.fetch(SQL["receipts_of_batch"], self.retailer_id, entry.part, entry.seq)
        return {row["decision_id"]: row["receipt"] for row in rows}
