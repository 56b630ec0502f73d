"""An engine as a member of its group: how it joins, and what it does when a partition is not its any more."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.acceptance.mall import Mall, mall, until


@pytest.fixture
async def opened(database_url: str, tmp_path: Path, kafka: str) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path, kafka=kafka) as opened:
        yield opened


async def test_an_engine_whose_partitions_have_another_owner_joins_the_group_again(opened: Mall) -> None:
    shopper = await opened.shopper()
    owner = await asyncpg.connect(opened.vicino.database_url)
    try:
        before = await owner.fetchval("SELECT sum(epoch) FROM partitions")
        await owner.execute("UPDATE partitions SET epoch = epoch + 100")  # as whoever takes them over
        await shopper.ping(north_m=40)

        async def decided() -> bool:
            return len(await shopper.receipts()) == 1

        await until(decided)
        assert await owner.fetchval("SELECT sum(epoch) FROM partitions") > before + 400
    finally:
        await owner.close()


async def test_an_engine_joins_with_a_longer_session_where_kafka_does_not_allow_its_own(
    database_url: str, tmp_path: Path, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "server.kafka.member.SESSION_MS", 900
    )  # the tests' broker allows a second at the least
    async with mall(database_url, tmp_path, kafka=kafka) as opened:
        shopper = await opened.shopper()
        assert (await shopper.ping(north_m=40))["accepted"] == 1
