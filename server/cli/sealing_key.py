"""`vicino sealing-key`: the keys that seal second factors and codes of pools, rotated."""

import click

from server.cli import run
from server.cli._opened import opened
from server.cli._traces import progress_bar
from server.cli.user import ACTOR
from server.clock import SystemClock, from_us
from server.config import Config
from server.db import Database
from server.errors import BadUse
from server.privacy.people import retailers
from server.sealing_keys import SQL, rotate

_RETAILER = click.option("--retailer", "retailer_id", help="Only this retailer's; else of all.")


@click.group()
def command() -> None:
    """Rotate what second factors and codes of pools are sealed with."""


@command.command(
    name="rotate",
    epilog="""\b
Examples:
  ./vicino sealing-key rotate
  ./vicino sealing-key rotate --retailer rtl_…""",
)
@_RETAILER
@click.pass_obj
def rotate_(config: Config, retailer_id: str | None) -> None:
    """Make a new key, seal everything anew by it, then end the key before.

    All goes on meanwhile. Interrupted wherever you like: the next goes on where it was.
    """
    run(_rotate(config, retailer_id))


@command.command(name="list")
@_RETAILER
@click.pass_obj
def list_(config: Config, retailer_id: str | None) -> None:
    """List the keys by their numbers, and how much each has sealed; the highest number seals."""
    run(_list(config, retailer_id))


async def _rotate(config: Config, retailer_id: str | None) -> None:
    async with opened(config) as database:
        for one in await _asked(database, retailer_id):
            with progress_bar() as show:
                rotated = await rotate(
                    database,
                    one,
                    from_us(SystemClock().now_us()),
                    actor=ACTOR,
                    tell=lambda done, total: show("sealing anew", done, total),
                )
            click.echo(f"{one}\tkey {rotated.number} seals\t{rotated.sealed} sealed anew")


async def _list(config: Config, retailer_id: str | None) -> None:
    async with opened(config) as database:
        for one in await _asked(database, retailer_id):
            async with database.transaction(one) as connection:
                rows = await connection.fetch(SQL["list"], one)
            for row in rows:
                made = row["created_at"].isoformat(timespec="seconds")
                click.echo(f"{one}\tkey {row['number']}\t{made}\t{row['sealed']} sealed")


async def _asked(database: Database, retailer_id: str | None) -> list[str]:
    known = await retailers(database)
    if retailer_id is not None and retailer_id not in known:
        raise BadUse(f"no retailer {retailer_id!r}")
    return [retailer_id] if retailer_id is not None else known
