"""`vicino demo`."""

import os

import click

from server.cli import run
from server.config import Config


@click.command(
    "demo",
    epilog="""\b
Examples:
  ./vicino demo
  ./vicino demo --shoppers 100 --seed 7
  ./vicino demo --for 60 --port 0 | grep PUSH""",
)
@click.option(
    "--shoppers", type=click.IntRange(1, 500), default=30, show_default=True, help="How many at a time."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Other shoppers for another seed.")
@click.option("--for", "for_s", type=click.FloatRange(min=1), metavar="SECONDS", help="Stop by itself.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="0: any free one. Default: VICINO_PORT, else the first free one from 8080.",
)
@click.pass_obj
def command(config: Config, shoppers: int, seed: int, for_s: float | None, port: int | None) -> None:
    """Show central Helsinki: simulated shoppers, real streets, and the pushes they get."""
    try:
        # Imported here, since it is the whole server: `vicino --help` need not wait for it.
        from rich.console import Console  # noqa: PLC0415

        from server.demo.run import Options, run_demo  # noqa: PLC0415

        options = Options(
            shoppers=shoppers,
            seed=seed,
            for_s=for_s,
            port=port,
            port_is_set=bool(os.environ.get("VICINO_PORT")),
        )
        run(run_demo(config, options, Console(highlight=False)))
    except KeyboardInterrupt:
        # Ctrl-C is how the demo ends; by now it has stopped everything.
        click.echo("stopped")
