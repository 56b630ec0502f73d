"""What is decided, as it is decided: one look at the database for everybody who watches a retailer.

The rows are looked at, and not the pipeline: so it makes no difference which process decides, and what is
told has committed. Without watchers nothing is asked.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import structlog

from notifications.outbox import TERMINAL
from server.db import Database, DatabaseError
from server.moment_rows import brief_of
from server.sql import queries

SQL = queries("console")
log = structlog.get_logger("vicino.live")

EVERY_S = 0.3
#: A watcher who does not keep up with so many loses the oldest: it is a view, not a record.
BACKLOG = 1_000

Brief = dict[str, Any]


class Live:
    """Tells watchers of new moments, and of what becomes of their pushes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watchers: dict[str, set[asyncio.Queue[Brief | None]]] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}

    async def watch(self, retailer_id: str) -> AsyncIterator[Brief | None]:
        """Moments from now on, and each again when its push goes on; None now and then, so that a watcher
        can see whether anybody is still there. Ends with the server.
        """
        queue: asyncio.Queue[Brief | None] = asyncio.Queue(BACKLOG)
        self._watchers.setdefault(retailer_id, set()).add(queue)
        if (looking := self._looking.get(retailer_id)) is None or looking.done():
            self._looking[retailer_id] = asyncio.create_task(self._look(retailer_id), name="live")
        try:
            while not self._looking[retailer_id].done():
                try:
                    async with asyncio.timeout(5):
                        yield await queue.get()
                except TimeoutError:
                    yield None
        finally:
            self._watchers[retailer_id].discard(queue)
            if not self._watchers[retailer_id] and (task := self._looking.pop(retailer_id, None)):
                task.cancel()

    async def stop(self, *_: object) -> None:
        """Ends all watching."""
        for task in self._looking.values():
            task.cancel()
        for queues in self._watchers.values():
            for queue in queues:
                _put(queue, None)

    async def _look(self, retailer_id: str) -> None:
        newest: int | None = None
        under_way: set[str] = set()
        told: dict[str, tuple[Any, ...]] = {}
        while True:
            try:
                newest, rows = await self._new(retailer_id, newest, under_way)
            except DatabaseError as error:
                log.warning("live_waits", reason=str(error))
                rows = []
            for row in rows:
                ended = row["state"] is None or row["state"] in TERMINAL
                (under_way.discard if ended else under_way.add)(row["decision_id"])
                stands = (row["state"], row["claimed_at"], row["accepted_at"])
                if told.get(row["decision_id"]) == stands:
                    continue
                told[row["decision_id"]] = stands
                if ended:
                    del told[row["decision_id"]]
                for queue in self._watchers.get(retailer_id, ()):
                    _put(queue, brief_of(row))
            await asyncio.sleep(EVERY_S)

    async def _new(
        self, retailer_id: str, newest: int | None, under_way: set[str]
    ) -> tuple[int, list[asyncpg.Record]]:
        async with self._database.transaction(retailer_id) as connection:
            if newest is None:
                return await connection.fetchval(SQL["newest_entry"], retailer_id), []
            rows = await connection.fetch(SQL["moments_since"], retailer_id, newest, list(under_way))
        return max([newest, *(row["journal_seq"] for row in rows)]), rows


def _put(queue: "asyncio.Queue[Brief | None]", brief: Brief | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(brief)
