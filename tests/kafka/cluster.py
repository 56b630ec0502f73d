"""A cluster of processes under load, things that go wrong with it, and what must hold afterwards."""

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from server.cli.retailer import create_retailer
from server.clock import SystemClock, from_us
from server.db import Database
from server.ids import new_id
from server.journal import Entry
from server.kafka.journal import KafkaJournal, Reader
from server.kafka.topics import Topics, set_up
from server.parts import Part
from tests.acceptance.mall import ALL_CONSENTS, FENCE, M_PER_DEGREE, OFFER, PRODUCTS, SHOP, STORE
from tests.faults.processes import Fcm, Server

PARTS = 4
SHOPPERS = 12
SETTLED_S = 60.0  #: by when everything that was accepted must be done


class Cluster:
    """Two edges, two engines, a relay; and a crowd that keeps sending until it is told to go home."""

    def __init__(self, database_url: str, kafka: str, prefix: str, folder: Path, seed: int) -> None:
        self.draw = random.Random(seed)
        self.database_url, self.kafka, self.topics = database_url, kafka, Topics(prefix)
        self._environment = {
            "VICINO_DATABASE_URL": database_url,
            "VICINO_KAFKA": kafka,
            "VICINO_KAFKA_TOPICS": prefix,
            "VICINO_LIMITS": "off",
        }
        self._folder = folder
        self.edges = [self.server("edge") for _ in range(2)]
        self.engines = [self.server("engine") for _ in range(2)]
        self.push = self.server("push")
        self.acked: set[tuple[str, int]] = set()  #: device and time of every fix that was acknowledged
        self.longest_s = 0.0  #: the longest that a phone had to try until a fix was acknowledged
        self._home = asyncio.Event()

    def server(self, role: str) -> Server:
        return Server(self._environment, self._folder, role)

    def with_fcm(self, fcm: Fcm) -> None:
        self._environment |= {"VICINO_FCM_CREDENTIALS": str(fcm.credentials), "VICINO_FCM_ENDPOINT": fcm.url}
        self.push = self.server("push")

    async def crowd(self, session: aiohttp.ClientSession, app_key: str) -> None:
        """Everybody walks to and fro about the shop until they are to go home."""
        await asyncio.gather(*(self._phone(session, app_key, number) for number in range(SHOPPERS)))

    def go_home(self) -> None:
        self._home.set()

    async def _phone(self, session: aiohttp.ClientSession, app_key: str, number: int) -> None:
        body = {"platform": "android", "consents": ALL_CONSENTS}
        key = {"Idempotency-Key": f"phone-{number}"}
        told = await self._until_taken(session, "/v1/devices", body, app_key, **key)
        token, device_id = told["access_token"], told["device_id"]
        seen = {"events": [{"kind": "view", "sku": "T-1", "at": from_us(SystemClock().now_us()).isoformat()}]}
        await self._until_taken(session, "/v1/events", seen, token)
        while not self._home.is_set():
            north_m = self.draw.uniform(-400, 400)
            at_us = SystemClock().now_us()
            fix = {"lat": SHOP[0] + north_m / M_PER_DEGREE, "lon": SHOP[1], "accuracy_m": 5}
            fix["fixed_at"] = from_us(at_us).isoformat()
            answer = await self._until_taken(session, "/v1/pings", {"fixes": [fix]}, token)
            assert answer["accepted"] == 1, answer
            self.acked.add((device_id, at_us))
            await asyncio.sleep(self.draw.uniform(0.05, 0.15))  # as phones do

    async def _until_taken(
        self, session: aiohttp.ClientSession, path: str, body: Any, credential: str, **headers: str
    ) -> Any:
        """Tries one edge after the other, as a load balancer and a phone together do."""
        began_s = asyncio.get_running_loop().time()
        headers |= {"Authorization": f"Bearer {credential}"}
        async with asyncio.timeout(SETTLED_S):
            while True:
                edge = self.draw.choice(self.edges)
                try:
                    async with session.post(edge.url + path, json=body, headers=headers) as answer:
                        if answer.status in (200, 201):
                            told = await answer.json()
                            took_s = asyncio.get_running_loop().time() - began_s
                            self.longest_s = max(self.longest_s, took_s)
                            return told
                        assert answer.status in (429, 503), f"{path}: {answer.status} {await answer.text()}"
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(0.1)  # another process: it can only be asked again

    async def settled(self) -> None:
        """Returns when everything that lies in the topic is done."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka)
        await consumer.start()
        connection = await asyncpg.connect(self.database_url)
        try:
            partitions = [TopicPartition(self.topics.journal, part) for part in range(PARTS)]
            ends = {one.partition: end for one, end in (await consumer.end_offsets(partitions)).items()}
            async with asyncio.timeout(SETTLED_S):
                while True:
                    rows = await connection.fetch("SELECT part, next_offset FROM partitions")
                    if {row["part"]: row["next_offset"] for row in rows} == ends:
                        return
                    await asyncio.sleep(0.1)  # other processes: they can only be asked
        finally:
            await consumer.stop()
            await connection.close()

    async def entries(self, retailer_id: str) -> dict[int, list[Entry]]:
        """The whole journal, by part."""
        found: dict[int, list[Entry]] = {}
        connection = await asyncpg.connect(self.database_url)
        days = await connection.fetch("SELECT DISTINCT day FROM journal ORDER BY day")
        await connection.close()
        async with await Database.open(self.database_url) as database:
            for number in range(PARTS):
                reader = Reader(self.kafka, self.topics.journal, number)
                journal = KafkaJournal(Part(number=number, of=PARTS), reader)
                async with database.transaction(retailer_id) as reading:
                    found[number] = [
                        entry for row in days async for entry in journal.day(reading, retailer_id, row["day"])
                    ]
                await reader.close()
        return found


@asynccontextmanager
async def cluster(
    database_url: str, kafka: str, folder: Path, seed: int
) -> AsyncIterator[tuple[Cluster, str]]:
    """A cluster at work with its crowd; and its retailer's id. All of it is gone after the block."""
    prefix = new_id("test")
    await set_up(kafka, Topics(prefix), database_url, parts=PARTS, replicas=1, journal_days=1)
    async with await Database.open(database_url) as database:
        keys = await create_retailer(database, "Corner Shoes", {"quiet_hours": None})
    made = Cluster(database_url, kafka, prefix, folder, seed)
    async with AsyncExitStack() as stack:
        fcm = Fcm(folder)
        await fcm.start()
        stack.push_async_callback(fcm.end)
        made.with_fcm(fcm)
        for server in (*made.edges, *made.engines, made.push):
            stack.push_async_callback(server.end)
        await asyncio.gather(*(one.start() for one in (*made.edges, *made.engines, made.push)))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        )
        await publish(session, made.edges[0].url, keys["server_key"])
        crowd = asyncio.create_task(made.crowd(session, keys["app_key"]))
        try:
            yield made, keys["retailer_id"]
        finally:
            made.go_home()
            await crowd


