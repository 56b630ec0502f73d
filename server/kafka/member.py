"""An engine among several: a member of the consumer group, which owns the partitions that the group gives it.

    assigned -> raise the epoch (an earlier owner's transactions fail from now on) -> seek -> lanes catch up
    revoked  -> finish what is under way, or drop it -> write what lags behind

Kafka's offsets are not the truth: they are in PostgreSQL, each written with what follows from the batch.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from server.clock import Clock
from server.db import Database, DatabaseError
from server.edge.room import Room
from server.errors import BadUse
from server.kafka.cluster import Cluster
from server.kafka.journal import Reader
from server.kafka.keys import Keys, Opened
from server.kafka.owner import Hooks, Owner
from server.kafka.parcel import Reply, Sealed, pack_replies
from server.kafka.topics import Topics
from server.parts import Part, number_of_parts, part_of
from server.sql import queries

SQL = queries("kafka")
log = structlog.get_logger("vicino.kafka")

FETCH_MS = 100  #: so long a fetch waits for something to come
FETCH_MOST = 2_000  #: records
NOTE_S = 1.0  #: how often it is noted how far partitions are
AGAIN_S = 0.5  #: before a partition is read again whose lane was lost
SESSION_MS = 6_000  #: a member that is not heard of for so long has its partitions taken away
HEARTBEAT_MS = 1_000


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
        self._on_lag = on_lag  #: told a partition, and how many records wait in it
        self._hooks = Hooks(
            on_push=on_push,
            on_doubt=on_doubt,
            on_quarantine=on_quarantine,
            on_told=self._tell,
            on_dead=self._bury,
            on_stray=self._pass_on,
        )
        self._parts = 0
        self._owners: dict[int, Owner] = {}
        self._wanted: set[int] = set()  #: partitions that are this member's and that it does not own yet
        self._owning = asyncio.Lock()
        self._stopping = False  #: nothing is taken over any more
        self._answers: dict[tuple[int, str], list[Reply]] = {}
        self._sending: set[asyncio.Future[Any]] = set()
        self._consumer: AIOKafkaConsumer | None = None
        self._producer: AIOKafkaProducer | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Joins the group. Raises BadUse where Kafka is not set up."""
        async with self._database.system() as connection:
            self._parts = await number_of_parts(connection)
        if not self._parts:
            raise BadUse("Kafka is not set up for this database: `./vicino kafka setup`")
        self._producer = AIOKafkaProducer(**self._cluster.client, acks=1)
        await self._producer.start()
        self._consumer = AIOKafkaConsumer(
            **self._cluster.client,
            group_id=self._topics.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=60_000,
        )
        self._consumer.subscribe([self._topics.journal], listener=self)
        await self._consumer.start()
        self._tasks = [
            asyncio.create_task(self._consume(), name="consume"),
            asyncio.create_task(self._note(), name="note"),
        ]

    async def stop(self) -> None:
        """Leaves the group, when what is under way is done and everything that lags behind is written."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._consumer is not None:
            await self._close(list(self._owners), finish=True)
            await self._consumer.stop()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._producer is not None:
            await self._producer.stop()

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

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._close([one.partition for one in revoked], finish=True)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._wanted |= {one.partition for one in assigned}
        await self._own_wanted()

    async def _own_wanted(self) -> None:
        """Takes over what the group has given. What cannot be had now is asked for again."""
        async with self._owning:
            for number in () if self._stopping else sorted(self._wanted):
                try:
                    await self._own(number)
                except (DatabaseError, asyncpg.PostgresError) as error:
                    log.warning("partition_not_had", part=number, error=type(error).__name__)
                else:
                    self._wanted.discard(number)
                    log.info("partition_owned", part=number)

    async def _own(self, number: int) -> None:
        """Takes a partition over from where it was written last. What an earlier owner is at fails."""
        async with self._database.system() as connection:
            row = await connection.fetchrow(SQL["take_partition"], number)
            heads = {
                one["retailer_id"]: one["next_offset"]
                for one in await connection.fetch(SQL["heads_of"], number)
            }
        if row is None:
            raise BadUse(f"Kafka's partition {number} is not noted in this database: `./vicino kafka grow`")
        assert self._consumer is not None
        self._consumer.seek(TopicPartition(self._topics.journal, number), row["next_offset"])
        part = Part(number=number, of=self._parts, epoch=row["epoch"])
        reader = Reader(self._cluster, self._topics.journal, number, self._keys)
        begins, hooks = row["next_offset"], self._hooks
        owner = Owner(part, begins, heads, reader, self._database, self._clock, self._room, hooks)
        self._owners[number] = owner
        owner.wake_up(heads)

    async def _close(self, parts: Collection[int], *, finish: bool) -> None:
        async with self._owning:
            self._wanted.difference_update(parts)
            owners = [self._owners.pop(number) for number in parts if number in self._owners]
            await asyncio.gather(*(owner.close(finish=finish) for owner in owners))
            for owner in owners if finish else ():
                await self._noted(owner)

    async def _consume(self) -> None:
        """Gives records to their partitions' owners, as long as those are not full."""
        assert self._consumer is not None
        while True:
            await self._read_again()
            for number, owner in list(self._owners.items()):
                partition = TopicPartition(self._topics.journal, number)
                paused = partition in self._consumer.paused()
                if owner.full != paused and partition in self._consumer.assignment():
                    (self._consumer.pause if owner.full else self._consumer.resume)(partition)
            try:
                fetched = await self._consumer.getmany(timeout_ms=FETCH_MS, max_records=FETCH_MOST)
            except KafkaError as error:
                log.warning("fetch_failed", error=type(error).__name__, detail=str(error))
                await asyncio.sleep(AGAIN_S)
                continue
            # Whose they are is asked before anything is waited for: who takes over reads from elsewhere.
            theirs = [(self._owners.get(one.partition), records) for one, records in fetched.items()]
            for whose, records in theirs:
                if whose is not None:
                    await self._give(whose, records)

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

    async def _read_again(self) -> None:
        """Takes partitions over anew whose lanes were lost, if they are still this member's."""
        lost = [number for number, owner in self._owners.items() if owner.lost]
        if lost:
            await self._close(lost, finish=False)
            await asyncio.sleep(AGAIN_S)
            assert self._consumer is not None
            ours = {one.partition for one in self._consumer.assignment()}
            self._wanted |= ours.intersection(lost)
        if self._wanted:
            await self._own_wanted()

    async def _note(self) -> None:
        """Notes how far partitions are, so that the next owner need not read what is done."""
        while True:
            await asyncio.sleep(NOTE_S)
            for owner in list(self._owners.values()):
                await self._noted(owner)
                partition = TopicPartition(self._topics.journal, owner.part.number)
                assert self._consumer is not None
                if partition in self._consumer.assignment():
                    newest = self._consumer.highwater(partition)
                    if newest is not None:
                        self._on_lag(owner.part.number, max(0, newest - owner.done_upto))

    async def _noted(self, owner: Owner) -> None:
        arguments = owner.part.number, owner.part.epoch, owner.done_upto
        try:
            async with self._database.system() as connection:
                await connection.execute(SQL["note_partition"], *arguments)
        except (DatabaseError, asyncpg.PostgresError) as error:  # the next owner reads a little more
            log.warning("not_noted", part=owner.part.number, error=type(error).__name__)

    def _tell(self, to: Sealed, answer: Reply) -> None:
        """Has an answer sent, with the others of its batch."""
        if not self._answers:
            asyncio.get_running_loop().call_soon(self._send_answers)
        self._answers.setdefault((to.partition, to.edge), []).append(answer)

    def _send_answers(self) -> None:
        answers, self._answers = self._answers, {}
        for (partition, edge), replies in answers.items():
            self._send(self._topics.answers, pack_replies(replies), edge.encode(), partition)

    def _bury(self, packed: bytes, why: str) -> None:
        self._send(self._topics.dead, packed, why.encode()[:500], 0)

    def _pass_on(self, record: Opened, shopper_id: str) -> None:
        assert record.sealed is not None, "whose shopper is known"
        number = part_of(record.sealed.retailer_id, shopper_id, self._parts)
        self._send(self._topics.journal, record.value, record.sealed.subject, number)

    def _send(self, topic: str, value: bytes, key: bytes, partition: int) -> None:
        async def send() -> None:
            assert self._producer is not None
            try:
                await self._producer.send_and_wait(topic, value, key=key, partition=partition)
            except KafkaError as error:
                log.warning("not_sent", topic=topic, error=type(error).__name__)

        sending = asyncio.ensure_future(send())
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
