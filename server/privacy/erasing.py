"""Erasures from the request to the receipt: asked durably, done in the lane, then cleared from the journal.

    ask -> EraseShopper in the lane: memory and tables -> rewrite of the journal's rows -> receipt

Somebody who logged in had another id before; whatever is left under that goes with her.

The request is a row that names the shopper until all is done, so a crash anywhere only puts the rest off: the
next engine does the whole again, which changes nothing of what was done. The journal is rewritten beside the
traffic, in small transactions; the inputs of all others stay, so their day still replays the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import date, timedelta
from typing import Any

import msgspec
import structlog

from server.clock import Clock, from_us, to_us
from server.db import Connection, Database
from server.ids import new_id
from server.inputs import EraseShopper, Input
from server.journal import without_shopper
from server.privacy.erase import subject_hash
from server.sql import queries
from server.wire import rfc3339

SQL = queries("privacy")
SECRET = queries("engine")["secret"]
CHANNEL = "vicino_erasures"  #: says which retailer has an erasure to do
AGAIN = "again "  #: before the retailer: somebody who was erased may be back
log = structlog.get_logger("vicino.privacy")

ROWS_AT_ONCE = 200  #: of the journal, rewritten in one transaction
UNLEARNED_WITHIN = timedelta(days=1)  #: see `server/unlearning.py`
SEARCH_S = 300.0  #: how long the search through one day of the journal may take


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a shopper gets to keep. It says nothing of who she was."""

    erasure_id: str
    asked_at: str
    erased_at: str | None  #: None while it is under way
    erased: dict[str, int]  #: rows by table; of the journal, micro-batches that were rewritten
    #: by when the policy decides by nothing that it learned of her; None where it has learned nothing
    unlearned_by: str | None = None


async def ask(database: Database, clock: Clock, retailer_id: str, shopper_id: str, asked_by: str) -> str:
    """Notes durably that a shopper is to be erased, and tells a running engine; the erasure's id."""
    async with database.transaction(retailer_id) as connection:
        return await _ask(connection, clock, retailer_id, shopper_id, asked_by)


async def _ask(connection: Connection, clock: Clock, retailer_id: str, shopper_id: str, asked_by: str) -> str:
    shopper_id = await connection.fetchval(SQL["now_known_as"], retailer_id, shopper_id)
    hashed = subject_hash(await connection.fetchval(SECRET, retailer_id), shopper_id)
    erasure_id: str = await connection.fetchval(
        SQL["ask_erasure"],
        retailer_id,
        new_id("era"),
        hashed,
        shopper_id,
        asked_by,
        from_us(clock.now_us()),
    )
    await connection.execute(SQL["announce_erasure"], retailer_id)
    return erasure_id


async def receipt(database: Database, retailer_id: str, erasure_id: str) -> Receipt:
    """The receipt as it stands."""
    async with database.transaction(retailer_id) as connection:
        row = await connection.fetchrow(SQL["erasure"], retailer_id, erasure_id)
    assert row is not None, "an erasure's row outlives its erasure"
    done, taught = row["erased_at"], row["erased"].get("lessons", 0) > 0
    return Receipt(
        erasure_id=row["erasure_id"],
        asked_at=rfc3339(to_us(row["asked_at"])),
        erased_at=None if done is None else rfc3339(to_us(done)),
        erased=row["erased"],
        unlearned_by=rfc3339(to_us(done + UNLEARNED_WITHIN)) if done is not None and taught else None,
    )


async def rows_with(
    connection: Connection, retailer_id: str, day: date, ids: Iterable[str]
) -> list[tuple[int, int]]:
    """The micro-batches of a day that say something of a shopper, under any of her ids: part and entry."""
    names = [one.encode() for one in ids]
    rows = await connection.fetch(SQL["journal_rows_with"], retailer_id, day, names, timeout=SEARCH_S)
    return [(row["part"], row["seq"]) for row in rows]


