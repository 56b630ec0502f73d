"""`vicino demo`."""

import os

import click
from rich.console import Console

from server.cli import run
from server.config import Config
from server.demo.run import Options, run_demo


@click.command("demo")
@click.option(
    "--shoppers", type=click.IntRange(1, 500), default=30, show_default=True, help="How many at a time."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Other shoppers for another seed.")
@click.option("--for", "for_s", type=click.FloatRange(min=1), metavar="SECONDS", help="Stop by itself.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Default: VICINO_PORT, or the first free from 8080."
)
@click.pass_obj
def command(config: Config, shoppers: int, seed: int, for_s: float | None, port: int | None) -> None:
    """Show central Helsinki: simulated shoppers, real streets, and the pushes they get."""
    options = Options(
        shoppers=shoppers,
        seed=seed,
        for_s=for_s,
        port=port,
        port_is_set=bool(os.environ.get("VICINO_PORT")),
    )
    console = Console(highlight=False)
    try:
        run(run_demo(config, options, console))
    except KeyboardInterrupt:
        # Ctrl-C is how the demo ends; by now it has stopped everything.
        console.out("stopped")
