"""`python -m tests.faults.scaled`: many runs of several processes over a real Kafka."""

import asyncio
import itertools
import logging
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import click

from server.migrate import migrate
from server.postgres import EmbeddedPostgres
from tests.conftest import KILL_PROOF
from tests.faults.scaled.cluster import cluster
from tests.faults.scaled.harms import HARMS
from tests.faults.scaled.runs import one_run

TOGETHER = 20  #: runs that share a cluster


@click.command(
    epilog="""\b
Examples:
  PYTHONPATH=. .venv/bin/python -m tests.faults.scaled --runs 200
  PYTHONPATH=. .venv/bin/python -m tests.faults.scaled --fault zombie --seed 7 --runs 1"""
)
@click.option("--fault", "faults", type=click.Choice(tuple(HARMS)), multiple=True, help="Only these.")
@click.option("--seed", default=1, show_default=True, help="The first seed; each run has the next.")
@click.option("--runs", default=20, show_default=True, help="How many, one fault after the other.")
def main(faults: tuple[str, ...], seed: int, runs: int) -> None:
    """Lets one thing after the other go wrong; the exit status is 1 when a promise was not kept."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # of brokers that are not there it tells much
    names = itertools.islice(itertools.cycle(faults or HARMS), runs)
    failed = asyncio.run(_all([(name, seed + number) for number, name in enumerate(names)]))
    click.echo(f"{runs - failed} of {runs} runs kept every promise")
    raise SystemExit(1 if failed else 0)


async def _all(wanted: list[tuple[str, int]]) -> int:
    failed, left = 0, wanted
    while left:  # a cluster in which a run has failed may not be whole any more
        with tempfile.TemporaryDirectory(prefix="vicino-faults-") as name:
            folder = Path(name)
            folder.chmod(0o755)  # noqa: ASYNC240 - once, before anything runs
            async with EmbeddedPostgres(folder, settings=KILL_PROOF, say=lambda _: None) as server:
                await migrate(server.url)
            done, kept = await _together(folder, left[:TOGETHER])
        failed += not kept
        left = left[done:]
    return failed


async def _together(folder: Path, wanted: Iterable[tuple[str, int]]) -> tuple[int, bool]:
    """Runs on one cluster until one fails: how many were done, and whether all kept every promise."""
    done = 0
    async with cluster(folder, seed=1) as made:
        for name, seed in wanted:
            began = time.monotonic()
            done += 1
            try:
                summary = await one_run(made, name, seed)
            except Exception as error:  # noqa: BLE001 - the others go on, and the exit status tells
                click.echo(f"FAILED {name} --seed {seed}: {type(error).__name__}: {error}")
                return done, False
            click.echo(f"{name} seed {seed} in {time.monotonic() - began:.0f} s: {summary}")
    return done, True


if __name__ == "__main__":
    main()
