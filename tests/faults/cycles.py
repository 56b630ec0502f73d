"""Kill after kill in one long run: the server's process and all of PostgreSQL, while a crowd is there."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.faults.scenario import RECOVERY_S, Summary, run

#: Between two kills at least so many fixes are acknowledged, and up to so many more.
FIXES = (5, 60)


class Cycles(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of kills came to; that it came to an end says that every promise was kept."""

    server_kills: int
    postgres_kills: int
    took_s: float
    slowest_recovery_s: float  #: from a kill of the server to the next acknowledged fix
    summary: Summary


async def kill_cycles(
    folder: Path,
    *,
    seed: int,
    server: int,
    postgres: int,
    phones: int,
    on_cycle: Callable[[int], None] = lambda _: None,
) -> Cycles:
    """So many kills of each, in an order that the seed draws. Raises PromiseBroken."""
    began, slowest_s = time.monotonic(), 0.0
    async with run(folder, seed=seed, phones=phones) as town:
        kinds = ["server"] * server + ["postgres"] * postgres
        town.random.shuffle(kinds)
        for number, kind in enumerate(kinds, start=1):
            await town.crowd.until_taken(town.random.randint(*FIXES), RECOVERY_S)
            killed = time.monotonic()
            if kind == "server":
                await town.server.kill()
                await town.server.start()
                await town.crowd.until_taken(1, RECOVERY_S)
                slowest_s = max(slowest_s, time.monotonic() - killed)
            else:
                town.postgres.kill_tree()
            on_cycle(number)
    assert town.summary is not None
    return Cycles(
        server_kills=server,
        postgres_kills=postgres,
        took_s=round(time.monotonic() - began, 1),
        slowest_recovery_s=round(slowest_s, 2),
        summary=town.summary,
    )
