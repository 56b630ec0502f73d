"""How long a catalog of a million products takes to import: new from CSV, then again with 1 % changed.

`VICINO_TEST_PRODUCTS` names another number. PostgreSQL is the embedded one, durable; a line is as
`./vicino import catalog` reads it.
"""

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench._town import figure
from server.cli._traces import progress_bar
from server.cli.retailer import create_retailer
from server.clock import SystemClock
from server.db import Database
from server.imports import ImportReport, import_body
from server.migrate import migrate
from server.postgres import EmbeddedPostgres

PRODUCTS = int(os.environ.get("VICINO_TEST_PRODUCTS", "1000000"))
CHANGED_EVERY = 100


def run() -> Iterator[dict[str, Any]]:
    """Yields the seconds of both imports, scaled to a million products."""
    new_s, again_s = asyncio.run(_measure())
    scale = 1_000_000 / PRODUCTS
    yield figure("catalog_import", new_s * scale, f"s a million new products ({PRODUCTS} measured)")
    yield figure("catalog_again", again_s * scale, "s the same with 1 % changed")


async def _measure() -> tuple[float, float]:
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vicino-bench-")))
        folder.chmod(0o755)  # noqa: ASYNC240 - once, before anything runs; PostgreSQL may run as another user
        server = await stack.enter_async_context(EmbeddedPostgres(folder / "data", say=lambda _: None))
        await migrate(server.url)
        database = await stack.enter_async_context(await Database.open(server.url, connections=1))
        retailer_id = (await create_retailer(database, "bench", {}))["retailer_id"]
        show = stack.enter_context(progress_bar())

        async def imported(body: bytes) -> tuple[float, ImportReport]:
            began = time.perf_counter()
            report = await import_body(
                database,
                retailer_id,
                "catalog",
                body,
                now_us=SystemClock().now_us(),
                progress=lambda what, done, total: show(what, done, total or PRODUCTS),
            )
            return time.perf_counter() - began, report

        new_s, first = await imported(_csv(0))
        again_s, second = await imported(_csv(CHANGED_EVERY))
        assert (first.created, first.refused) == (PRODUCTS, 0), first.problems[:3]
        assert second.updated == PRODUCTS // CHANGED_EVERY
        assert second.unchanged == PRODUCTS - second.updated
        return new_s, again_s


def _csv(changed_every: int) -> bytes:
    lines = ["sku,name,category,price,currency,image_url,stock"]
    for number in range(PRODUCTS):
        price = "8.90" if changed_every and not number % changed_every else "9.90"
        lines.append(
            f"sku-{number:07},Product number {number},Department {number % 20} > Shelf {number % 400},"
            f"{price},EUR,https://shop.example/images/{number}.jpg,{number % 50}"
        )
    return "\n".join(lines).encode()
