"""Writes down what became of the pushes that a relay has sent, many at a time, and tells who watches.

A result counts only under the fencing token of its claim. What cannot be written now is kept and tried again
for as long as the lease lasts.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from itertools import groupby

import structlog

from notifications.outbox import PushRow, Settlement
from server import crash
from server.backoff import Backoff
from server.clock import Clock
from server.db import Database
from server.outbox import Result, save

_LOG = structlog.get_logger("vicino.relay")
#: How long a stop waits for its last results to be written.
_RECORD_GRACE_S = 5.0
#: How long a result waits for those of others under way: to write many costs little more than to write one.
_GATHER_S = 0.02

#: Told of every push that a relay settled, after the commit: for metrics and live views.
Observer = Callable[[PushRow, Settlement], None]


class Recorder:
    """The pushes of one relay that are claimed and not recorded yet, and their results."""

    def __init__(
        self, database: Database, clock: Clock, backoff: Backoff, observe: Observer | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._backoff = backoff
        self._observe = observe
        self._results: asyncio.Queue[Result] = asyncio.Queue()
        self._freed = asyncio.Event()
        self.in_flight = 0

    def settled(self, row: PushRow, settlement: Settlement) -> None:
        """A push that was claimed has ended, or is to be tried again."""
        self._results.put_nowait((row, settlement))

    def wake(self) -> None:
        """Lets who waits for room look again."""
        self._freed.set()

    async def freed(self) -> None:
        """Returns when a push was recorded, or somebody said `wake`."""
        self._freed.clear()
        await self._freed.wait()

    @asynccontextmanager
    async def recording(
        self, sends: Collection[asyncio.Task[None]], *, grace_s: float
    ) -> AsyncIterator[None]:
        """Records while the block runs. At its end attempts have `grace_s` to end by themselves."""
        recorder = asyncio.create_task(self._record_results(), name="relay-recorder")
        try:
            yield
        finally:
            if not await self._drained(grace_s):
                # A cancelled attempt counts as ambiguous: its push is pending again, under the same id.
                for task in sends:
                    task.cancel()
                if not await self._drained(_RECORD_GRACE_S):
                    _LOG.warning("relay_left_leases", pushes=self.in_flight)
            recorder.cancel()
            with suppress(asyncio.CancelledError):
                await recorder

    async def _drained(self, grace_s: float) -> bool:
        try:
            async with asyncio.timeout(grace_s):
                while self.in_flight:
                    await self.freed()
        except TimeoutError:
            return False
        return True

    async def _record_results(self) -> None:
        while True:
            results = [await self._results.get()]
            # What came in while the last results were written, and what comes now, goes into one transaction.
            with suppress(TimeoutError):
                async with asyncio.timeout(_GATHER_S):
                    while len(results) < self.in_flight:
                        results.append(await self._results.get())
            results.sort(key=_retailer)
            for retailer_id, group in groupby(results, key=_retailer):
                await self._record(retailer_id, list(group))

    async def _record(self, retailer_id: str, results: list[Result]) -> None:
        try:
            async with self._database.transaction(retailer_id) as connection:
                counted = await save(connection, retailer_id, results, now_us=self._clock.now_us())
                crash.passing("recording")
        except Exception:  # noqa: BLE001 - kept and tried again as long as the leases last
            self._record_later(failed(self._backoff, retailer_id, "record"), results)
            return
        self._free(len(results))
        for row, settlement in results:
            if row.push_id in counted:
                self.report(row, settlement)
            else:
                _LOG.warning("push_result_ignored", push_id=row.push_id, fencing=row.fencing)

    def _record_later(self, delay_s: float, results: list[Result]) -> None:
        now_us = self._clock.now_us()
        kept = [result for result in results if result[0].leased_until_us > now_us]
        if len(kept) < len(results):
            _LOG.warning("push_results_lost", pushes=len(results) - len(kept))
            self._free(len(results) - len(kept))
        for result in kept:
            asyncio.get_running_loop().call_later(delay_s, self._results.put_nowait, result)

    def _free(self, pushes: int) -> None:
        self.in_flight -= pushes
        self._freed.set()

    def report(self, row: PushRow, settlement: Settlement) -> None:
        """Says in the log, and to who watches, what became of a push."""
        log = _LOG.debug if settlement.state == "sent" else _LOG.info
        log("push_settled", push_id=row.push_id, state=settlement.state, reason=settlement.reason)
        if self._observe is None:
            return
        try:
            self._observe(row, settlement)
        except Exception:  # noqa: BLE001 - who watches must not stop what is watched
            _LOG.exception("push_observer_failed", push_id=row.push_id)


def failed(backoff: Backoff, key: str, step: str) -> float:
    """Notes and logs a failure; the seconds to wait now."""
    delay_s = backoff.failed(key)
    _LOG.exception("relay_trouble", step=step, retailer_id=key or None, again_in_s=delay_s)
    return delay_s


def _retailer(result: Result) -> str:
    return result[0].retailer_id
