"""How long a partition stands still when its engine dies, hangs, or leaves, and when another one joins.

Two engines, three brokers, PostgreSQL, two edges. An edge takes pings for each partition all the while,
whatever engines do: there is always something to do. A pause is the longest time between two batches of one
partition, as the journal has them, around what happens.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from bench._load import paced
from bench._run import each
from bench._served import Phones, data_folder, furnished
from server.cli.retailer import create_retailer
from server.db import Database
from server.migrate import migrate
from server.postgres import EmbeddedPostgres
from tests.conftest import KILL_PROOF
from tests.faults.scaled.cluster import Cluster, cluster

ROUNDS, PHONES, RATE = 3, 200, 40.0
WATCHED_S = 8.0  #: after what happens
BACK_S = 3.0  #: until all is as before
BEFORE_S = 1.0
ASKED_S = 5.0
#: The longest time without a batch in a partition, in seconds.
PAUSE = """
SELECT max(extract(epoch FROM gap))::float8 FROM (
  SELECT at - lag(at) OVER (PARTITION BY part ORDER BY at) AS gap FROM (
    SELECT part, written_at AS at FROM journal WHERE written_at BETWEEN $1 AND $2
    UNION ALL SELECT part, unnest(ARRAY[$1, $2]) FROM partitions) AS batches) AS gaps"""


def run() -> Iterator[dict[str, Any]]:
    """The longest pause of each kind."""
    yield from each(_measured)


async def _measured() -> AsyncIterator[dict[str, Any]]:
    async with data_folder() as folder:
        async with EmbeddedPostgres(folder, settings=KILL_PROOF, say=lambda _: None) as server:
            await migrate(server.url)
        async with cluster(folder, seed=1) as made:
            async with await Database.open(made.postgres.url) as database:
                keys = await create_retailer(database, "Bench", {"quiet_hours": None})
            edge = made.urls[1]
            phones = Phones(await furnished(edge, keys, fences=100, phones=PHONES))
            over = threading.Event()
            load = {"rate": RATE, "connections": 64, "seconds": 600.0}
            pinging = asyncio.create_task(paced(edge, phones.request, over=over, **load))
            await asyncio.sleep(BACK_S)
            try:
                pauses = await _pauses(made)
            finally:
                over.set()
                await pinging
    for kind, found in pauses.items():
        figure = {"name": f"rebalance_{kind}", "value": max(found), "unit": f"s, longest of {len(found)}"}
        yield figure | {"baseline": {"name": "asked", "value": ASKED_S}}


async def _pauses(made: Cluster) -> dict[str, list[float]]:
    """Of the near engine: it dies, comes back, leaves, comes back, hangs and wakes."""
    engine = made.engines[1]

    async def nothing() -> None:
        """What is no pause."""

    async def kill() -> None:
        await engine.kill()

    async def hang() -> None:
        engine.signal(signal.SIGSTOP)

    pauses: dict[str, list[float]] = {
        "none": [await _pause(made, nothing)],
        "killed": [],
        "joined": [],
        "left": [],
        "hung": [],
    }
    for _ in range(ROUNDS):
        pauses["killed"].append(await _pause(made, kill))
        pauses["joined"].append(await _pause(made, engine.start))
        pauses["left"].append(await _pause(made, engine.stop))
        await engine.start()
        await asyncio.sleep(BACK_S)
        pauses["hung"].append(await _pause(made, hang))
        engine.signal(signal.SIGCONT)
        await asyncio.sleep(2 * BACK_S)
    return pauses


async def _pause(made: Cluster, happens: Callable[[], Awaitable[None]]) -> float:
    began = datetime.now(UTC) - timedelta(seconds=BEFORE_S)
    await happens()
    await asyncio.sleep(WATCHED_S)
    connection = await asyncpg.connect(made.postgres.url)
    try:
        return round(await connection.fetchval(PAUSE, began, datetime.now(UTC)), 2)
    finally:
        await connection.close()
