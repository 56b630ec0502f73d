"""The three topics, and how they are set up and grown.

The topic of the journal has as many partitions as shoppers are divided into parts (`server/parts.py`). They
are noted in the database, each with the epoch of its owner: the table `partitions`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import KafkaError

from server.db import Database, DatabaseBusy
from server.errors import BadUse, VicinoError
from server.kafka.cluster import Cluster
from server.parts import SLOTS, PartStanding, is_number_of_parts, number_of_parts
from server.watch import ENGINE_LOCK

ANSWER_PARTITIONS = 8  #: an edge reads one of them
HOUR_MS = 3_600_000
GROUP = "engine"  #: the consumer group of the engines, after the prefix


class KafkaUnfit(VicinoError):  # noqa: N818 - an operator must act
    """Kafka cannot be used as it is."""


class Topics(msgspec.Struct, frozen=True):
    """Their names."""

    prefix: str

    @property
    def journal(self) -> str:
        """Everything accepted, keyed by shopper."""
        return f"{self.prefix}.journal"

    @property
    def answers(self) -> str:
        """What became of it, for the edges that wait."""
        return f"{self.prefix}.answers"

    @property
    def dead(self) -> str:
        """Records of the journal that cannot be read."""
        return f"{self.prefix}.dead"

    @property
    def group(self) -> str:
        """The engines' consumer group."""
        return f"{self.prefix}.{GROUP}"


async def set_up(
    cluster: Cluster, topics: Topics, url: str, *, parts: int, replicas: int, journal_days: int
) -> None:
    """Makes the topics and notes the partitions; nothing, where they are. Raises BadUse and KafkaUnfit."""
    _check(parts)
    async with _connected(url) as connection:
        there = await number_of_parts(connection)
        if there == parts:
            return
        if there:
            raise BadUse(f"there are {there} partitions already: `./vicino kafka grow` makes more of them")
        await _alone(connection)
        await _all_saved(connection)
        insync = {"min.insync.replicas": str(max(1, replicas - 1))}
        kept = {"retention.ms": str((journal_days + 1) * 24 * HOUR_MS), "segment.ms": str(HOUR_MS)}
        # Answers name positions, and are of no use a few seconds later.
        soon = {"retention.ms": "300000", "segment.ms": "60000"}
        await _make(
            cluster,
            [
                NewTopic(topics.journal, parts, replicas, topic_configs=kept | insync),
                NewTopic(topics.answers, ANSWER_PARTITIONS, replicas, topic_configs=soon | insync),
                NewTopic(topics.dead, 1, replicas, topic_configs=kept | insync),
            ],
        )
        await connection.executemany(
            "INSERT INTO partitions (part) VALUES ($1)", [(part,) for part in range(parts)]
        )


async def grow(cluster: Cluster, topics: Topics, url: str, *, parts: int) -> None:
    """Splits every partition in two, or in four …: no server may run. Raises BadUse and KafkaUnfit."""
    _check(parts)
    async with _connected(url) as connection, _admin(cluster) as admin:
        await _alone(connection)
        before = await number_of_parts(connection)
        if not before:
            raise BadUse("Kafka is not set up: `./vicino kafka setup`")
        if parts <= before:
            raise BadUse(f"there are {before} partitions: they can only become more")
        await _all_saved(connection)
        await _all_read(connection, cluster, topics)
        try:
            await admin.create_partitions({topics.journal: NewPartitions(total_count=parts)})
        except KafkaError as error:
            raise KafkaUnfit(f"Kafka refuses: {error}") from error
        await connection.executemany(
            "INSERT INTO partitions (part) VALUES ($1)", [(part,) for part in range(before, parts)]
        )


async def described(cluster: Cluster, topics: Topics) -> tuple[int, int]:
    """How many partitions the journal's topic has, and the least number of copies; zeros where there is none.
    Raises KafkaUnfit and KafkaError.
    """
    async with _admin(cluster) as admin:
        if topics.journal not in await admin.list_topics():
            return 0, 0
        [told] = await admin.describe_topics([topics.journal])
    return len(told["partitions"]), min(len(one["replicas"]) for one in told["partitions"])


def _check(parts: int) -> None:
    if not is_number_of_parts(parts):
        raise BadUse(f"--partitions: a power of two up to {SLOTS}, so that they can be split")


async def _all_saved(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Raises BadUse where a state is in memory alone: its place in the journal is of the old division."""
    behind = await connection.fetchval(
        "SELECT count(*) FROM heads h LEFT JOIN checkpoints c USING (retailer_id, part) "
        "WHERE h.journal_seq > coalesce(c.seq, 0)"
    )
    if behind:
        raise BadUse("not all states are written: start the server and stop it in good order (SIGTERM) first")


async def _all_read(connection: Any, cluster: Cluster, topics: Topics) -> None:
    """Raises BadUse where something lies in the topic that no engine has done."""
    waiting = sum(one.waiting for one in await standings(connection, cluster, topics))
    if waiting > 0:
        raise BadUse(f"{waiting} inputs wait in Kafka: start an engine, and stop it when they are done")


async def standings(connection: Any, cluster: Cluster, topics: Topics) -> list[PartStanding]:
    """How far each partition of the journal's topic is. Raises KafkaError."""
    from aiokafka import AIOKafkaConsumer, TopicPartition  # noqa: PLC0415 - few ask

    rows = await connection.fetch("SELECT part, next_offset FROM partitions ORDER BY part")
    consumer = AIOKafkaConsumer(**cluster.client)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(topics.journal, row["part"]) for row in rows])
    finally:
        await consumer.stop()
    newest = {at.partition: end for at, end in ends.items()}
    return [
        PartStanding(partition=part, done_upto=done, waiting=max(0, newest[part] - done))
        for part, done in rows
    ]


async def noted_standings(database: Database, cluster: Cluster, topics: Topics) -> list[PartStanding]:
    """The same, for who asks a running server. Raises DatabaseBusy where Kafka is away."""
    try:
        async with database.system() as connection:
            return await standings(connection, cluster, topics)
    except KafkaError as error:
        raise DatabaseBusy(f"Kafka cannot be used now: {error}") from error


async def _make(cluster: Cluster, wanted: list[NewTopic]) -> None:
    async with _admin(cluster) as admin:
        there = set(await admin.list_topics())
        if taken := [topic.name for topic in wanted if topic.name in there]:
            raise BadUse(f"Kafka has topics {', '.join(taken)} already: choose another VICINO_KAFKA_TOPICS")
        try:
            made = await admin.create_topics(wanted)
        except KafkaError as error:
            raise KafkaUnfit(f"Kafka refuses: {error}") from error
        refused = [f"{name}: {text}" for name, code, text in made.topic_errors if code]
        if refused:
            raise KafkaUnfit(f"Kafka refuses: {'; '.join(refused)}")


@asynccontextmanager
async def _admin(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**cluster.client)
    try:
        await admin.start()
    except KafkaError as error:
        await admin.close()
        raise KafkaUnfit(f"Kafka cannot be used at {await cluster.trouble() or error}") from error
    try:
        yield admin
    finally:
        await admin.close()


async def _alone(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Raises BadUse where some server runs."""
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ENGINE_LOCK):
        raise BadUse("servers are running on this database: stop all of them first")


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()
