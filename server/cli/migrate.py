"""`vicino migrate`."""

import click

from server.cli import run
from server.config import Config
from server.migrate import migrate
from server.postgres import database_url


@click.command("migrate")
@click.pass_obj
def command(config: Config) -> None:
    """Bring the database's schema up to date."""
    applied = run(_migrate(config))
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to do")


async def _migrate(config: Config) -> list[str]:
    async with database_url(config, share=True) as url:
        return await migrate(url)
