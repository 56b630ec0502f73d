"""An engine among several: a member of the consumer group, which owns the partitions that the group gives it.

    assigned -> raise the epoch (an earlier owner's transactions fail from now on) -> seek -> lanes catch up
    no more  -> finish what is under way, or drop it -> write what lags behind

The group says who shall own what, the epoch in PostgreSQL who does. So partitions that stay where they are
go on while the group divides the others anew; and a member that was gone without knowing it finds the epoch
raised. Only an assignment raises another's epoch: whoever finds his own raised joins the group again. Kafka's
offsets are not the truth: they are in PostgreSQL, each written with what follows from the batch.
"""

import asyncio
import gc
from collections.abc import Callable, Collection, Iterable
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import InvalidSessionTimeoutError, KafkaError

from server.clock import Clock
from server.db import Database, DatabaseError
from server.edge.room import Room
from server.errors import BadUse
from server.kafka.cluster import Cluster
from server.kafka.group import SESSION_MS, UNCHANGED_SESSION_MS, member_of
from server.kafka.journal import Reader
from server.kafka.keys import Keys
from server.kafka.outgoing import Outgoing
from server.kafka.owner import Hooks, Owner, note
from server.kafka.topics import Topics
from server.parts import Part, number_of_parts
from server.sql import queries

SQL = queries("kafka")
log = structlog.get_logger("vicino.kafka")

FETCH_MS = 100  #: so long a fetch waits for something to come
FETCH_MOST = 2_000  #: records
NOTE_S = 1.0  #: how often it is noted how far partitions are
AGAIN_S = 0.5  #: before a partition is read again whose lane was lost


