"""The topics of a journal in Kafka: set up once, split later, and what cannot be read put aside."""

import asyncio

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from server.app import running
from server.config import Config
from server.errors import BadUse
from server.kafka.cluster import Cluster
from server.kafka.topics import Topics, described, grow, set_up
from server.parts import part_of
from tests.acceptance.mall import Mall, until
from tests.acceptance.scaled import PARTS


async def test_set_up_makes_the_topics_once(kafka: str, topics: Topics, database_url: str) -> None:
    for _ in range(2):
        await set_up(Cluster(servers=kafka), topics, database_url, parts=4, replicas=1, journal_days=1)

    assert await described(Cluster(servers=kafka), topics) == (4, 1)
    with pytest.raises(BadUse, match="kafka grow"):
        await set_up(Cluster(servers=kafka), topics, database_url, parts=8, replicas=1, journal_days=1)
    with pytest.raises(BadUse, match="power of two"):
        await set_up(Cluster(servers=kafka), topics, database_url, parts=3, replicas=1, journal_days=1)


async def test_partitions_are_split_when_nobody_runs_and_nothing_waits(
    kafka: str, topics: Topics, database_url: str, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await set_up(Cluster(servers=kafka), topics, database_url, parts=2, replicas=1, journal_days=1)
    with pytest.raises(BadUse, match="only become more"):
        await grow(Cluster(servers=kafka), topics, database_url, parts=2)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(topics.journal, b"something", partition=1)
    with pytest.raises(BadUse, match="1 inputs wait"):
        await grow(Cluster(servers=kafka), topics, database_url, parts=4)
    await owner.execute("UPDATE partitions SET next_offset = 1 WHERE part = 1")

    await grow(Cluster(servers=kafka), topics, database_url, parts=4)

    assert await described(Cluster(servers=kafka), topics) == (4, 1)
    assert await owner.fetchval("SELECT count(*) FROM partitions") == 4


async def test_the_journal_moves_to_kafka_only_when_everything_is_written(
    kafka: str, topics: Topics, database_url: str, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await owner.execute("INSERT INTO retailers (retailer_id, name, secret) VALUES ('r', 'r', 's')")
    await owner.execute("INSERT INTO heads (retailer_id, part, journal_seq) VALUES ('r', 0, 7)")

    with pytest.raises(BadUse, match="stop it in good order"):
        await set_up(Cluster(servers=kafka), topics, database_url, parts=2, replicas=1, journal_days=1)

    await owner.execute("INSERT INTO checkpoints (retailer_id, seq, day) VALUES ('r', 7, '2026-11-18')")
    await set_up(Cluster(servers=kafka), topics, database_url, parts=2, replicas=1, journal_days=1)
    with pytest.raises(BadUse, match="VICINO_KAFKA"):
        async with running(Config(database_url=database_url, port=0)):
            pass


async def test_a_record_that_cannot_be_read_is_put_aside_and_stops_nobody(
    at_noon: Mall, kafka: str, topics: Topics
) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for part in range(PARTS):
            await producer.send_and_wait(topics.journal, b"\xc1 no parcel", partition=part)

    shopper = await at_noon.shopper()
    assert (await shopper.ping(north_m=40))["accepted"] == 1

    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(topics.dead, 0)])
    async with asyncio.timeout(20):
        records = [await consumer.getone() for _ in range(PARTS)]
    await consumer.stop()
    assert {record.value for record in records} == {b"\xc1 no parcel"}


async def test_how_far_each_partition_is_and_what_waits_in_it_is_told(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)

    async def done() -> bool:
        told = (await at_noon.server.get("/v1/standing"))["partitions"]
        assert [one["partition"] for one in told] == list(range(PARTS))
        return sum(one["done_upto"] for one in told) > 0 and not any(one["waiting"] for one in told)

    await until(done)


async def test_what_an_edge_puts_into_the_wrong_partition_is_passed_on(
    at_noon: Mall, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper = await at_noon.shopper()

    def wrong(retailer_id: str, shopper_id: str, parts: int) -> int:
        return (part_of(retailer_id, shopper_id, parts) + 1) % parts

    monkeypatch.setattr("server.kafka.desk.part_of", wrong)
    assert (await shopper.ping(north_m=40))["accepted"] == 1
    monkeypatch.undo()

    async def noticed() -> bool:
        return len(await shopper.receipts()) == 1

    await until(noticed)
