"""`vicino serve`: the server, until it is told to stop."""

import asyncio

import click

from server.app import running
from server.cli import run
from server.config import Config


@click.command(
    epilog="""\b
Examples:
  ./vicino serve
  VICINO_PORT=9000 VICINO_FCM_CREDENTIALS=service-account.json ./vicino serve"""
)
@click.option("--role", type=click.Choice(["all"]), default="all", help="What this process does.")
@click.pass_obj
def command(config: Config, role: str) -> None:
    """Serve the API; starts and migrates its database. Stop it with Ctrl-C.

    The settings are environment variables: see docs/reference.md.
    """
    del role  # `all` is the only one so far
    try:
        run(_serve(config))
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("stopped", err=True)


async def _serve(config: Config) -> None:
    async with running(config) as vicino:
        click.echo(f"Vicino listens on {vicino.url} (API description: {vicino.url}/openapi.json)", err=True)
        await asyncio.Event().wait()
