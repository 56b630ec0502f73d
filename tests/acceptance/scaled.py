"""Vicino as several processes' parts over Kafka: an edge, two engines and a relay, here in one process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from server.app import Running, running
from server.config import Config
from server.ids import new_id
from server.kafka.cluster import Cluster
from server.kafka.topics import Topics, set_up
from tests.fakes import ManualClock

PARTS = 4


async def kafka_config(config: Config, kafka: str) -> Config:
    """The configuration of a server whose journal is in topics of its own on a Kafka, set up."""
    assert config.database_url is not None
    config = msgspec.structs.replace(config, kafka=kafka, kafka_topics=new_id("test"))
    topics = Topics(config.kafka_topics)
    await set_up(Cluster.of(config), topics, config.database_url, parts=PARTS, replicas=1, journal_days=1)
    return config


@asynccontextmanager
async def scaled(config: Config, clock: ManualClock, *, engines: int = 2) -> AsyncIterator[Running]:
    """One of each role, and so many engines; what is given is the edge."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(config, role="push", clock=clock))
        for _ in range(engines):
            await stack.enter_async_context(running(config, role="engine", clock=clock))
        yield await stack.enter_async_context(running(config, role="edge", clock=clock))
