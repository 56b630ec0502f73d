"""A million racing reservations and redemptions, all of PostgreSQL killed amid them: what was overspent.

Through the real SQL, by sixteen at a time, without the place in line that keeps a retailer's batches apart.
The budget has a sum, a number of coupons, a cap per shopper and one per store and month. It fails where a
promise was not kept, so the zero is measured. `VICINO_TEST_RACES` names another number.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server.cli._traces import progress_bar
from server.migrate import migrate
from server.postgres import EmbeddedPostgres
from tests.conftest import KILL_PROOF
from tests.faults.races import Raced, raced

ATTEMPTS = int(os.environ.get("VICINO_TEST_RACES", "1000000"))


def run() -> Iterator[dict[str, Any]]:
    """Yields the zero, and what there was to go wrong."""
    began = time.perf_counter()
    told = asyncio.run(_race())
    yield {
        "name": "races",
        "value": 0,
        "unit": f"overspent or doubled in {told.attempts} attempts, {time.perf_counter() - began:.0f} s",
        "issued": told.issued,
        "redeemed": told.redeemed,
        "undone_by_kills": told.undone,
    }


async def _race() -> Raced:
    with tempfile.TemporaryDirectory(prefix="vicino-bench-") as name, progress_bar() as progress:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240 - once, before anything runs
        async with EmbeddedPostgres(folder, settings=KILL_PROOF, say=lambda _: None) as server:
            await migrate(server.url)
        return await raced(folder, ATTEMPTS, lambda done: progress("racing", done, ATTEMPTS))
