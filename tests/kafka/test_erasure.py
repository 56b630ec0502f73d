"""Erasure where the journal is in Kafka: what lies in its topics opens for nobody from then on."""

from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from server.kafka.keys import Keys
from server.kafka.parcel import Key
from server.kafka.topics import ANSWER_PARTITIONS, Topics
from tests.acceptance.mall import Mall, mall, until
from tests.acceptance.scaled import PARTS
from tests.acceptance.test_learning import LEARNING, comes_near, model_in_use, teaches
from tests.acceptance.test_rights import HER_LON, erased, lives
from tests.acceptance.traces import dump, found, names_of


async def records(kafka: str, topic: str, parts: int) -> list[Any]:
    """Everything that lies in a topic."""
    places = [TopicPartition(topic, part) for part in range(parts)]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        read: list[Any] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                read.extend(batch)
        return read
    finally:
        await consumer.stop()


async def raw(kafka: str, topics: Topics) -> bytes:
    """The keys and values of all three topics, as they lie there."""
    wanted = {topics.journal: PARTS, topics.answers: ANSWER_PARTITIONS, topics.dead: 1}
    read = [one for topic, parts in wanted.items() for one in await records(kafka, topic, parts)]
    return b"".join((one.key or b"") + (one.value or b"") for one in read)


async def readable(opened: Mall, kafka: str, topics: Topics) -> bytes:
    """What of the journal's topic opens with the keys that are there."""
    keys = Keys(opened.vicino.database, opened.clock)
    opens = await keys.open(await records(kafka, topics.journal, PARTS))
    return b"".join(repr(one.parcel.item).encode() for one in opens if one.parcel is not None)


async def test_nothing_of_who_was_erased_is_left_in_the_database_or_opens_in_kafka(
    at_noon: Mall, database_url: str, kafka: str, topics: Topics
) -> None:
    shopper, stays = await at_noon.shopper(), await at_noon.shopper()
    await stays.ping(north_m=12, lon=24.5)
    hers = await lives(shopper)
    before = found(await readable(at_noon, kafka, topics), hers)
    assert {HER_LON, *names_of(shopper)} <= set(before), "the search must find what is there"

    told = await erased(shopper)

    assert told["erased_at"] is not None
    assert told["erased"]["topic_keys"] == 1
    assert found(await dump(database_url), hers) == []
    left = await readable(at_noon, kafka, topics)
    assert found(left, hers) == []
    assert found(left, [stays.shopper_id, 24.5]) == [stays.shopper_id, 24.5]


async def test_no_topic_ever_held_an_id_or_a_position_in_the_clear(
    at_noon: Mall, kafka: str, topics: Topics
) -> None:
    known = await at_noon.shopper(user_id="ann")
    hers = await lives(known)
    again = await at_noon.shopper(user_id="ann")  # by way of whichever part
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        sealed = max((one.value for one in await records(kafka, topics.journal, PARTS)), key=len)
        middle = len(sealed) // 2
        spoilt = sealed[:middle] + bytes([sealed[middle] ^ 1]) + sealed[middle + 1 :]
        await producer.send_and_wait(topics.journal, spoilt, partition=0)
    await until(lambda: records(kafka, topics.dead, 1))

    assert again.shopper_id == known.shopper_id
    assert found(await raw(kafka, topics), [*hers, *names_of(again)]) == []


async def test_who_was_erased_is_unknown_to_every_edge_and_gets_no_new_key(
    at_noon: Mall, database_url: str, kafka: str, topics: Topics
) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)

    await erased(shopper)

    answer = await shopper.ping(north_m=40)
    assert answer == {"accepted": 0, "rejected": [{"index": 0, "reason": "unknown_device"}]}
    await shopper.call("PUT", "/v1/me/consents", {"push": {"granted": False}})
    assert found(await dump(database_url), names_of(shopper)) == []
    assert found(await readable(at_noon, kafka, topics), names_of(shopper)) == []


async def test_what_was_sealed_with_a_key_that_is_gone_stops_nobody(
    at_noon: Mall, kafka: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper, other = await at_noon.shopper(), await at_noon.shopper()

    async def remembered(*_: object) -> Key:
        return Key(b"of who is gone", b"k" * 32)

    with monkeypatch.context() as patched:
        patched.setattr(Keys, "of_shopper", remembered)
        ping = await shopper.ping(north_m=40)
        status, _ = await shopper.call("PUT", "/v1/me/consents", {"push": {"granted": False}})

    assert ping == {"accepted": 0, "rejected": [{"index": 0, "reason": "unknown_device"}]}
    assert status == 503, "she may ask again"
    assert [(await one.ping(north_m=40))["accepted"] for one in (shopper, other)] == [1, 1]
    assert await records(kafka, topics.dead, 1) == []


async def test_a_key_of_somebody_who_never_came_to_be_is_forgotten(at_noon: Mall) -> None:
    shopper, retailer_id = await at_noon.shopper(), at_noon.keys["retailer_id"]
    keys = Keys(at_noon.vicino.database, at_noon.clock)
    assert await keys.of_shopper(retailer_id, "shp_nobody") is not None

    at_noon.clock.advance(2 * 3600)

    async def left() -> bool:
        async with at_noon.vicino.database.transaction(retailer_id) as connection:
            rows = await connection.fetch("SELECT shopper_id FROM topic_keys")
        return [row["shopper_id"] for row in rows] == [shopper.shopper_id]

    await until(left, within_s=40)


async def test_every_part_unlearns_who_was_erased(
    database_url: str, tmp_path: Path, kafka: str, topics: Topics
) -> None:
    async with mall(database_url, tmp_path, kafka=kafka, policy="learn", learning=LEARNING) as opened:
        for _ in range(4):
            await teaches(opened)
        await (await teaches(opened)).call("DELETE", "/v1/me")

        opened.clock.advance(13 * 3600)
        model = await until(lambda: model_in_use(opened), within_s=90)

        async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
            parts = await connection.fetch("SELECT DISTINCT part FROM lessons WHERE shopper_id <> ''")
            made = await connection.fetch("SELECT part FROM models WHERE model_id = $1", model)
        assert {row["part"] for row in parts} <= {row["part"] for row in made}
        opened.clock.advance(9 * 3600)

        async def decides() -> bool:
            _, receipt = await comes_near(opened)
            return bool(receipt["judgement"]["model"] == model)

        await until(decides)
