"""A million racing reservations and redemptions, processes and all of PostgreSQL killed amid them.

Through pings, browse events, micro-batches and decisions: most through the lanes of four parts in two
processes, one of 50 over HTTP to `./vicino serve`. Told is what was overspent or redeemed twice: it fails
where a promise was not kept, so the zero is measured. `python -m tests.faults.races --races N` is the same,
as long as is wanted.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from server.cli._traces import progress_bar
from tests.faults.races.run import Raced, raced_alone

ATTEMPTS = 1_000_000


def run() -> Iterator[dict[str, Any]]:
    """Yields the zero, and what there was to go wrong."""
    told = asyncio.run(_race())
    yield {
        "name": "races",
        "value": 0,
        "unit": f"overspent or doubled in {told.attempts} attempts, {told.took_s:.0f} s",
        "over_http": told.over_http,
        "issued": told.issued,
        "redeemed": told.redeemed,
        "budgets_used_up": told.used_up,
        "kills": told.kills,
        "unanswered": told.undone,
    }


async def _race() -> Raced:
    with progress_bar() as progress:
        return await raced_alone(ATTEMPTS, on_done=lambda done: progress("racing", done, ATTEMPTS))
