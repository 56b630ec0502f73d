"""What time alone brings about, whoever does it: one process at a time, every so often."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

import structlog

from server.clock import Clock, from_us
from server.db import Database
from server.inputs import Input
from server.line import lock_head
from server.outbox import prune_addresses
from server.privacy.consents import end_consents
from server.privacy.retention import Keep, forget_old
from server.publish import current_settings
from server.sql import queries

SQL = queries("engine")
log = structlog.get_logger("vicino.upkeep")

SWEEP_S = 20.0  #: how often expired coupons give back what they hold


class Upkeep:
    """The sweep of an installation."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        journal_days: int,
        keep: Keep,
        submit: Callable[[str, Input], Awaitable[Any]],
    ) -> None:
        self._database = database
        self._clock = clock
        self._journal_days = journal_days
        self._keep_days = keep
        self._submit = submit

    async def retailers(self) -> list[str]:
        """The ids of all of them."""
        async with self._database.system() as connection:
            return [row[0] for row in await connection.fetch(SQL["retailer_ids"])]

    async def sweep(self, *more: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """Everything once, of every retailer; and `more`. What fails is tried again next time."""
        await attempt(self.keep_journal())
        await attempt(forget_old(self._database, self._clock, self._keep_days))
        for retailer_id in await self.retailers():
            await attempt(self.expire_coupons(retailer_id))
            await attempt(self._forget(retailer_id))
            for work in more:
                await attempt(work(retailer_id))
            await attempt(end_consents(self._database, self._clock, retailer_id, self._submit))

    async def keep_journal(self) -> None:
        """Opens tomorrow's journal ahead of time, and drops the days whose retention is over."""
        today = from_us(self._clock.now_us()).date()
        async with self._database.system() as connection:
            await connection.execute(SQL["open_journal_day"], today + timedelta(days=1))
            await connection.execute(SQL["drop_journal_days"], today - timedelta(days=self._journal_days))

    async def _forget(self, retailer_id: str) -> None:
        """Forgets what is kept for a time: first answers for a day, used refresh tokens for a week, push
        addresses that nobody has confirmed for long.
        """
        now = from_us(self._clock.now_us())
        async with self._database.transaction(retailer_id) as connection:
            await connection.execute(SQL["forget_answers"], retailer_id, now - timedelta(days=1))
            await connection.execute(SQL["forget_tokens"], retailer_id, now, now - timedelta(days=7))
            await connection.execute(SQL["forget_ledgers"], retailer_id, now - timedelta(days=100))
            late, early = now - timedelta(hours=1), now - timedelta(days=1)
            await connection.execute(queries("kafka")["forget_keys"], retailer_id, early, late)
            await prune_addresses(connection, retailer_id, now, days=self._keep_days.addresses)

    async def expire_coupons(self, retailer_id: str) -> None:
        """Gives back what the retailer's expired coupons hold of their offers' budgets."""
        async with self._database.transaction(retailer_id) as connection:
            # A lane's own lock first, as a batch has it: it locks coupons and purses in the same order.
            await lock_head(connection, retailer_id)
            grace_s = (await current_settings(connection, retailer_id)).get("till_grace_s", 0)
            over = from_us(self._clock.now_us()) - timedelta(seconds=grace_s)
            await connection.execute(queries("redeem")["expire_coupons"], retailer_id, over)


async def attempt(work: Coroutine[Any, Any, Any]) -> None:
    """Does something whose failure must not end anything else."""
    try:
        await work
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - it is told, and tried again
        log.warning("sweep_failed", error=type(error).__name__, detail=repr(error.__cause__ or error))
