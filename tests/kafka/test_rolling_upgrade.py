"""A rolling upgrade: processes of the version before and of this one side by side, on one database and Kafka.

The procedure is that of docs/scale.md: migrate, then replace engines, edges and push one by one. Meanwhile
phones go on sending to whichever edge is there.
"""

import asyncio
import io
import itertools
import json
import subprocess
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from server.clock import to_us
from server.ids import new_id
from server.wire import rfc3339
from tests.acceptance.mall import ALL_CONSENTS, FENCE, M_PER_DEGREE, OFFER, PRODUCTS, SHOP, STORE, until
from tests.faults.processes import Server, clean_environment
from tests.kafka.earlier import earlier_checkout
from tests.support import REPOSITORY

pytestmark = pytest.mark.timeout(280)

PARTS = 4
PHONES = 12
EVERY_S = 0.15  #: a phone's pings


class Phone:
    """Sends pings, as apps do: to an edge that is there, again until it is acknowledged."""

    def __init__(self, session: aiohttp.ClientSession, edges: list[str]) -> None:
        self._session = session
        self._edges = edges  #: those that are there now, shared by all phones
        self.headers: dict[str, str] = {}
        self.acknowledged: set[str] = set()  #: when the fixes were measured
        self.statuses: list[int] = []
        self.shopper_id = ""

    async def register(self, app_key: str) -> None:
        body = {"platform": "android", "consents": ALL_CONSENTS}
        answer = await self.call("POST", "/v1/devices", body, {"Authorization": f"Bearer {app_key}"})
        self.headers = {"Authorization": f"Bearer {answer['access_token']}"}
        self.shopper_id = answer["shopper_id"]

    async def ping(self, north_m: float) -> None:
        at = rfc3339(to_us(datetime.now(UTC)))
        fix = {"lat": SHOP[0] + north_m / M_PER_DEGREE, "lon": SHOP[1], "fixed_at": at, "accuracy_m": 5.0}
        answer = await self.call("POST", "/v1/pings", {"fixes": [fix]})
        assert answer["accepted"] == 1, answer
        self.acknowledged.add(at)

    async def walk(self) -> None:
        """Far off the shop, until it is cancelled."""
        for step in itertools.count():
            await self.ping(600 + step % 7)
            await asyncio.sleep(EVERY_S)

    async def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        """The answer, from whichever edge gives one. No status may be that of a failure."""
        attempt = 0
        while True:
            edge, attempt = self._edges[attempt % len(self._edges)], attempt + 1
            try:
                async with self._session.request(
                    method, edge + path, json=body, headers=headers or self.headers
                ) as answer:
                    self.statuses.append(answer.status)
                    assert answer.status in {200, 201}, await answer.text()
                    return await answer.json()
            except aiohttp.ClientConnectionError:  # it has stopped: nothing was acknowledged
                assert attempt < 50, "no edge is there"
                await asyncio.sleep(0.05)


