"""What a peak is rehearsed on: one process, or several over a real Kafka; and the phones that come.

Each phone lies beside a fence of its shop, has looked at what is on offer, and can be pushed to.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from bench._crowd import fences
from bench._served import CONSENTS, LAT, LON, SOLD, asked, post, process
from server.cli.retailer import create_retailer
from server.db import Database
from server.kafka.topics import Topics, set_up
from server.migrate import migrate
from server.postgres import EmbeddedPostgres
from tests.faults.processes import Fcm
from tests.kafka.broker import Kafka

PARTS = 8
#: A phone here stands for many: it steps in within a tenth of a second, and has not driven.
SETTINGS: dict[str, Any] = {"quiet_hours": None, "policy": "rules", "holdout": 0, "drive_by_mps": 1000}
PUBLISHED: dict[str, Any] = {
    "stores": {"external_id": "s", "name": "Shop", "lat": LAT, "lon": LON},
    "geofences": fences(),
} | SOLD


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A Vicino with its shop and its phones."""

    url: str  #: where phones come
    others: Sequence[str]  #: the other processes
    database_url: str
    tokens: Sequence[str]

    async def gauges(self) -> dict[str, float]:
        """Of all processes, summed up: what waits, how many valves are closed."""
        found: dict[str, float] = {}
        async with aiohttp.ClientSession() as session:
            for url in (self.url, *self.others):
                async with session.get(url + "/metrics") as answer:
                    for family in text_string_to_metric_families(await answer.text()):
                        if family.type == "gauge":
                            told = sum(sample.value for sample in family.samples)
                            found[family.name] = found.get(family.name, 0.0) + told
        return found


@asynccontextmanager
async def one_process(folder: Path, phones: int) -> AsyncIterator[Setting]:
    """Everything in one process."""
    async with AsyncExitStack() as stack:
        environ = await _beside(stack, folder)
        url, _ = await stack.enter_async_context(process("-m", "server", "serve", **environ))
        yield await _furnished(url, (), environ["VICINO_DATABASE_URL"], phones)


@asynccontextmanager
async def over_kafka(folder: Path, phones: int) -> AsyncIterator[Setting]:
    """One edge, one engine and the push process over one broker."""
    async with AsyncExitStack() as stack:
        kafka = await stack.enter_async_context(Kafka(folder / "kafka"))
        environ = await _beside(stack, folder)
        url, topics = environ["VICINO_DATABASE_URL"], Topics("bench")
        await set_up(kafka.cluster, topics, url, parts=PARTS, replicas=1, journal_days=1)
        environ |= {"VICINO_KAFKA": kafka.servers, "VICINO_KAFKA_TOPICS": topics.prefix}
        urls = [
            (await stack.enter_async_context(process("-m", "server", "serve", "--role", role, **environ)))[0]
            for role in ("engine", "push", "edge")
        ]
        yield await _furnished(urls[-1], urls[:-1], url, phones)


async def _beside(stack: AsyncExitStack, folder: Path) -> dict[str, str]:
    """PostgreSQL and the stand-in FCM: the settings by which they are found."""
    server = await stack.enter_async_context(EmbeddedPostgres(folder / "data", say=lambda _: None))
    await migrate(server.url)
    fcm = Fcm(folder)
    stack.push_async_callback(fcm.end)
    await fcm.start()
    return {
        "VICINO_DATABASE_URL": server.url,
        "VICINO_FCM_ENDPOINT": fcm.url,
        "VICINO_FCM_CREDENTIALS": str(fcm.credentials),
        "VICINO_PORT": "0",
        "VICINO_LIMITS": "off",  # a phone here stands for many
    }


async def _furnished(url: str, others: Sequence[str], database_url: str, phones: int) -> Setting:
    async with await Database.open(database_url) as database:
        keys = await create_retailer(database, "Bench", SETTINGS)
    async with aiohttp.ClientSession() as session:
        for kind, body in PUBLISHED.items():
            await post(session, f"{url}/v1/{kind}", keys["server_key"], body)
    consents = CONSENTS | {"personalisation": {"granted": True}}
    bodies = [
        {
            "platform": "android",
            "consents": consents,
            "push": {"kind": "fcm_token", "value": f"phone-{number:05d}:" + "x" * 100},
        }
        for number in range(phones)
    ]
    tokens = [given["access_token"] for given in await asked(f"{url}/v1/devices", keys["app_key"], bodies)]
    looked = {"events": [{"kind": "cart", "sku": "T-1", "at": datetime.now(UTC).isoformat()}]}
    gate = asyncio.Semaphore(8)
    async with aiohttp.ClientSession() as session:

        async def look(token: str) -> None:
            async with gate:
                await post(session, f"{url}/v1/events", token, looked)

        await asyncio.gather(*map(look, tokens))
    return Setting(url=url, others=others, database_url=database_url, tokens=tokens)