class Member(ConsumerRebalanceListener):  # type: ignore[misc]
    """`start` it, and `stop` it."""

    def __init__(
        self,
        cluster: Cluster,
        topics: Topics,
        database: Database,
        clock: Clock,
        *,
        room: Room,
        on_push: Callable[[str], None],
        on_doubt: Callable[[str], None],
        on_quarantine: Callable[[str, str], None],
        on_lag: Callable[[int, int], None],
    ) -> None:
        self._cluster = cluster
        self._topics = topics
        self._database = database
        self._clock = clock
        self._room = room
        self._keys = Keys(database, clock)
        self._outgoing = Outgoing(cluster, topics)
        self._on_lag = on_lag  #: told a partition, and how many records wait in it
        self._hooks = Hooks(
            on_push=on_push,
            on_doubt=on_doubt,
            on_quarantine=on_quarantine,
            on_told=self._outgoing.tell,
            on_dead=self._outgoing.bury,
            on_stray=self._outgoing.pass_on,
        )
        self._parts = 0
        self._owners: dict[int, Owner] = {}
        self._ending: set[asyncio.Task[None]] = set()  #: owners of what it owns no more
        self._given: set[int] = set()  #: the partitions that the group gave it last …
        self._moving = False  #: … and whether it is giving others just now
        #: Partitions to be taken over; after a failure only where they are still of this epoch.
        self._wanted: dict[int, int | None] = {}
        self._session_ms = SESSION_MS
        self._consumer: AIOKafkaConsumer | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Joins the group. Raises BadUse where Kafka is not set up."""
        async with self._database.system() as connection:
            self._parts = await number_of_parts(connection)
        if not self._parts:
            raise BadUse("Kafka is not set up for this database: `./vicino kafka setup`")
        await self._outgoing.start()
        await self._join()
        self._tasks = [
            asyncio.create_task(self._consume(), name="consume"),
            asyncio.create_task(self._note(), name="note"),
        ]

    async def stop(self) -> None:
        """Leaves the group, when what is under way is done and everything that lags behind is written."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._consumer is not None:
            self._end(list(self._owners), finish=True)
            await asyncio.gather(*self._ending)
            await self._consumer.stop()
        await self._outgoing.stop()

    @property
    def ready(self) -> bool:
        """Whether it reads what comes."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    @property
    def parts(self) -> list[int]:
        """The partitions it owns."""
        return sorted(self._owners)

    def published(self, retailer_id: str) -> None:
        """Something of the retailer's was published."""
        for owner in self._owners.values():
            owner.published(retailer_id)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        """The group begins to divide the partitions anew. What is under way goes on."""
        self._moving = True

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """It has: nothing is waited for here, since nobody hears of this member meanwhile."""
        assert self._consumer is not None
        self._given = {one.partition for one in assigned if one.partition < self._parts}
        if len(self._given) < len(assigned):
            log.error("partitions_not_noted", remedy="grow topics by ./vicino kafka grow alone")
        self._wanted = dict.fromkeys(self._given)
        for number in self._given & self._owners.keys():
            self._consumer.seek(self._partition(number), self._owners[number].next)
        self._moving = False

    async def _own_what_was_given(self) -> None:
        """Takes over what the group has given, and ends what it has not. What was lost is read again where it
        is still this member's; else it joins again.
        """
        lost = {number: owner.part.epoch for number, owner in self._owners.items() if owner.lost}
        if self._moving or not (lost or self._wanted or self._owners.keys() - self._given):
            return
        self._end(self._owners.keys() - self._given, finish=True)
        await asyncio.gather(*self._end(lost, finish=False))
        if lost and not self._wanted:
            await asyncio.sleep(AGAIN_S)
        still = {number: epoch for number, epoch in lost.items() if number in self._given}
        self._wanted = still | self._wanted
        await asyncio.gather(*(self._attempt(number, epoch) for number, epoch in self._wanted.items()))

    async def _attempt(self, number: int, epoch: int | None) -> None:
        """Takes a partition over; what cannot be had now is asked for again."""
        try:
            owned = await self._own(number, epoch)
        except (DatabaseError, asyncpg.PostgresError) as error:
            log.warning("partition_not_had", part=number, error=type(error).__name__)
            await asyncio.sleep(AGAIN_S)
            return
        if self._wanted.get(number) == epoch:  # and was not given once more meanwhile
            self._wanted.pop(number, None)
        if owned:
            log.info("partition_owned", part=number)
        elif not self._moving:
            log.warning("partition_is_anothers", part=number)
            assert self._consumer is not None
            self._moving = True
            self._consumer.subscribe([self._topics.journal], listener=self)  # joins again

    async def _own(self, number: int, epoch: int | None) -> bool:
        """Takes a partition over from where it was written last; what an earlier owner is at fails. False
        where it is not of the given epoch any more.
        """
        owner = self._owners.get(number)
        async with self._database.system() as connection:
            if owner is not None and await connection.fetchval(SQL["epoch_of"], number) == owner.part.epoch:
                return True  # it has been this member's all the time
            row = await connection.fetchrow(SQL["take_partition"], number, epoch)
            heads = {
                one["retailer_id"]: one["next_offset"]
                for one in await connection.fetch(SQL["heads_of"], number)
            }
        if row is None or self._moving:
            return row is not None
        await asyncio.gather(*self._end([number], finish=False))
        self._begin(number, row["epoch"], row["next_offset"], heads)
        return True

    def _begin(self, number: int, epoch: int, begins: int, heads: dict[str, int]) -> None:
        """The partition's lanes, from an offset on."""
        assert self._consumer is not None
        if self._partition(number) not in self._consumer.assignment():
            return  # it was taken away again
        self._consumer.seek(self._partition(number), begins)
        part = Part(number=number, of=self._parts, epoch=epoch)
        reader = Reader(self._cluster, self._topics.journal, number, self._keys)
        made = (reader, self._database, self._clock, self._room, self._hooks)
        self._owners[number] = owner = Owner(part, begins, heads, *made)
        owner.wake_up(heads)

    def _end(self, parts: Iterable[int], *, finish: bool) -> "list[asyncio.Task[None]]":
        """Gives partitions up. Who takes one over meanwhile is not disturbed by what is still done in it."""
        tasks = []
        for owner in [self._owners.pop(number) for number in parts if number in self._owners]:
            tasks.append(task := asyncio.create_task(self._ended(owner, finish=finish)))
            self._ending.add(task)
            task.add_done_callback(self._has_ended)
        return tasks

    def _has_ended(self, task: "asyncio.Task[None]") -> None:
        self._ending.discard(task)
        if not self._ending:
            # What lanes failed by leads in circles to all they remembered; garbage is hardly looked for.
            asyncio.get_running_loop().call_soon(gc.collect)

    async def _ended(self, owner: Owner, *, finish: bool) -> None:
        await owner.close(finish=finish)
        if finish:
            await note(self._database, [owner])

    def _partition(self, number: int) -> TopicPartition:
        return TopicPartition(self._topics.journal, number)

    async def _consume(self) -> None:
        """Gives records to their partitions' owners, as long as those are not full."""
        assert self._consumer is not None
        while True:
            await self._own_what_was_given()
            try:
                fetched = await self._fetched()
            except KafkaError as error:
                log.warning("fetch_failed", error=type(error).__name__, detail=str(error))
                await asyncio.sleep(AGAIN_S)
                continue
            # Whose they are is asked before anything is waited for: who takes over reads from elsewhere.
            theirs = [(self._owners.get(one.partition), records) for one, records in fetched.items()]
            for whose, records in theirs:
                if whose is not None:
                    await self._give(whose, records)

    async def _fetched(self) -> dict[TopicPartition, list[Any]]:
        """What has come to those that are not full. Raises KafkaError."""
        assert self._consumer is not None
        paused = self._consumer.paused()
        for number, owner in self._owners.items():
            partition = self._partition(number)
            if owner.full != (partition in paused) and partition in self._consumer.assignment():
                (self._consumer.pause if owner.full else self._consumer.resume)(partition)
        fetched: dict[TopicPartition, list[Any]] = await self._consumer.getmany(
            timeout_ms=FETCH_MS, max_records=FETCH_MOST
        )
        return fetched

    async def _join(self) -> None:
        """Joins the group: partitions may be given before this returns."""
        self._consumer = member_of(self._cluster, self._topics, self, self._session_ms)
        try:
            await self._consumer.start()
        except InvalidSessionTimeoutError:
            await self._consumer.stop()
            if self._session_ms == UNCHANGED_SESSION_MS:
                raise
            log.warning("session_not_allowed", ms=self._session_ms, instead_ms=UNCHANGED_SESSION_MS)
            self._session_ms = UNCHANGED_SESSION_MS
            await self._join()

    async def _give(self, owner: Owner, records: Collection[Any]) -> None:
        """Gives records to their partition's owner, opened. Without the database nothing goes on anyhow."""
        while self._owners.get(owner.part.number) is owner:
            try:
                opened = await self._keys.open(records)
            except (DatabaseError, asyncpg.PostgresError) as error:
                log.warning("not_opened", part=owner.part.number, error=type(error).__name__)
                await asyncio.sleep(AGAIN_S)
                continue
            if self._owners.get(owner.part.number) is owner:  # who took it over meanwhile reads them again
                owner.take(opened)
            return

    async def _note(self) -> None:
        """Notes how far partitions are, and tells how much waits in each."""
        while True:
            await asyncio.sleep(NOTE_S)
            await note(self._database, list(self._owners.values()))
            for owner in self._owners.values():
                partition = self._partition(owner.part.number)
                assert self._consumer is not None
                if partition in self._consumer.assignment():
                    newest = self._consumer.highwater(partition)
                    if newest is not None:
                        self._on_lag(owner.part.number, max(0, newest - owner.done_upto))
