"""`python -m tests.faults`: the long matrix, every fault with many seeds."""

import asyncio
import subprocess
import tempfile
import time
from pathlib import Path

import click

from server.migrate import migrate
from server.postgres import EmbeddedPostgres
from tests.conftest import KILL_PROOF
from tests.faults.catalogue import NAMES, harmed


@click.command(
    epilog="""\b
Examples:
  PYTHONPATH=. .venv/bin/python -m tests.faults --seeds 25
  PYTHONPATH=. .venv/bin/python -m tests.faults --fault dies_sent --seed 7 --seeds 1"""
)
@click.option("--fault", "faults", type=click.Choice(NAMES), multiple=True, help="Only these; else all.")
@click.option("--seed", default=1, show_default=True, help="The first seed.")
@click.option("--seeds", default=5, show_default=True, help="How many, with each fault.")
def main(faults: tuple[str, ...], seed: int, seeds: int) -> None:
    """Lets every fault happen with every seed; the exit status is 1 when a promise was not kept."""
    failed = asyncio.run(_matrix(faults or NAMES, range(seed, seed + seeds)))
    raise SystemExit(1 if failed else 0)


async def _matrix(faults: tuple[str, ...], seeds: range) -> int:
    failed = 0
    with tempfile.TemporaryDirectory(prefix="vicino-faults-") as name:
        made = Path(name)
        made.chmod(0o755)  # noqa: ASYNC240 - once, before anything runs
        async with EmbeddedPostgres(made, settings=KILL_PROOF, say=lambda _: None) as server:
            await migrate(server.url)
        for seed in seeds:
            for fault in faults:
                failed += not await _one(made, fault, seed)
    return failed


async def _one(made: Path, fault: str, seed: int) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vicino-faults-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240
        subprocess.run(["cp", "-a", made / "postgres", folder], check=True)  # noqa: ASYNC221
        try:
            summary = await harmed(folder, fault, seed)
        except Exception as error:  # noqa: BLE001 - the others go on, and the exit status tells
            click.echo(f"FAILED {fault} --seed {seed}: {type(error).__name__}: {error}")
            return False
    click.echo(f"{fault} seed {seed} in {time.monotonic() - began:.0f} s: {summary}")
    return True


if __name__ == "__main__":
    main()
