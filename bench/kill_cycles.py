"""Kill -9 cycles of the server and of all of PostgreSQL, under load: what was lost, doubled or overspent.

25 kills of the server and 10 of PostgreSQL in a random order, by default; VICINO_TEST_KILLS=1000,200 is the
long run. A crowd of phones and tills goes on all the while. Afterwards the ten promises of
`tests/faults/invariants.py` are asked for: the run fails where one was not kept, so the zeros are measured.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server.cli._traces import progress_bar
from server.migrate import migrate
from server.postgres import EmbeddedPostgres
from tests.faults.cycles import Cycles, kill_cycles

SEED, PHONES = 1, 24


def run() -> Iterator[dict[str, Any]]:
    """Yields what was broken (0, or it raises PromiseBroken), and what was there to be broken."""
    server, postgres = (int(count) for count in os.environ.get("VICINO_TEST_KILLS", "25,10").split(","))
    cycles = asyncio.run(_measure(server, postgres))
    summary = cycles.summary
    kills = f"after {server} kills of the server and {postgres} of PostgreSQL in {cycles.took_s:.0f} s"
    yield {
        "name": "kill_cycles",
        "value": 0,
        "unit": f"promises broken {kills}",
        "fixes_acknowledged": summary.fixes,
        "offers": summary.offers,
        "pushes_shown": summary.pushes,
        "coupons_redeemed": summary.redeemed,
        "requests_unanswered": summary.unanswered,
    }
    yield {
        "name": "kill_cycles",
        "value": cycles.slowest_recovery_s,
        "unit": "s at most from a kill to the next acknowledged fix",
    }


async def _measure(server: int, postgres: int) -> Cycles:
    with tempfile.TemporaryDirectory(prefix="vicino-bench-") as name, progress_bar() as progress:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240 - once, before anything runs
        async with EmbeddedPostgres(folder, say=lambda _: None) as database:
            await migrate(database.url)
        return await kill_cycles(
            folder,
            seed=SEED,
            server=server,
            postgres=postgres,
            phones=PHONES,
            on_cycle=lambda done: progress("killing", done, server + postgres),
        )
