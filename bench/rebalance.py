"""How long a partition stands still when its engine dies, hangs, or leaves, and when another one joins.

Two engines, three brokers, PostgreSQL, an edge on each side; 16 phones of the fault rig are at it. A pause is
the longest time between two batches of one partition, as the journal has them, around what happens.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from bench._run import each
from bench._served import data_folder
from server.clock import SystemClock
from server.migrate import migrate
from server.postgres import EmbeddedPostgres
from tests.conftest import KILL_PROOF
from tests.faults.crowd import Crowd, Outside
from tests.faults.scaled.cluster import Cluster, cluster
from tests.faults.town import open_shops

ROUNDS, PHONES = 3, 16
WATCHED_S = 9.0  #: after what happens
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
            retailers = await open_shops(made.postgres.url, datetime.now(UTC))
            outside, clock = Outside(), SystemClock()
            async with Crowd(made.urls, retailers, outside, clock, seed=1, phones=PHONES) as crowd:
                await crowd.until_taken(200, 60)
                pauses = await _pauses(made)
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
        await asyncio.sleep(WATCHED_S / 3)
        pauses["hung"].append(await _pause(made, hang))
        engine.signal(signal.SIGCONT)
        await asyncio.sleep(WATCHED_S / 3)
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
