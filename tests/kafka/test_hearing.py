"""What processes hear of each other: publications, told or not, within a second; whether they are ready."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from server.publish import publish
from server.watch import Watch
from tests.acceptance.mall import Mall, Shopper, mall, until
from tests.acceptance.test_sensitive_fences import clinic
from tests.conftest import data_folder
from tests.kafka.broker import Kafka, jars

LIMIT_S = 1.0
BUSY_S = 1.0  #: more, for a machine that does other things


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path, kafka: str) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path, kafka=kafka) as opened:
        yield opened


async def published_elsewhere(opened: Mall) -> float:
    """Another process publishes that there is a clinic at 300 m; when."""
    retailer_id = opened.keys["retailer_id"]
    async with opened.vicino.database.transaction(retailer_id) as connection:
        await publish(connection, retailer_id, "sensitive", {"clinic": clinic(300, 20)})
    return time.monotonic()


async def knows(shopper: Shopper) -> bool:
    """Whether the edge drops a fix at the clinic."""
    shopper.mall.clock.advance(1)
    return bool((await shopper.ping(north_m=300))["rejected"])


async def test_what_is_published_elsewhere_reaches_an_edge_within_a_second(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    assert not await knows(shopper)

    at = await published_elsewhere(at_noon)
    await until(lambda: knows(shopper))

    assert time.monotonic() - at < LIMIT_S


async def test_a_notification_that_was_missed_heals_itself(
    database_url: str, tmp_path: Path, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watch, "_heard", lambda *_: None)
    async with mall(database_url, tmp_path, kafka=kafka) as opened:
        shopper = await opened.shopper()
        assert not await knows(shopper)

        at = await published_elsewhere(opened)
        await until(lambda: knows(shopper))

        assert time.monotonic() - at < LIMIT_S + BUSY_S


async def test_an_edge_without_kafka_is_not_ready_until_it_is_back(database_url: str, tmp_path: Path) -> None:
    jars()
    with data_folder() as folder:
        async with (
            Kafka(folder / "kafka") as cluster,
            mall(database_url, tmp_path, kafka=cluster.servers) as opened,
        ):

            async def ready() -> int:
                async with (
                    aiohttp.ClientSession() as session,
                    session.get(f"{opened.vicino.url}/readyz") as told,
                ):
                    return told.status

            async def is_not() -> bool:
                return await ready() == 503

            async def is_ready() -> bool:
                return await ready() == 200

            await until(is_ready)
            [broker] = cluster.brokers
            await broker.kill()
            await until(is_not, within_s=10)
            await broker.start()
            await until(is_ready, within_s=60)
