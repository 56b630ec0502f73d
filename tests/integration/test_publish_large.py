"""How long a large catalog takes, printed, and that it holds nobody up."""

import asyncio
import time
from typing import Any

import pytest

from server.db import Database
from server.imports import ImportKind, ImportReport, import_body
from server.publish import load_published
from tests.integration.conftest import RETAILER

pytestmark = pytest.mark.usefixtures("retailers")
NOW_US = 1_795_000_000_000_000  # 2026-11-18


async def imported(database: Database, kind: ImportKind, text: str, **options: Any) -> ImportReport:
    return await import_body(database, RETAILER, kind, text.encode(), now_us=NOW_US, **options)


async def published(database: Database) -> Any:
    async with database.transaction(RETAILER) as connection:
        return await load_published(connection, RETAILER)


async def test_the_event_loop_is_not_held_up_by_a_large_import(database: Database) -> None:
    """100,000 products; the figures are printed, and only what is published is asserted."""
    lines = (
        f'{{"sku":"{n}","name":"Product {n}","category":"A > B{n % 50}","price":"9.90","currency":"EUR"}}'
        for n in range(100_000)
    )
    body = "\n".join(lines)
    ticker = asyncio.create_task(_longest_pause_s())
    started = time.perf_counter()
    first = await imported(database, "catalog", body)
    middle = time.perf_counter()
    again = await imported(database, "catalog", body)
    ended = time.perf_counter()
    ticker.cancel()
    loaded = await published(database)
    print(
        f"\n100,000 products: published in {middle - started:.1f} s, again in {ended - middle:.1f} s, "
        f"loaded in {time.perf_counter() - ended:.1f} s"
    )
    assert (first.created, again.unchanged, len(loaded["product"])) == (100_000, 100_000, 100_000)


async def _longest_pause_s() -> None:
    """Prints the longest time for which the loop did not come round, when cancelled."""
    longest_s = 0.0
    try:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            longest_s = max(longest_s, time.perf_counter() - before - 0.005)
    finally:
        print(f"\nlongest pause of the event loop: {1000 * longest_s:.0f} ms")
