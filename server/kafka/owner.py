"""One partition and the engine that owns it: its lanes, one a retailer, and how far they are."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import asyncpg
import msgspec
import structlog

from server.admit import Admitted
from server.clock import Clock
from server.db import Database, DatabaseError
from server.edge.room import Room
from server.journal import Span
from server.kafka.journal import KafkaJournal, Reader
from server.kafka.keys import Opened
from server.kafka.parcel import Look, Parcel, Reply, Sealed, Told, reply
from server.lane import Lane, LaneLost, Waiting
from server.line import Elsewhere
from server.parts import Part, part_of
from server.pipeline import Pipeline
from server.redeem import Item
from server.sql import queries
from server.upkeep import attempt

SQL = queries("kafka")
log = structlog.get_logger("vicino.kafka")

LIVE_S = 5.0  #: so long a publication waits for batches to be judged by it
FINISH_S = 1.5  #: so long a partition that is given away may finish, and so long write what lags behind
USERS = "shoppers_user"  #: the index that a user is one shopper by
AT_ONCE = 2  #: batches under way: while one is written the next is judged, and others gather meanwhile
FULL = 4_000  #: as many inputs of a partition are in hand at once


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """Whom an owner tells what."""

    on_push: Callable[[str], None]
    on_doubt: Callable[[str], None]
    on_quarantine: Callable[[str, str], None]
    on_told: Callable[[Sealed, Reply], None]  #: an answer that an edge waits for
    on_dead: Callable[[bytes, str], Coroutine[Any, Any, None]]  #: a record that cannot be read, and why
    on_stray: Callable[[Opened, int], Coroutine[Any, Any, None]]  #: a record, and the partition it is of
    #: Whose batch is next, of all partitions.
    turns: asyncio.Semaphore = msgspec.field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


class PartLane(Lane):
    """A lane whose items lie in Kafka. What cannot be written now it does not put off: it is lost, and its
    partition is read again from where it was written last.
    """

    def __init__(self, turns: asyncio.Semaphore, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._turns = turns
        self._offsets: dict[asyncio.Future[Any], int] = {}

    def place(self, item: Item, offset: int) -> "asyncio.Future[Any]":
        """Puts an item in that lies at an offset."""
        future = self.put(item, None)
        self._offsets[future] = offset
        future.add_done_callback(self._offsets.pop)
        return future

    def _turn(self) -> asyncio.Semaphore:
        return self._turns

    def _span(self, batch: Sequence[Waiting]) -> Span:
        offsets = [self._offsets[future] for _, future in batch if future in self._offsets]
        return (min(offsets), max(offsets) + 1) if offsets else None

    def _put_off(self, batch: Sequence[Waiting], error: DatabaseError) -> None:
        log.warning("lane_lost", inputs=len(batch), error=type(error).__name__, detail=str(error))
        raise LaneLost(str(error)) from error

    async def _quarantine(self, waiting: Waiting, error: Exception) -> None:
        _, future = waiting
        if isinstance(error, asyncpg.UniqueViolationError) and error.constraint_name == USERS:
            await self._process([waiting])  # the same user, new in two partitions at once: now she is known
        elif isinstance(error, Elsewhere):
            future.set_exception(error)
        else:
            await super()._quarantine(waiting, error)


class Owner:
    """Of one partition, from its assignment to its end."""

    def __init__(  # noqa: PLR0917 - what it is made of
        self,
        part: Part,
        begins: int,
        heads: dict[str, int],
        reader: Reader,
        database: Database,
        clock: Clock,
        room: Room,
        hooks: Hooks,
    ) -> None:
        self.part = part
        self._heads = heads  #: by retailer: everything before this offset is done
        self._reader = reader
        self._journal = KafkaJournal(part, reader)
        self._database = database
        self._clock = clock
        self._room = room
        self._hooks = hooks
        self._lanes: dict[str, PartLane] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._looks: set[asyncio.Task[None]] = set()
        self._moves: set[asyncio.Task[None]] = set()
        self._unmoved = False  #: whether a record could not be put elsewhere
        self._flight: dict[int, None] = {}  #: offsets in hand, in their order
        self._next = begins  #: the offset after the newest that was taken

    @property
    def lost(self) -> bool:
        """Whether something could not be done: the partition has to be read again."""
        return self._unmoved or any(task.done() for task in self._tasks.values())

    @property
    def full(self) -> bool:
        return len(self._flight) >= FULL

    @property
    def next(self) -> int:
        """The offset after the newest that was taken."""
        return self._next

    @property
    def done_upto(self) -> int:
        """Everything before this offset is done."""
        return next(iter(self._flight), self._next)

    def take(self, records: Iterable[Opened]) -> None:
        """Puts records of the partition into its lanes, in their order."""
        for record in records:
            if record.offset < self._next:  # fetched before the partition was read again
                continue
            self._next = record.offset + 1
            if record.sealed is None:
                log.warning("dead_letter", part=self.part.number, offset=record.offset, error=record.trouble)
                self._move(record, self._hooks.on_dead(record.value, record.trouble))
            elif (parcel := record.parcel) is None:
                self._answer(record, shut=True)
            elif isinstance(parcel.item, Look):
                self._look(record, parcel.retailer_id)
            elif record.offset >= self._heads.get(parcel.retailer_id, 0):
                self._put(record, parcel, parcel.item)

    def _put(self, record: Opened, parcel: Parcel, item: Item) -> None:
        shopper_id, offset = getattr(item, "shopper_id", ""), record.offset
        if shopper_id and not self.part.holds(parcel.retailer_id, shopper_id):
            number = part_of(parcel.retailer_id, shopper_id, self.part.of)
            self._move(
                record, self._hooks.on_stray(record, number)
            )  # its edge has not heard of new partitions
            return
        self._flight[offset] = None
        self._lane(parcel.retailer_id).place(item, offset).add_done_callback(
            lambda done: self._done(record, done)
        )

    def _move(self, record: Opened, moving: Coroutine[Any, Any, None]) -> None:
        """Has a record put elsewhere: it is done here when it is safe there."""

        def moved(done: asyncio.Task[None]) -> None:
            self._moves.discard(done)
            if not done.cancelled() and done.exception() is None:
                self._flight.pop(record.offset, None)
            else:
                self._unmoved = True

        self._flight[record.offset] = None
        task = asyncio.create_task(moving)
        self._moves.add(task)
        task.add_done_callback(moved)

    def _done(self, record: Opened, done: "asyncio.Future[Any]") -> None:
        error = None if done.cancelled() else done.exception()
        if done.cancelled() or isinstance(error, LaneLost | DatabaseError):
            return  # it is read again
        self._flight.pop(record.offset, None)
        if isinstance(error, Elsewhere):
            self._answer(record, elsewhere=True)
        elif error is not None:
            self._answer(record)
        elif isinstance(done.result(), Admitted):
            self._answer(record, admitted=done.result())
        else:
            self._answer(record, answer=msgspec.structs.replace(done.result(), granted=None))

    def _answer(self, record: Opened, **what: Any) -> None:
        to = record.sealed
        if to is not None and to.edge:
            self._hooks.on_told(to, reply(to.number, self.part.number, Told(**what), record.key))

    def _look(self, record: Opened, retailer_id: str) -> None:
        async def look() -> None:
            await self._lane(retailer_id).live(LIVE_S)
            self._answer(record)

        task = asyncio.create_task(look())
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    def published(self, retailer_id: str) -> None:
        """Something of the retailer's was published."""
        if retailer_id in self._lanes:
            self._lanes[retailer_id].published()

    def wake_up(self, retailer_ids: Iterable[str]) -> None:
        """Opens the lanes of these retailers: timers may be due."""
        for retailer_id in retailer_ids:
            self._lane(retailer_id)

    def _lane(self, retailer_id: str) -> PartLane:
        lane = self._lanes.get(retailer_id)
        if lane is None:
            pipeline = Pipeline(
                retailer_id,
                self._database,
                self._journal,
                self._clock,
                on_push=partial(self._hooks.on_push, retailer_id),
                on_doubt=self._hooks.on_doubt,
                on_world=lambda: self._lanes[retailer_id].look(),  # noqa: PLW0108 - made below
            )
            made = (pipeline, self._database, self._clock, self._room, self._hooks.on_quarantine)
            lane = PartLane(self._hooks.turns, *made)
            lane.published()
            self._lanes[retailer_id] = lane
            name = f"lane {retailer_id} {self.part.number}"
            self._tasks[retailer_id] = asyncio.create_task(self._run(lane, pipeline), name=name)
        return lane

    async def _run(self, lane: PartLane, pipeline: Pipeline) -> None:
        """A lane, once what is published is read: a large catalog takes longer than a transaction may."""
        async with self._database.transaction(pipeline.retailer_id) as connection:
            row = await connection.fetchrow(SQL["published"], pipeline.retailer_id)
        if row is not None:
            await pipeline.memory.worlds.exactly(row["version"], row["secret"])
        lane.published()
        await lane.run()

    async def close(self, *, finish: bool) -> None:
        """Ends the lanes; with `finish`, after what is under way, and writes what lags behind."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_S if finish else 0):
                while self._flight and not self.lost:
                    # Batches end by themselves.
                    await asyncio.wait([*self._tasks.values(), *self._moves], timeout=0.01)
        ends = [*self._tasks.values(), *self._looks, *self._moves]
        for task in ends:
            task.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        for lane in self._lanes.values():
            lane.leave()
        if finish and self._lanes:
            writing = [asyncio.create_task(attempt(lane.close())) for lane in self._lanes.values()]
            _, late = await asyncio.wait(writing, timeout=FINISH_S)
            for task in late:  # the next owner reads it from the journal
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._reader.close()
        self._lanes.clear()  # they lead to their owner
        self._tasks.clear()


async def note(database: Database, owners: Collection[Owner]) -> None:
    """Writes how far partitions are, so that their next owners need not read what is done."""
    told = [(one.part.number, one.part.epoch, one.done_upto) for one in owners]
    columns = [[one[column] for one in told] for column in range(3)]
    try:
        async with database.statement() as connection:
            await connection.execute(SQL["note_partitions"], *columns)
    except (DatabaseError, asyncpg.PostgresError) as error:  # the next owner reads a little more
        log.warning("not_noted", parts=len(told), error=type(error).__name__)