class Erasing:
    """Does the erasures of an engine's retailers, each once at a time."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        submit: Callable[[str, Input], Awaitable[Any]],
        on_erased: Callable[[str, Collection[str]], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._submit = submit  #: puts an input into its retailer's lane
        self._on_erased = on_erased  #: told the retailer, and the ids of somebody who is no more
        self._turn = asyncio.Lock()

    async def heard(self, payload: str) -> None:
        """Does what was announced."""
        retailer_id = payload.removeprefix(AGAIN)
        if payload != retailer_id:
            await self.again(retailer_id)
        await self.resume(retailer_id)

    @property
    def busy(self) -> bool:
        """Whether an erasure is under way: a large journal may take its time."""
        return self._turn.locked()

    async def resume(self, retailer_id: str) -> None:
        """Does what is asked and not yet done."""
        async with self._turn:
            for erasure_id, shopper_id in await self._under_way(retailer_id):
                await self._forget(retailer_id, erasure_id, shopper_id)
                await self._finish(retailer_id, erasure_id)

    async def forget(self, retailer_id: str) -> None:
        """Of what is asked and not yet done, all but the journal: nobody meets those shoppers any more."""
        for erasure_id, shopper_id in await self._under_way(retailer_id):
            await self._forget(retailer_id, erasure_id, shopper_id)

    async def again(self, retailer_id: str) -> None:
        """Erases again who is back although erased: a backup from before it was restored."""
        async with self._database.transaction(retailer_id) as connection:
            if not await connection.fetchval(SQL["any_erasure"], retailer_id):
                return
            back = await connection.fetch(SQL["resurrected"], retailer_id)
            for row in back:
                await _ask(connection, self._clock, retailer_id, row["shopper_id"], "restored")
        if back:
            log.warning("erased_shoppers_were_back", retailer_id=retailer_id, shoppers=len(back))

    async def _under_way(self, retailer_id: str) -> list[tuple[str, str]]:
        async with self._database.transaction(retailer_id) as connection:
            rows = await connection.fetch(SQL["erasures_under_way"], retailer_id)
        return [(row["erasure_id"], row["shopper_id"]) for row in rows]

    async def _forget(self, retailer_id: str, erasure_id: str, shopper_id: str) -> None:
        now_us = self._clock.now_us()
        item = EraseShopper(shopper_id=shopper_id, received_at_us=now_us, erasure_id=erasure_id)
        await self._submit(retailer_id, item)

    async def _finish(self, retailer_id: str, erasure_id: str) -> None:
        async with self._database.transaction(retailer_id) as connection:
            ids = [row[0] for row in await connection.fetch(SQL["erased_ids"], retailer_id, erasure_id)]
        self._on_erased(retailer_id, ids)
        rewritten = await self._clear_journal(retailer_id, ids)
        async with self._database.transaction(retailer_id) as connection:
            await connection.execute(SQL["note_erased"], retailer_id, erasure_id, ["journal"], [rewritten])
            now = from_us(self._clock.now_us())
            await connection.execute(SQL["finish_erasure"], retailer_id, erasure_id, now)
            await connection.execute(SQL["erase_late_keys"], retailer_id, ids)
        log.info("shopper_erased", retailer_id=retailer_id, erasure_id=erasure_id)

    async def _clear_journal(self, retailer_id: str, ids: list[str]) -> int:
        """Takes her inputs out of the journal; how many of its rows held some."""
        async with self._database.transaction(retailer_id) as connection:
            days = [row["day"] for row in await connection.fetch(SQL["journal_days"])]
        rewritten = 0
        for day in days:
            async with self._database.transaction(retailer_id) as connection:
                found = await rows_with(connection, retailer_id, day, ids)
            for start in range(0, len(found), ROWS_AT_ONCE):
                await self._rewrite(retailer_id, day, found[start : start + ROWS_AT_ONCE], ids)
            rewritten += len(found)
        return rewritten

    async def _rewrite(
        self, retailer_id: str, day: date, entries: list[tuple[int, int]], ids: list[str]
    ) -> None:
        parts, seqs = [part for part, _ in entries], [seq for _, seq in entries]
        async with self._database.transaction(retailer_id) as connection:
            rows = await connection.fetch(SQL["journal_inputs"], retailer_id, day, parts, seqs)
            await connection.execute(
                SQL["rewrite_journal"],
                retailer_id,
                day,
                [row["part"] for row in rows],
                [row["seq"] for row in rows],
                [without_shopper(row["inputs"], ids) for row in rows],
            )
