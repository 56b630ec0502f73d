"""`python -m tests.openapi`: see the package."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import click

from server.migrate import migrate
from server.postgres import EmbeddedPostgres
from tests.conftest import FAST, data_folder
from tests.openapi.asking import CALLERS, How, callers


@click.command()
@click.option("--as", "who", type=click.Choice(CALLERS), multiple=True, help="Only as these; else as all.")
@click.option("--seed", default=1, show_default=True)
@click.option("--examples", default=50, show_default=True, help="Made up for each operation.")
@click.option("--seconds", default=0, help="Goes on for so long with each kind of caller.")
@click.option("--phases", default="examples,coverage,fuzzing,stateful", show_default=True)
def main(who: tuple[str, ...], seed: int, examples: int, seconds: int, phases: str) -> None:
    """Ask everything in /openapi.json as each kind of caller; exit status 1 for a failure."""
    how = How(seed=seed, examples=examples, seconds=seconds, phases=phases, chains=examples)
    sys.exit(asyncio.run(_ask(who or CALLERS, how)))


async def _ask(wanted: tuple[str, ...], how: How) -> int:
    failed = 0
    with data_folder() as data, tempfile.TemporaryDirectory(prefix="vicino-openapi-") as name:
        async with EmbeddedPostgres(data, settings=FAST, say=lambda _: None) as server:
            await migrate(server.url)
            async with callers(server.url, Path(name)) as everybody:
                for who in wanted:
                    began = time.monotonic()
                    told = await everybody.ask(who, Path(name), how)
                    asked = sum(sum(by.values()) for one in told for by in one.answers.values())
                    bad = [one for one in told if not one.well]
                    failed += len(bad)
                    took_s = time.monotonic() - began
                    led = sum(one.led for one in told)
                    end = "FAILED" if bad else "well"
                    click.echo(f"{who:10} {asked:6} calls, {led:5} led to {took_s:6.1f} s  {end}")
                    for one in bad:
                        click.echo(one.text)
    return 1 if failed else 0


if __name__ == "__main__":
    main()
