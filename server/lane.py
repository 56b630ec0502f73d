"""A lane: callers put their inputs in, micro-batches come out, everybody waits for the commit.

There is one for each part of each retailer's shoppers.

A batch is whatever has gathered while the last one was being written: a lone fix waits for nobody, and under
load the batches grow by themselves. How much may wait is said in `server/edge/room.py`. An input that makes
its batch fail is found by halving the batch and put into quarantine; the others go on.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from time import monotonic

import asyncpg
import structlog

from server import crash
from server.admit import Admitted
from server.checkpoints import State
from server.clock import Clock
from server.db import Database, DatabaseBusy, DatabaseError, DatabaseUnfit, out_of_order
from server.edge.room import Outlook, Room, Valve, Worth
from server.errors import VicinoError
from server.inputs import Input, RecordEvents, RecordFixes, Wake
from server.journal import Span, pack_inputs, split
from server.pipeline import Pipeline
from server.redeem import Answer, Redeem
from server.sql import queries
from server.waiting import set_within

SQL = queries("engine")
log = structlog.get_logger("vicino.lane")

BATCH_MOST = 500  #: inputs in one micro-batch
BATCH_WEIGHT = 2_000  #: fixes and events after which a micro-batch is closed
WAKES_MOST = 12  #: timers that fire before what has arrived has its turn again
RETRY_US = 1_000_000  #: when a timer is tried again that met a database out of reach
TIMER_POLL_S = 0.25  #: how late a timer may be noticed

#: An input, and where its answer goes.
Waiting = tuple[Input | Redeem, asyncio.Future[Admitted | Answer]]


class Poison(VicinoError):  # noqa: N818
    """This very input cannot be processed; it lies in quarantine with the reason."""


class LaneLost(VicinoError):  # noqa: N818
    """What was put in has to be put in again, in its order: the lane is of no use any more."""


class Lane:
    """One queue and the task that empties it."""

    def __init__(
        self,
        pipeline: Pipeline,
        database: Database,
        clock: Clock,
        room: Room,
        on_quarantine: Callable[[str, str], None],
    ) -> None:
        self._pipeline = pipeline
        self._database = database
        self._clock = clock
        self._on_quarantine = on_quarantine
        self._waiting: list[Waiting] = []
        self.valve = Valve(room)
        self._arrived = asyncio.Event()
        self._published = False  #: something, since the newest batch
        self._looking: list[asyncio.Future[None]] = []  #: who waits for the newest version to be used
        self._asking: list[asyncio.Future[State]] = []  #: who wants to know the state's hash

    async def submit(self, item: Input | Redeem, worth: Worth = Worth.ALL) -> Admitted | Answer:
        """Waits until the item is processed and committed. Raises Busy, Poison, or what hit the database."""
        return await self.put(item, worth)

    def put(self, item: Input | Redeem, worth: Worth | None) -> "asyncio.Future[Admitted | Answer]":
        """The answer to come, once the item is processed and committed, or likewise. Raises Busy."""
        self.valve.enter(_weight(item), worth)
        future: asyncio.Future[Admitted | Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._arrived.set()
        return future

    def published(self) -> None:
        """Something was published: the lane moves on to it at once, rather than with its next input."""
        self._pipeline.memory.worlds.published()
        self.look()

    def look(self) -> None:
        """There may be something to do that is no input."""
        self._published = True
        self._arrived.set()

    @property
    def version(self) -> int:
        """What is published, as batches are judged."""
        return self._pipeline.memory.version

    def outlook(self, shopper_id: str) -> Outlook:
        """What the shopper's pings are judged by just now."""
        return Outlook(
            version=self.version,
            interested=self._pipeline.memory.interested(shopper_id),
            full=self.valve.full(Worth.LITTLE),
        )

    async def live(self, at_most_s: float) -> None:
        """Returns when batches are judged by the newest version, or after so long."""
        looked = asyncio.get_running_loop().create_future()
        self._looking.append(looked)
        self.published()
        await asyncio.wait({looked}, timeout=at_most_s)

    async def state(self) -> State:
        """The state's hash, between two batches."""
        future: asyncio.Future[State] = asyncio.get_running_loop().create_future()
        self._asking.append(future)
        self.look()
        return await future

    async def close(self) -> None:
        """Writes what lags behind: the next start has nothing to make up for. After `run` has ended."""
        await self._pipeline.checkpoints.write_all()

    def leave(self) -> None:
        """Gives back the room of what waits and will not be processed here."""
        self.valve.leave(sum(_weight(item) for item, _ in self._waiting))
        self._waiting = []

    async def run(self) -> None:
        """Processes batches until cancelled or lost. Nothing else ends it: a defect costs a round."""
        while True:
            try:
                await self._wait()
                async with self._turn():
                    if (batch := self._next_batch()) or self._published:
                        self._published = False
                        await self._process(batch)
                await self._wake_due()
                self._pipeline.checkpoints.write_some()
                self._tell_live()
                await self._tell_state()
            except LaneLost:
                raise
            except Exception:
                log.exception("lane_round_failed")
                await asyncio.sleep(RETRY_US / 1_000_000)

    def _tell_live(self) -> None:
        """Tells those who wait that the newest version is in use, if it is."""
        if self._looking and self._pipeline.memory.worlds.newest:
            for looked in self._looking:
                if not looked.done():
                    looked.set_result(None)
            self._looking.clear()

    async def _tell_state(self) -> None:
        while self._asking:
            state = await self._pipeline.checkpoints.state()
            if not (asking := self._asking.pop()).done():
                asking.set_result(state)

    def _next_batch(self) -> list[Waiting]:
        """What is waiting, up to so many fixes and events that others need not wait long for it."""
        count = weight = 0
        while count < len(self._waiting) and count < BATCH_MOST and weight < BATCH_WEIGHT:
            weight += _weight(self._waiting[count][0])
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self.valve.leave(weight)
        return batch

    async def _wait(self) -> None:
        """Until something has arrived or a timer may be due."""
        timer_us = self._pipeline.memory.timers.next_us()
        if self._waiting or self._published or (timer_us is not None and timer_us <= self._clock.now_us()):
            return
        self.valve.idle()
        self._arrived.clear()
        timed = timer_us is not None or self._pipeline.checkpoints.waiting
        timeout_s = TIMER_POLL_S if timed else None
        await set_within(self._arrived, timeout_s)

    def _turn(self) -> AbstractAsyncContextManager[None]:
        """Until its turn has come: what arrives meanwhile is in the batch."""
        return nullcontext()

    async def _wake_due(self) -> None:
        now_us = self._clock.now_us()
        due = self._pipeline.memory.due(now_us, WAKES_MOST)
        if due:
            loop = asyncio.get_running_loop()
            wakes = (Wake(shopper_id=name, received_at_us=now_us) for name in due)
            await self._process([(wake, loop.create_future()) for wake in wakes])

    async def _process(self, batch: Sequence[Waiting]) -> None:
        began_s = monotonic()
        try:
            answers = await self._pipeline.run([item for item, _ in batch], self._span(batch))
        except Exception as error:  # noqa: BLE001 - the database is to blame, or one of the inputs
            await self._after_failure(batch, error)
        else:
            crash.passing("after_commit")
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
            if batch:
                weight = sum(_weight(item) for item, _ in batch)
                self.valve.done(weight, began_s=began_s)

    def _span(self, batch: Sequence[Waiting]) -> Span:  # noqa: ARG002 - here nothing lies in Kafka
        return None

    async def _after_failure(self, batch: Sequence[Waiting], error: Exception) -> None:
        """Puts all off where the database is to blame; else finds the one input that is, by halving."""
        if (trouble := out_of_order(error)) is not None:
            self._put_off(batch, trouble)
        elif not batch:
            raise error  # a defect, of which no input is to blame
        elif len(batch) > 1:
            middle = len(batch) // 2
            await self._process(batch[:middle])
            await self._process(batch[middle:])
        else:
            await self._quarantine(batch[0], error)

    def _put_off(self, batch: Sequence[Waiting], error: DatabaseError) -> None:
        """Tells everybody to come back; for timers nobody will, so the lane does."""
        log.warning("batch_failed", inputs=len(batch), error=type(error).__name__, detail=str(error))
        if not batch and not isinstance(error, DatabaseUnfit):
            asyncio.get_running_loop().call_later(RETRY_US / 1_000_000, self.published)
        for item, future in batch:
            _fail(future, error)
            if isinstance(item, Wake):
                self._pipeline.memory.timers.put(item.shopper_id, self._clock.now_us() + RETRY_US)

    async def _quarantine(self, waiting: Waiting, error: Exception) -> None:
        """Puts an input aside; where even that fails, its sender is told to come back."""
        item, future = waiting
        kind = type(item).__name__
        # An error of the database quotes the values it was given: they are nobody's to read in a log.
        trace = None if isinstance(error, asyncpg.PostgresError) else error
        log.error("poison", input=kind, error=type(error).__name__, exc_info=trace)
        try:
            packed = None if isinstance(item, Redeem) else pack_inputs(*split([item]))
        except (ValueError, TypeError):  # a text with lone surrogates, say
            packed = None
        try:
            async with self._database.transaction(self._pipeline.retailer_id) as connection:
                await connection.execute(
                    SQL["quarantine"], self._pipeline.retailer_id, type(error).__name__, kind, packed
                )
        except (DatabaseError, asyncpg.PostgresError) as second:
            self._put_off([waiting], out_of_order(second) or DatabaseBusy("quarantine refused the input"))
        else:
            self._on_quarantine(kind, type(error).__name__)
            _fail(future, Poison("this input could not be processed; it was put aside for the operator"))


def _weight(item: Input | Redeem) -> int:
    """How much work an input is: its fixes or events."""
    if isinstance(item, RecordFixes):
        return len(item.fixes)
    return len(item.events) if isinstance(item, RecordEvents) else 1


def _fail(future: asyncio.Future[Admitted | Answer], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # a caller who has gone away leaves it unread: that is no error of ours