async def publish(session: aiohttp.ClientSession, url: str, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    always = {"opening_hours": "24/7"}
    for path, records in (
        ("stores", [STORE | always]),
        ("geofences", [FENCE]),
        ("catalog", PRODUCTS),
        ("offers", [OFFER]),
    ):
        kind = {"Content-Type": "application/geo+json"} if path == "geofences" else {}
        body = "\n".join(json.dumps(record) for record in records)
        async with session.post(f"{url}/v1/{path}", data=body, headers=headers | kind) as answer:
            assert answer.status == 200, await answer.text()


#: A fault: what is done to a cluster at work.
Fault = Callable[[Cluster], Awaitable[None]]


async def engine_killed(cluster: Cluster) -> None:
    """`kill -9` of an engine, which comes back."""
    engine = cluster.draw.choice(cluster.engines)
    await engine.kill()
    await asyncio.sleep(cluster.draw.uniform(0, 3))
    await engine.start()


async def edge_killed(cluster: Cluster) -> None:
    """`kill -9` of an edge, which comes back."""
    edge = cluster.draw.choice(cluster.edges)
    await edge.kill()
    await asyncio.sleep(cluster.draw.uniform(0, 2))
    await edge.start()


async def engine_joins_and_leaves(cluster: Cluster) -> None:
    """A rebalance in the midst of transactions, and another."""
    third = cluster.server("engine")
    try:
        await third.start()
        await asyncio.sleep(cluster.draw.uniform(2, 4))
        await third.stop()
    finally:
        await third.end()


async def zombie(cluster: Cluster) -> None:
    """An engine sleeps for longer than its session, is taken for dead, and goes on where it was."""
    engine = cluster.draw.choice(cluster.engines)
    os.kill(engine.pid, signal.SIGSTOP)
    await asyncio.sleep(9 + cluster.draw.uniform(0, 2))
    os.kill(engine.pid, signal.SIGCONT)
    await asyncio.sleep(3)


def signal_to(server: Server, number: signal.Signals) -> None:
    import os

    os.kill(server.pid, number)


async def dies_after_a_commit(cluster: Cluster) -> None:
    """An engine dies between the commit of a batch and its answers."""
    await _dies_at(cluster, "after_commit")


async def dies_before_a_commit(cluster: Cluster) -> None:
    """An engine dies when a batch is decided and not committed."""
    await _dies_at(cluster, "before_commit")


async def _dies_at(cluster: Cluster, place: str) -> None:
    engine = cluster.draw.choice(cluster.engines)
    await engine.stop()
    await engine.start(fault=f"{place}:{cluster.draw.randint(5, 40)}", ready=False)
    await engine.ended(40)
    await engine.start()


def counted(entries: dict[int, list[Entry]]) -> Counter[tuple[str, int]]:
    """How often each fix is in the journal, by device and time."""
    found: Counter[tuple[str, int]] = Counter()
    for entry in (one for part in entries.values() for one in part):
        for ping, item in enumerate(entry.pings.items):
            for row in entry.pings.rows(ping):
                found[item.device_id, int(entry.pings.fixed_at_us[row])] += 1
    return found
