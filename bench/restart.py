"""How soon a server answers again: after a restart, and after its PostgreSQL has come back.

There are a million known devices, and ten seconds of pings that no row has yet. The time runs from starting
the process (or from PostgreSQL's accepting connections) to the first ping that is acknowledged.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from bench._load import closed
from bench._run import each
from bench._served import Phones, data_folder, opened, vicino
from server.config import Config
from server.postgres import database_url

DEVICES, PHONES, FENCES = 1_000_000, 1_000, 1_000
PINGS, CONNECTIONS = 5_000, 64
#: Shoppers like one that is there, each with a device, in so many rows at once.
CLONE = """
WITH made AS (
  INSERT INTO shoppers (retailer_id, shopper_id, state, state_day, state_seq)
  SELECT retailer_id, 'shp_' || n, state, state_day, state_seq
  FROM (SELECT * FROM shoppers LIMIT 1) AS one, generate_series($1::int, $2::int) AS n
  RETURNING retailer_id, shopper_id
)
INSERT INTO devices (retailer_id, device_id, shopper_id, platform)
SELECT retailer_id, replace(shopper_id, 'shp_', 'dev_'), shopper_id, 'android' FROM made"""
ROWS_AT_ONCE = 50_000


def run() -> Iterator[dict[str, Any]]:
    """Takes some minutes, most of them for making the devices."""
    yield from each(_measure)


async def _measure() -> AsyncIterator[dict[str, Any]]:
    async with data_folder() as folder:
        async with vicino(folder) as (url, pid):
            _, tokens = await opened(url, folder, fences=FENCES, phones=PHONES)
            async with database_url(Config(data_dir=folder / "data"), share=True) as database:
                await _clone(database)
            phones = Phones(tokens)
            await closed(url, phones.request, connections=CONNECTIONS, seconds=60, most=PINGS)
            os.kill(pid, signal.SIGKILL)
        began = time.perf_counter()
        async with vicino(folder) as (url, _):
            await _acknowledged(url, phones)
            yield _figure("restart", began, "s killed and started again -> first ack, 10^6 devices")
            postmaster = int(_pid_file(folder).read_text().split()[0])
            os.kill(postmaster, signal.SIGKILL)
            async with database_url(Config(data_dir=folder / "data"), share=True) as database:
                await _accepts(database)
            began = time.perf_counter()
            await _acknowledged(url, phones)
            yield _figure("restart_postgres", began, "s PostgreSQL back -> ack")


def _pid_file(folder: Path) -> Path:
    return next((folder / "data").rglob("postmaster.pid"))


async def _clone(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        for first in range(0, DEVICES, ROWS_AT_ONCE):
            await connection.execute(CLONE, first, first + ROWS_AT_ONCE - 1, timeout=120)
    finally:
        await connection.close()


async def _accepts(database: str) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(OSError, asyncpg.PostgresError):
                await (await asyncpg.connect(database)).close()
                return
            await asyncio.sleep(0.01)


async def _acknowledged(url: str, phones: Phones) -> None:
    """Sends pings until one is acknowledged."""
    async with asyncio.timeout(60):
        while True:
            with suppress(aiohttp.ClientError, OSError):
                outcome = await closed(url, phones.request, connections=1, seconds=10, most=1)
                if outcome.status[200]:
                    return
            await asyncio.sleep(0.01)


def _figure(name: str, began: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": round(time.perf_counter() - began, 2), "unit": unit}
