"""An engine as a member of its group: how it joins, and what it does when a partition is not its any more."""

import gc
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from server.memory import Memory
from tests.acceptance.mall import Mall, Shopper, mall, until


@pytest.fixture
async def opened(database_url: str, tmp_path: Path, kafka: str) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path, kafka=kafka) as opened:
        yield opened


async def test_an_engine_whose_partitions_have_another_owner_joins_the_group_again(
    opened: Mall, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    shopper = await opened.shopper()
    before = await owner.fetchval("SELECT sum(epoch) FROM partitions")
    await owner.execute("UPDATE partitions SET epoch = epoch + 100")  # as whoever takes them over
    await shopper.ping(north_m=40)

    async def decided() -> bool:
        return len(await shopper.receipts()) == 1

    await until(decided)
    assert await owner.fetchval("SELECT sum(epoch) FROM partitions") > before + 400


def _is_hers(memory: Memory, opened: Mall, shopper: Shopper) -> bool:
    retailer_id = opened.keys["retailer_id"]  # other tests may have left theirs
    return memory.retailer_id == retailer_id and memory.part.holds(retailer_id, shopper.shopper_id)


async def test_what_is_remembered_of_a_partition_is_gone_with_it(
    opened: Mall, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    shopper = await opened.shopper()
    await shopper.ping(north_m=140)
    # Of her partition. An engine hears that others have another owner only when it writes in them.
    gc.collect()
    memories = (one for one in gc.get_objects() if isinstance(one, Memory))
    remembered = [weakref.ref(one) for one in memories if _is_hers(one, opened, shopper)]
    del memories
    assert remembered
    gc.disable()  # a server hardly ever looks by itself at what has lived for long
    try:
        await owner.execute("UPDATE partitions SET epoch = epoch + 100")
        await shopper.ping(north_m=40)

        async def gone() -> bool:
            return not any(one() for one in remembered)

        await until(gone)
    finally:
        gc.enable()


async def test_an_engine_joins_with_a_longer_session_where_kafka_does_not_allow_its_own(
    database_url: str, tmp_path: Path, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "server.kafka.member.SESSION_MS", 900
    )  # the tests' broker allows a second at the least
    async with mall(database_url, tmp_path, kafka=kafka) as opened:
        shopper = await opened.shopper()
        assert (await shopper.ping(north_m=40))["accepted"] == 1
