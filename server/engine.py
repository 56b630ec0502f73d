"""All lanes of this process: one per retailer, opened when first needed, under one lock on the database.

Shoppers' state is kept in memory between batches, so one engine at a time may run on a database. An advisory
lock sees to that: a second engine is told so and stops.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from typing import Any, cast

import asyncpg
import structlog

from server.admit import Admitted
from server.checkpoints import State
from server.clock import Clock
from server.db import Database, DatabaseBusy
from server.edge.room import Outlook, Room, Worth
from server.errors import BadUse, VicinoError
from server.inputs import Input, RecordFixes
from server.journal import PostgresJournal
from server.lane import Lane
from server.parts import number_of_parts
from server.pipeline import Pipeline
from server.privacy.erasing import CHANNEL as ERASURES
from server.privacy.erasing import Erasing, Receipt, receipt
from server.privacy.retention import Keep
from server.publish import CHANNEL
from server.redeem import Answer, Redeem
from server.unlearning import Unlearning
from server.upkeep import SWEEP_S, Upkeep, attempt
from server.watch import ENGINE_LOCK

log = structlog.get_logger("vicino.engine")

LOCK_CHECK_S = 0.5  #: how soon a lost lock is taken again
LIVE_S = 5.0  #: so long a publication waits for batches to be judged by it


class AnotherEngine(VicinoError):  # noqa: N818 - it names what was found
    """Another Vicino runs on this database; its memory and ours would disagree."""


class Engine:
    """Puts every input into its retailer's lane. `start` it, and `stop` it."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        journal_days: int,
        keep: Keep = Keep(),  # noqa: B008 - frozen
        on_push: Callable[[str], None],
        on_doubt: Callable[[str], None],
        on_quarantine: Callable[[str, str], None],
        room: Room,
    ) -> None:
        self._database = database
        self._clock = clock
        self._journal = PostgresJournal()
        self.upkeep = Upkeep(database, clock, journal_days=journal_days, keep=keep, submit=self.submit)
        self._on_push = on_push
        self._on_doubt = on_doubt
        self._erasing = Erasing(database, clock, submit=self.submit, on_erased=self._erased)
        self._unlearning = Unlearning(database, clock, journal_days=journal_days)
        self._when_erased: list[Callable[[str, Collection[str]], None]] = []
        self._on_quarantine = on_quarantine
        self._room = room
        self._lanes: dict[str, asyncio.Task[Lane]] = {}
        self._open: dict[str, Lane] = {}  # those of them that are open
        self._tasks: set[asyncio.Task[None]] = set()  #: that must go on
        self._once_only: set[asyncio.Task[None]] = set()  #: that end
        self._lock: asyncpg.Connection[asyncpg.Record] | None = None
        self._holding = True  #: the lock; lost with its connection, and taken again when it is free

    async def start(self, database_url: str) -> None:
        """Takes the lock and opens the lanes of all retailers: timers may be due. Raises AnotherEngine."""
        async with self._database.system() as connection:
            if await number_of_parts(connection):
                raise BadUse("the journal of this database is in Kafka: set VICINO_KAFKA")
        self._lock = await self._take_lock(database_url)
        for retailer_id in await self.upkeep.retailers():
            await self._lane(retailer_id)
            await self._erasing.again(retailer_id)
            await self._erasing.forget(retailer_id)
        self._keep(asyncio.create_task(self._sweep(), name="sweep"))
        self._keep(asyncio.create_task(self._hold_lock(database_url), name="lock"))

    @property
    def ready(self) -> bool:
        """Whether it holds the lock and every lane runs."""
        return self._holding and not any(task.done() for task in self._tasks)

    async def _hold_lock(self, database_url: str) -> None:
        """Takes the lock again when its connection was lost. Until then nothing is processed here: another
        engine may be at work. What it has changed is seen by the next batch (`Memory.catch_up`).
        """
        while True:
            await asyncio.sleep(LOCK_CHECK_S)
            if self._lock is None or not self._lock.is_closed():
                continue
            try:
                self._lock = await self._take_lock(database_url)
            except (AnotherEngine, OSError, TimeoutError, asyncpg.PostgresError) as error:
                if self._holding:
                    log.warning("lock_lost", error=type(error).__name__)
                self._holding = False
            else:
                self._holding = True
                for lane in self._running_lanes():  # what was published meanwhile was told to nobody
                    lane.published()

    async def _take_lock(self, database_url: str) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection that holds the lock, and hears of publications by whichever process."""
        connection = await asyncpg.connect(database_url, timeout=5)
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ENGINE_LOCK):
            await connection.close()
            raise AnotherEngine("another Vicino runs on this database: stop it first, or use its address")
        await connection.add_listener(CHANNEL, self._heard)
        await connection.add_listener(ERASURES, self._heard_erasure)
        return connection

    def _heard(self, _connection: object, _pid: int, _channel: str, retailer_id: object) -> None:
        """Something of the retailer's was published."""
        for lane in self._running_lanes(str(retailer_id)):
            lane.published()

    def _heard_erasure(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        """Somebody is to be erased."""
        self._once(self._erasing.heard, str(payload))

    def _running_lanes(self, *retailer_ids: str) -> list[Lane]:
        """The lanes of these retailers (none given: of all) that are open."""
        opening = [self._lanes[name] for name in retailer_ids or self._lanes if name in self._lanes]
        return [task.result() for task in opening if task.done() and task.exception() is None]

    async def stop(self) -> None:
        """Ends the lanes. What was not answered was not promised."""
        running = [*self._tasks, *self._once_only]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for lane in self._running_lanes():
            await attempt(lane.close())
        if self._lock is not None:
            await self._lock.close()

    async def submit(self, retailer_id: str, item: Input, worth: Worth = Worth.ALL) -> Admitted:
        """Has an input processed; returns when that is durable. Raises Busy where it is not worth enough."""
        lane = self._open.get(retailer_id) if self._holding else None
        answer = await (lane or await self._lane(retailer_id)).submit(item, worth)
        assert isinstance(answer, Admitted)
        return answer

    def put(self, retailer_id: str, item: RecordFixes, worth: Worth) -> "asyncio.Future[Admitted]":
        """Likewise, of a retailer for whom there is an `outlook`: the answer to come."""
        return cast("asyncio.Future[Admitted]", self._open[retailer_id].put(item, worth))

    async def live(self, retailer_id: str) -> None:
        """Returns when batches are judged by what was published last, or after `LIVE_S` at the most."""
        for lane in self._running_lanes(retailer_id):
            await lane.live(LIVE_S)

    async def state(self, retailer_id: str) -> State:
        """The hash of all states in memory: a restart comes to the same."""
        return await (await self._lane(retailer_id)).state()

    async def redeem(self, retailer_id: str, ask: Redeem) -> Answer:
        """Has a coupon redeemed or refused; returns when that is durable."""
        answer = await (await self._lane(retailer_id)).submit(ask)
        assert isinstance(answer, Answer)
        return answer

    async def finish_erasures(self, retailer_id: str) -> None:
        """Does the retailer's erasures that were asked for."""
        await self._erasing.resume(retailer_id)

    async def erase(self, retailer_id: str, erasure_id: str) -> Receipt:
        """Likewise; the receipt of this one."""
        await self.finish_erasures(retailer_id)
        return await receipt(self._database, retailer_id, erasure_id)

    def when_erased(self, forget: Callable[[str, Collection[str]], None]) -> None:
        """Has somebody told the retailer and the ids of every shopper who is erased from now on."""
        self._when_erased.append(forget)

    def _erased(self, retailer_id: str, shopper_ids: Collection[str]) -> None:
        for forget in self._when_erased:
            forget(retailer_id, shopper_ids)

    def full(self, retailer_id: str, *, late: bool = False) -> bool:
        """Whether the retailer's lane would refuse whatever a phone sends now; `late`: has sent, and it has
        waited for too long.
        """
        lane = self._open.get(retailer_id)
        return lane is not None and ((late and lane.valve.late()) or lane.valve.full())

    def sheds(self, retailer_id: str) -> int | None:
        """What is published, where the retailer's lane has no room for what is worth little."""
        lane = self._open.get(retailer_id) if self._holding else None
        return lane.version if lane is not None and lane.valve.full(Worth.LITTLE) else None

    def outlook(self, retailer_id: str, shopper_id: str) -> Outlook | None:
        """What a ping of a shopper is judged by while not all can be taken; None while no lane is open."""
        lane = self._open.get(retailer_id) if self._holding else None
        return None if lane is None else lane.outlook(shopper_id)

    async def _lane(self, retailer_id: str) -> Lane:
        """The retailer's lane; opened by the first who asks, while others wait for the same opening."""
        if not self._holding:
            raise DatabaseBusy("another Vicino may be at work on this database: try again in a moment")
        opening = self._lanes.get(retailer_id)
        if opening is None or (opening.done() and opening.exception() is not None):
            opening = asyncio.create_task(self._open_lane(retailer_id))
            self._lanes[retailer_id] = opening
        return await asyncio.shield(opening)

    async def _open_lane(self, retailer_id: str) -> Lane:
        pipeline = Pipeline(
            retailer_id,
            self._database,
            self._journal,
            self._clock,
            on_push=partial(self._on_push, retailer_id),
            on_doubt=self._on_doubt,
            on_world=lambda: lane.look(),  # noqa: PLW0108 - which is made below
        )
        lane = Lane(pipeline, self._database, self._clock, self._room, self._on_quarantine)
        lane.published()  # what has happened until now is read from the rows and the journal
        self._keep(asyncio.create_task(lane.run(), name=f"lane {retailer_id}"))
        self._open[retailer_id] = lane
        return lane

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(_report)

    def _once(self, work: Callable[[str], Coroutine[Any, Any, None]], about: str) -> None:
        """Does something that ends, beside everything else. What fails is tried again by the next sweep."""

        async def run() -> None:  # begun here, so that nothing is left begun and not awaited at the end
            await attempt(work(about))

        task = asyncio.create_task(run(), name="erasure")
        self._once_only.add(task)
        task.add_done_callback(self._once_only.discard)

    async def _sweep(self) -> None:
        """Every so often what time alone brings about. What fails is tried again next time."""
        while True:
            await self.upkeep.sweep(self._resume, self._unlearn)
            await asyncio.sleep(SWEEP_S)

    async def _resume(self, retailer_id: str) -> None:
        """Goes on with erasures, beside everything else."""
        if not self._erasing.busy:
            self._once(self._erasing.resume, retailer_id)

    async def _unlearn(self, retailer_id: str) -> None:
        """Unlearns what is due, likewise: a fit takes its time."""
        if not self._unlearning.busy:
            self._once(self._unlearning.sweep, retailer_id)


def _report(task: asyncio.Task[None]) -> None:
    """A lane that ends by an error is a defect: it must be seen."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("task_died", task=task.get_name(), exc_info=error)
