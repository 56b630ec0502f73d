"""A retailer's lane: callers put their inputs in, micro-batches come out, everybody waits for the commit.

A batch is whatever has gathered while the last one was being written: a lone fix waits for nobody, and under
load the batches grow by themselves. An input that makes its batch fail is found by halving the batch and put
into quarantine; the others go on.
"""

import asyncio
from collections.abc import Sequence

import asyncpg
import msgspec
import structlog

from geo.region import SafeRegion
from server.admit import Admitted
from server.clock import Clock
from server.db import Database, DatabaseError, DatabaseUnfit
from server.errors import VicinoError
from server.inputs import Input, Wake
from server.pipeline import Pipeline
from server.redeem import Answer, Redeem
from server.sql import queries

SQL = queries("engine")
log = structlog.get_logger("vicino.lane")

BATCH_MOST = 500  #: inputs in one micro-batch
WAITING_MOST = 20_000  #: inputs that may wait; past that callers are told to come back
RETRY_US = 1_000_000  #: when a timer is tried again that met a database out of reach
TIMER_POLL_S = 0.25  #: how late a timer may be noticed

#: An input, and where its answer goes.
Waiting = tuple[Input | Redeem, asyncio.Future[Admitted | Answer]]


class Busy(VicinoError):  # noqa: N818 - it names what the caller should know
    """Too much is waiting already: come back in a moment."""


class Poison(VicinoError):  # noqa: N818
    """This very input cannot be processed; it lies in quarantine with the reason."""


class Lane:
    """One retailer's queue and the task that empties it."""

    def __init__(self, pipeline: Pipeline, database: Database, clock: Clock) -> None:
        self._pipeline = pipeline
        self._database = database
        self._clock = clock
        self._waiting: list[Waiting] = []
        self._arrived = asyncio.Event()

    async def submit(self, item: Input | Redeem) -> Admitted | Answer:
        """Waits until the item is processed and committed. Raises Busy, Poison, or what hit the database."""
        if len(self._waiting) >= WAITING_MOST:
            raise Busy("too many inputs are waiting: try again in a second")
        future: asyncio.Future[Admitted | Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._arrived.set()
        return await future

    def safe_region(self, shopper_id: str, device_id: str) -> SafeRegion | None:
        """When a device should report next, by the world of the newest batch; None where it is not known."""
        return self._pipeline.memory.safe_region(shopper_id, device_id)

    async def run(self) -> None:
        """Processes batches until cancelled."""
        while True:
            await self._wait()
            batch, self._waiting = self._waiting[:BATCH_MOST], self._waiting[BATCH_MOST:]
            if batch:
                await self._process(batch)
            await self._wake_due()

    async def _wait(self) -> None:
        """Until something has arrived or a timer may be due."""
        if self._waiting:
            return
        self._arrived.clear()
        timeout_s = TIMER_POLL_S if self._pipeline.memory.next_wake_us() is not None else None
        try:
            await asyncio.wait_for(self._arrived.wait(), timeout_s)
        except TimeoutError:
            return

    async def _wake_due(self) -> None:
        now_us = self._clock.now_us()
        due = self._pipeline.memory.due(now_us)
        wakes: list[Input | Redeem] = [Wake(shopper_id=name, received_at_us=now_us) for name in due]
        for start in range(0, len(wakes), BATCH_MOST):
            loop = asyncio.get_running_loop()
            await self._process([(wake, loop.create_future()) for wake in wakes[start : start + BATCH_MOST]])

    async def _process(self, batch: Sequence[Waiting]) -> None:
        try:
            answers = await self._pipeline.run([item for item, _ in batch])
        except DatabaseError as error:
            self._put_off(batch, error)
        except asyncpg.SyntaxOrAccessError:
            # No input is to blame for a schema that is not this program's.
            log.exception("schema")
            self._put_off(batch, DatabaseUnfit("the database has another schema: run ./vicino migrate"))
        except Exception as error:  # noqa: BLE001 - whatever it is, one input is to blame and the rest go on
            await self._bisect(batch, error)
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    def _put_off(self, batch: Sequence[Waiting], error: DatabaseError) -> None:
        """Tells everybody to come back; for timers nobody will, so the lane does."""
        log.warning("batch_failed", inputs=len(batch), error=type(error).__name__)
        for item, future in batch:
            _fail(future, error)
            if isinstance(item, Wake):
                self._pipeline.memory.postpone(item.shopper_id, self._clock.now_us() + RETRY_US)

    async def _bisect(self, batch: Sequence[Waiting], error: Exception) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._process(batch[:middle])
            await self._process(batch[middle:])
            return
        [(item, future)] = batch
        log.error("poison", input=type(item).__name__, error=type(error).__name__, exc_info=error)
        async with self._database.transaction(self._pipeline.retailer_id) as connection:
            await connection.execute(
                SQL["quarantine"],
                self._pipeline.retailer_id,
                type(error).__name__,
                type(item).__name__,
                msgspec.msgpack.encode(item),
            )
        _fail(future, Poison("this input could not be processed; it was put aside for the operator"))


def _fail(future: asyncio.Future[Admitted | Answer], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # a caller who has gone away leaves it unread: that is no error of ours
