"""Vicino as several processes, and everything that they need: what a fault happens to.

near: an edge, an engine, the push process     -> three brokers of Kafka, PostgreSQL
far:  an edge, an engine        -> wires that can be cut -> the same

Where that is permitted the far engine is in a network of its own (`apart.py`).
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from server.ids import new_id
from server.kafka.topics import Topics, set_up
from tests.faults.postgres import Postgres, SlowWire, postgres, slow_wire
from tests.faults.processes import Fcm, Server, free_port
from tests.faults.scaled.apart import LOOPBACK, Apart, apart
from tests.kafka.broker import Kafka

PARTS = 4
REST_S = 120.0  #: within this everything that was accepted is done, and every push at an end
LOOK_S = 0.05


class Cluster(msgspec.Struct, kw_only=True):
    """Its processes, by what they are."""

    folder: Path
    stack: AsyncExitStack
    kafka: Kafka
    topics: Topics
    postgres: Postgres
    fcm: Fcm
    far_brokers: list[SlowWire]
    far_postgres: SlowWire
    environment: dict[str, str]
    far_environment: dict[str, str]
    apart: Apart | None  #: the network of the far engine, where it has one
    edges: list[Server] = []  #: the far one, the near one
    engines: list[Server] = []  #: likewise
    push: list[Server] = []

    @property
    def urls(self) -> list[str]:
        return [edge.url for edge in self.edges]

    def another(self, role: str, *, far: bool = False) -> Server:
        """One process more, not started."""
        environment = self.far_environment if far else self.environment
        if far and role == "engine" and self.apart is not None:
            there = {"host": self.apart.inner, "prefix": self.apart.prefix}
            made = Server(environment, self.folder, role, **there)
        else:
            made = Server(environment, self.folder, role)
        self.stack.push_async_callback(made.end)
        return made

    async def whole(self) -> None:
        """Everything runs again: the wires, the brokers with all copies, the processes."""
        for wire in (*self.far_brokers, self.far_postgres):
            wire.delay_s = 0.0
            wire.mend()
        if self.apart is not None:
            await self.apart.up()
        for broker in self.kafka.brokers:
            if not broker.running:
                await broker.start()
        dead = [one for one in (*self.engines, *self.edges, *self.push) if not one.running]
        await asyncio.gather(*(server.start() for server in dead))
        await self.kafka.ready()
        await self.kafka.in_sync(self.topics.journal)

    async def rest(self) -> None:
        """Returns when what Kafka has is done by engines, and every push at an end. Raises TimeoutError."""
        connection = await asyncpg.connect(self.postgres.url)
        try:
            async with asyncio.timeout(REST_S):
                while await self._behind(connection) or await connection.fetchval(UNSENT):
                    await asyncio.sleep(LOOK_S)
        finally:
            await connection.close()

    async def _behind(self, connection: "asyncpg.Connection[asyncpg.Record]") -> int:
        """How many records no engine has noted as done."""
        done = {row["part"]: row["next_offset"] for row in await connection.fetch(DONE)}
        ends = await self.ends()
        return sum(ends[part] - done[part] for part in done)

    async def ends(self) -> dict[int, int]:
        """Where the partitions of the journal's topic end."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka.servers)
        await consumer.start()
        try:
            partitions = [TopicPartition(self.topics.journal, part) for part in range(PARTS)]
            return {one.partition: end for one, end in (await consumer.end_offsets(partitions)).items()}
        finally:
            await consumer.stop()


@asynccontextmanager
async def cluster(folder: Path, *, seed: int) -> AsyncIterator[Cluster]:
    """All of it, on a migrated PostgreSQL in the folder; gone with its block."""
    chosen = random.Random(seed)
    async with AsyncExitStack() as stack:
        alone = await stack.enter_async_context(apart())
        host = LOOPBACK if alone is None else alone.outer
        far = [(free_port(), f"{host}:{free_port()}") for _ in range(3)]
        kafka = Kafka(folder / "kafka", 3, far=far)
        fcm = Fcm(folder)
        stack.push_async_callback(fcm.end)
        database, _, _ = await asyncio.gather(
            stack.enter_async_context(postgres(folder)),
            stack.enter_async_context(kafka),
            fcm.start("--seed", str(seed)),
        )
        wires = [await _wire(stack, here, there, chosen) for here, there in far]
        wire, far_url = await stack.enter_async_context(slow_wire(database, chosen, host))
        topics = Topics(new_id("faults"))
        await set_up(kafka.cluster, topics, database.url, parts=PARTS, replicas=3, journal_days=1)
        environment = {
            "VICINO_DATABASE_URL": database.url,
            "VICINO_KAFKA": kafka.servers,
            "VICINO_KAFKA_TOPICS": topics.prefix,
            "VICINO_FCM_ENDPOINT": fcm.url,
            "VICINO_FCM_CREDENTIALS": str(fcm.credentials),
        }
        far_servers = ",".join(there for _, there in far)
        made = Cluster(
            folder=folder,
            stack=stack,
            kafka=kafka,
            topics=topics,
            postgres=database,
            fcm=fcm,
            far_brokers=wires,
            far_postgres=wire,
            environment=environment,
            far_environment=environment | {"VICINO_DATABASE_URL": far_url, "VICINO_KAFKA": far_servers},
            apart=alone,
        )
        made.edges = [made.another("edge", far=far) for far in (True, False)]
        made.engines = [made.another("engine", far=far) for far in (True, False)]
        made.push = [made.another("push")]
        await made.whole()
        yield made


async def _wire(stack: AsyncExitStack, here: int, there: str, chosen: random.Random) -> SlowWire:
    """A way to what listens on port `here`, by the address `there`."""
    wire = SlowWire(lambda: asyncio.open_connection("127.0.0.1", here), chosen)
    listening = await asyncio.start_server(wire.serve, *there.split(":"))
    stack.callback(listening.close)
    stack.callback(wire.break_all)
    return wire


DONE = "SELECT part, next_offset FROM partitions"
UNSENT = "SELECT EXISTS (SELECT FROM outbox WHERE state IN ('pending', 'leased'))"
