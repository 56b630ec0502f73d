"""How long it takes to erase a shopper: her rows, and her inputs out of a day's journal beside all others'.

The journal is searched from end to end for her id, so it is its size that counts. The baseline is PostgreSQL
reading the same rows through without looking into them.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np

from bench._town import SEED, figure, town
from geo.fix import Fix
from server.cli.retailer import create_retailer
from server.clock import SystemClock, from_us
from server.db import Database
from server.edge.room import Room
from server.engine import Engine
from server.inputs import RecordFixes, RegisterDevice
from server.journal import pack_inputs
from server.migrate import migrate
from server.pings import Pings
from server.postgres import EmbeddedPostgres
from server.privacy.erasing import ask

ROWS, INPUTS, HERS_EVERY = (
    4_000,
    250,
    100,
)  #: micro-batches, fixes in each, one in so many holds a fix of hers
SHE = "shp_" + "h" * 26
READ = "SELECT sum(length(inputs)), sum(get_byte(inputs, 0)) FROM journal"


def run() -> Iterator[dict[str, Any]]:
    """Seconds for one erasure in a journal of a million fixes, and how much of a journal a minute reaches."""
    with tempfile.TemporaryDirectory(prefix="vicino-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        erased_s, read_s, stored_bytes = asyncio.run(_measure(folder))
    yield figure("erasure_1M_fixes", erased_s, "s", ("reading the journal", read_s))
    yield figure("erasure_journal", stored_bytes / erased_s / 1e6, "MB/s")
    yield figure("erasure_fixes_in_60_s", ROWS * INPUTS * 60 / erased_s / 1e6, "M fixes")


async def _measure(folder: Path) -> tuple[float, float, int]:
    clock = SystemClock()
    async with EmbeddedPostgres(folder, say=lambda _: None) as server:
        await migrate(server.url)
        async with await Database.open(server.url) as database:
            retailer_id = (await create_retailer(database, "bench", {}))["retailer_id"]
            engine = Engine(
                database,
                clock,
                journal_days=1,
                on_push=lambda: None,
                on_doubt=lambda _: None,
                on_quarantine=lambda _kind, _reason: None,
                room=Room(),
            )
            await engine.start(server.url)
            try:
                await engine.submit(retailer_id, _registration(clock.now_us()))
                read_s, stored_bytes = await _fill(server.url, retailer_id, clock)
                began = time.perf_counter()
                erasure_id = await ask(database, clock, retailer_id, SHE, "operator")
                told = await engine.erase(retailer_id, erasure_id)
                erased_s = time.perf_counter() - began
            finally:
                await engine.stop()
    assert told.erased["journal"] == ROWS // HERS_EVERY + 1
    return erased_s, read_s, stored_bytes


def _registration(now_us: int) -> RegisterDevice:
    return RegisterDevice(shopper_id=SHE, received_at_us=now_us, device_id="dev_hers", platform="ios")


async def _fill(url: str, retailer_id: str, clock: SystemClock) -> tuple[float, int]:
    """Writes the journal; how long it takes to read through, and its size."""
    now = from_us(clock.now_us())
    connection = await asyncpg.connect(url)
    try:
        await connection.copy_records_to_table(
            "journal",
            records=[
                (retailer_id, 1_000_000 + number, now.date(), now, 1, packed)
                for number, packed in enumerate(_batches(clock.now_us()))
            ],
            columns=("retailer_id", "seq", "day", "written_at", "version", "inputs"),
        )
        await connection.execute("CHECKPOINT")
        began = time.perf_counter()
        row = await connection.fetchrow(READ)
        return time.perf_counter() - began, int(row[0])
    finally:
        await connection.close()


def _batches(now_us: int) -> Iterator[bytes]:
    random = np.random.default_rng(SEED)
    for number in range(ROWS):
        lats, lons = (column.tolist() for column in town(random, INPUTS))
        pings = Pings.of(
            [
                RecordFixes(
                    shopper_id=SHE
                    if not place and not number % HERS_EVERY
                    else f"shp_{number:013}{place:013}",
                    received_at_us=now_us,
                    device_id=f"dev_{number:013}{place:013}",
                    fixes=(Fix(lat_deg=lat, lon_deg=lon, fixed_at_us=now_us, accuracy_m=8.0, speed_mps=1.2),),
                )
                for place, (lat, lon) in enumerate(zip(lats, lons, strict=True))
            ]
        )
        yield pack_inputs([], pings)
