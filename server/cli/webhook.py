"""`vicino webhook replay`: messages of an endpoint once more."""

from datetime import UTC, datetime
from typing import Literal, cast

import click

from server.cli import run
from server.clock import SystemClock
from server.config import Config
from server.db import Database
from server.errors import BadUse
from server.postgres import database_url
from server.webhooks.replay import Replay, replay_messages


@click.group()
def command() -> None:
    """Look after outbound webhooks."""


@command.command(
    epilog="""\b
Examples:
  ./vicino webhook replay whe_… --retailer rtl_… --since 2026-11-27T09:00:00
  ./vicino webhook replay whe_… --retailer rtl_… --since 2026-11-27 --state delivered --state failed"""
)
@click.argument("endpoint")
@click.option("--retailer", "retailer_id", metavar="ID", required=True, help="Whose endpoint it is.")
@click.option("--since", type=click.DateTime(), required=True, help="Messages made from then on (UTC).")
@click.option("--until", type=click.DateTime(), help="… and before then (UTC).")
@click.option(
    "--state",
    "states",
    type=click.Choice(["delivered", "failed"]),
    multiple=True,
    default=["failed"],
    show_default=True,
    help="Messages that came to this end.",
)
@click.pass_obj
def replay(  # noqa: PLR0917 - click passes by name
    config: Config,
    endpoint: str,
    retailer_id: str,
    since: datetime,
    until: datetime | None,
    states: tuple[str, ...],
) -> None:
    """Send an endpoint's settled messages once more, under the ids they had, for another 24 hours."""
    asked = Replay(
        since=since.replace(tzinfo=UTC),
        until=None if until is None else until.replace(tzinfo=UTC),
        states=cast("tuple[Literal['delivered', 'failed'], ...]", states),
    )
    queued = run(_replay(config, retailer_id, endpoint, asked))
    click.echo(f"{queued} messages are sent again")


async def _replay(config: Config, retailer_id: str, endpoint: str, asked: Replay) -> int:
    async with database_url(config, share=True) as url, await Database.open(url) as database:
        queued = await replay_messages(database, retailer_id, endpoint, asked, now_us=SystemClock().now_us())
    if queued is None:
        raise BadUse(f"{endpoint}: this retailer has no such webhook endpoint")
    return queued