class Fleet:
    """The processes, by version and role."""

    def __init__(self, environment: dict[str, str], folder: Path, stack: AsyncExitStack) -> None:
        self._environment, self._folder, self._stack = environment, folder, stack

    async def start(self, checkout: Path, *roles: str) -> list[Server]:
        servers = [Server(self._environment, self._folder, role, checkout) for role in roles]
        for server in servers:
            self._stack.push_async_callback(server.end)
        await asyncio.gather(*(server.start() for server in servers))
        return servers

    def command(self, checkout: Path, *arguments: str) -> str:
        done = subprocess.run(
            [checkout / "vicino", *arguments],
            env=clean_environment() | self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


async def open_shop(session: aiohttp.ClientSession, edge: str, server_key: str) -> None:
    """One that is never closed, with an offer of these days."""
    now = datetime.now(UTC)
    valid = {"from": (now - timedelta(days=1)).isoformat(), "until": (now + timedelta(days=9)).isoformat()}
    store = {name: value for name, value in STORE.items() if name != "opening_hours"}
    bodies = {
        "stores": [store],
        "geofences": {"type": "FeatureCollection", "features": [FENCE]},
        "catalog": PRODUCTS,
        "offers": [OFFER | {"valid": valid}],
    }
    for kind, body in bodies.items():
        lines = body if isinstance(body, list) else [body]
        media = "application/x-ndjson" if isinstance(body, list) else "application/geo+json"
        async with session.post(
            f"{edge}/v1/{kind}",
            data="\n".join(map(json.dumps, lines)),
            headers={"Authorization": f"Bearer {server_key}", "Content-Type": media},
        ) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def walking(phones: list[Phone]) -> AsyncIterator[None]:
    """All of them walk about meanwhile; whatever stops one of them fails the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(phone.walk()) for phone in phones]
        yield
        for task in tasks:
            task.cancel()


async def positions_of(session: aiohttp.ClientSession, edge: str, phone: Phone) -> set[str]:
    """When the positions were measured that a shopper's copy has."""
    async with session.get(f"{edge}/v1/me/export", headers=phone.headers) as answer:
        assert answer.status == 200, await answer.text()
        archive = zipfile.ZipFile(io.BytesIO(await answer.read()))
    features = json.loads(archive.read("positions.geojson"))["features"]
    return {one["properties"]["fixed_at"] for one in features if one["properties"]["from"] == "journal"}


async def all_done(kafka: str, topic: str, database_url: str) -> bool:
    """Whether engines have done all that lies in the topic."""
    places = [TopicPartition(topic, part) for part in range(PARTS)]
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        ends = await consumer.end_offsets(places)
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch("SELECT part, next_offset FROM partitions")
    finally:
        await connection.close()
    return all(row["next_offset"] == ends[TopicPartition(topic, row["part"])] for row in rows)


async def test_the_version_before_and_this_one_serve_side_by_side_and_lose_nothing(
    database_url: str, kafka: str, tmp_path: Path
) -> None:
    earlier = await asyncio.to_thread(earlier_checkout)
    prefix = new_id("test")
    environment = {
        "VICINO_DATABASE_URL": database_url,  # migrated to this version's schema already
        "VICINO_KAFKA": kafka,
        "VICINO_KAFKA_TOPICS": prefix,
        "VICINO_DATA_DIR": str(tmp_path),
    }
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        fleet = Fleet(environment, tmp_path, stack)
        fleet.command(earlier, "kafka", "setup", "--partitions", str(PARTS), "--replicas", "1")
        options = ("--quiet-hours", "none", "--policy", "rules", "--holdout", "0", "--json")
        keys = json.loads(fleet.command(earlier, "retailer", "create", "Corner Shoes", *options))
        engine, edge, push = await fleet.start(earlier, "engine", "edge", "push")
        await open_shop(session, edge.url, keys["server_key"])
        edges = [edge.url]
        phones = [Phone(session, edges) for _ in range(PHONES)]
        for phone in phones:
            await phone.register(keys["app_key"])
        looker = phones[0]
        looks = {"kind": "view", "sku": "T-1", "at": datetime.now(UTC).isoformat()}
        await looker.call("POST", "/v1/events", {"events": [looks]})

        async with walking(phones[1:]):
            [new_engine] = await fleet.start(REPOSITORY, "engine")
            await engine.stop()
            await looker.ping(40)  # at the old edge; the new engine decides

            async def offered() -> Any:
                return (await looker.call("GET", "/v1/inbox"))["items"]

            [item] = await until(offered, within_s=30)
            new_edge, new_push = await fleet.start(REPOSITORY, "edge", "push")
            edges[:] = [new_edge.url, edge.url]
            await edge.stop()
            edges[:] = [new_edge.url]
            await push.stop()

            assert [one["id"] for one in await offered()] == [item["id"]]
            async with session.post(
                f"{new_edge.url}/v1/redemptions",
                json={"code": item["code"]},
                headers={"Authorization": f"Bearer {keys['till_key']}"},
            ) as answer:
                assert (answer.status, (await answer.json())["status"]) == (200, "redeemed")
            newcomer = Phone(session, edges)
            await newcomer.register(keys["app_key"])

        await until(lambda: all_done(kafka, f"{prefix}.journal", database_url), within_s=30)
        for phone in phones:
            assert phone.acknowledged <= await positions_of(session, new_edge.url, phone)
        assert max(status for phone in phones for status in phone.statuses) < 500
        assert sum(len(phone.acknowledged) for phone in phones) > 10 * PHONES
        for server in (new_edge, new_engine, new_push):
            await server.stop()
        assert "Traceback" not in "".join(one.log.read_text() for one in (engine, edge, push))
