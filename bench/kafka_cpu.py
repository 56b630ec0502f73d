"""Processor time of a ping through Kafka over that of one process; two engines on two cores over one on one.

The same phones ping one process, and in turns an edge before an engine over a real Kafka (one broker): so
many a second, or as fast as 64 connections get answers. Where little comes, batches are small, and each costs
some milliseconds whatever it holds: a ratio means something where as much comes to both. Then pings gather in
Kafka while no engine runs, and one engine pinned to a core works them off, or two do. Kafka and PostgreSQL
have these cores too: on a machine of two the ratio says what is left to engines.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from bench._load import closed, paced
from bench._run import each
from bench._served import Phones, cpu_s, data_folder, furnished, opened, process, vicino
from server.cli.retailer import create_retailer
from server.db import Database
from server.kafka.topics import Topics, set_up
from server.migrate import migrate
from server.postgres import EmbeddedPostgres
from tests.kafka.broker import Kafka

FENCES, PHONES, CONNECTIONS = 1_000, 400, 64
ROUNDS, SECONDS = 2, 4.0
#: Pings a second; None: as fast as it goes.
RATES: tuple[float | None, ...] = (50.0, 150.0, 400.0, 800.0, None)
WAITING = 20_000  #: pings that gather
PARTS = 8
RETAILER = {"quiet_hours": None, "policy": "rules", "holdout": 0}


class Scaled(msgspec.Struct, frozen=True, kw_only=True):
    """What the processes over Kafka have in common."""

    environ: dict[str, str]
    database_url: str
    edge: str
    edge_pid: int
    phones: Phones

    def engine(self) -> Any:
        """One engine more, for as long as its block lasts."""
        return process("-m", "server", "serve", "--role", "engine", **self.environ)


def run() -> Iterator[dict[str, Any]]:
    """Microseconds of processor time a ping, and rates."""
    yield from each(_measured)


async def _measured() -> AsyncIterator[dict[str, Any]]:
    async with data_folder() as folder, AsyncExitStack() as stack:
        scaled = await _scaled(stack, folder)
        async for figure in _per_ping(scaled, folder):
            yield figure
        one = await _worked_off(scaled, [{0}])
        two = await _worked_off(scaled, [{0}, {1}])
        figure = {"name": "two_engines", "value": round(two), "unit": "pings/s worked off on two cores"}
        yield figure | {"baseline": {"name": "one engine on one core", "value": round(one)}}


async def _scaled(stack: AsyncExitStack, folder: Path) -> Scaled:
    """A broker, a PostgreSQL, an edge, and phones that an engine has registered."""
    kafka = await stack.enter_async_context(Kafka(folder / "kafka"))
    server = EmbeddedPostgres(folder / "scaled", say=lambda _: None)
    (folder / "scaled").mkdir()
    url = (await stack.enter_async_context(server)).url
    await migrate(url)
    await set_up(kafka.cluster, Topics("bench"), url, parts=PARTS, replicas=1, journal_days=1)
    environ = {
        "VICINO_DATABASE_URL": url,
        "VICINO_KAFKA": kafka.servers,
        "VICINO_KAFKA_TOPICS": "bench",
        "VICINO_PORT": "0",
    }
    async with await Database.open(url) as database:
        keys = await create_retailer(database, "Bench", RETAILER)
    serving = process("-m", "server", "serve", "--role", "edge", **environ)
    edge, edge_pid = await stack.enter_async_context(serving)
    async with process("-m", "server", "serve", "--role", "engine", **environ):
        tokens = await furnished(edge, keys, fences=FENCES, phones=PHONES)
    made = {"environ": environ, "database_url": url, "edge": edge, "edge_pid": edge_pid}
    return Scaled(**made, phones=Phones(tokens))


async def _per_ping(scaled: Scaled, folder: Path) -> AsyncIterator[dict[str, Any]]:
    """Of one process, and of an edge and an engine, in turns; PostgreSQL and Kafka are not counted."""
    (folder / "whole").mkdir()
    async with vicino(folder / "whole") as (url, pid), scaled.engine() as (_, engine_pid):
        _, tokens = await opened(url, folder / "whole", fences=FENCES, phones=PHONES)
        whole = (url, Phones(tokens), {"one process": pid})
        apart = (scaled.edge, scaled.phones, {"engine": engine_pid, "edge": scaled.edge_pid})
        for target, phones, _ in (whole, apart):  # what is done once for each
            await closed(target, phones.request, connections=CONNECTIONS, seconds=SECONDS)
        for rate in RATES:
            took: dict[str, list[float]] = {"one process": [], "engine": [], "edge": []}
            for _ in range(ROUNDS):
                for target, phones, pids in (whole, apart):
                    for name, value in (await _took_us(target, phones, pids, rate)).items():
                        took[name].append(value)
            baseline = {"name": "one process", "value": round(min(took["one process"]), 1)}
            often = "as fast as it goes" if rate is None else f"at {rate:.0f}/s"
            for name in ("engine", "edge"):
                figure = {"name": f"kafka_cpu_{name}", "value": round(min(took[name]), 1)}
                yield figure | {"unit": f"us a ping, {often}", "baseline": baseline}


async def _took_us(target: str, phones: Phones, pids: dict[str, int], rate: float | None) -> dict[str, float]:
    """Microseconds of processor time that each process takes a ping."""
    began = {name: _own_cpu_s(pid) for name, pid in pids.items()}
    load = {"connections": CONNECTIONS, "seconds": SECONDS}
    if rate is None:
        outcome = await closed(target, phones.request, **load)
    else:
        outcome = await paced(target, phones.request, rate=rate, **load)
    assert set(outcome.status) == {200}, outcome.status
    return {
        name: (_own_cpu_s(pid) - began[name]) / len(outcome.latency_ms) * 1e6 for name, pid in pids.items()
    }


def _own_cpu_s(pid: int) -> float:
    """The processor time of a process without those below it: a server's PostgreSQL."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_s(pid) - sum(cpu_s(int(child)) for child in children)


async def _worked_off(scaled: Scaled, cores: list[set[int]]) -> float:
    """Pings a second of so many engines, each pinned, in the middle of what has gathered."""
    connection = await asyncpg.connect(scaled.database_url)
    try:
        before = await _done(connection, 0)
        outcome = await closed(
            scaled.edge, scaled.phones.request, connections=CONNECTIONS, seconds=120, most=WAITING
        )
        assert set(outcome.status) == {200}, outcome.status
        async with AsyncExitStack() as stack:
            starting = [stack.enter_async_context(scaled.engine()) for _ in cores]
            for (_, pid), core in zip(await asyncio.gather(*starting), cores, strict=True):
                _pin(pid, core)
            first, began = await _done(connection, before + 0.4 * WAITING), time.perf_counter()
            last, ended = await _done(connection, before + 0.85 * WAITING), time.perf_counter()
            await _done(connection, before + WAITING)
    finally:
        await connection.close()
    return float((last - first) / (ended - began))


def _pin(pid: int, cores: set[int]) -> None:
    """All threads of a process run on these cores alone."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


async def _done(connection: "asyncpg.Connection[asyncpg.Record]", wanted: float) -> float:
    """Waits until so many offsets are done, of all partitions together; how many are."""
    while (done := float(await connection.fetchval(DONE))) < wanted:  # noqa: ASYNC110 - it can only be asked
        await asyncio.sleep(0.02)
    return done


DONE = "SELECT coalesce(sum(next_offset), 0)::float8 FROM heads"
