"""`vicino retailer`: a new tenant with its keys (`create`), and its keys later on (`key`)."""

import re
import secrets
from typing import Any

import click
import msgspec

from offers.problem import BodyRejected
from offers.settings import POLICIES, settings_from_body
from server import sealing_keys
from server.auth import new_key, secret_hash
from server.cli import run
from server.cli._keys import key
from server.cli._opened import opened
from server.config import Config
from server.db import Database
from server.errors import BadUse
from server.ids import new_id
from server.publish import publish_settings
from server.sql import queries

SQL = queries("auth")

_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@click.group()
def command() -> None:
    """Create retailers (tenants), and keep their keys."""


command.add_command(key)


@command.command(
    epilog="""\b
Examples:
  ./vicino retailer create "Corner Shoes" --json
  ./vicino retailer create Test --quiet-hours none --policy rules --holdout 0 --json"""
)
@click.argument("name")
@click.option("--quiet-hours", default="21:00-08:00", show_default=True, help="FROM-UNTIL, or none.")
@click.option(
    "--policy", type=click.Choice(POLICIES), default="learn", show_default=True, help="Who decides."
)
@click.option(
    "--holdout",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Share of shoppers kept in silence, to measure by.",
)
@click.option("--timezone", default="UTC", show_default=True, help="Of stores and shoppers that name none.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def create(  # noqa: PLR0917 - click passes by name
    config: Config, name: str, quiet_hours: str, policy: str, holdout: float, timezone: str, as_json: bool
) -> None:
    """Create a retailer; prints its id and keys. The keys are shown this once: only hashes are kept."""
    settings = {
        "policy": policy,
        "holdout": holdout,
        "timezone": timezone,
        "quiet_hours": _quiet(quiet_hours),
    }
    made = run(_create(config, name, settings))
    if as_json:
        click.echo(msgspec.json.encode(made).decode())
    else:
        for field, value in made.items():
            click.echo(f"{field:12} {value}")


async def _create(config: Config, name: str, settings: dict[str, Any]) -> dict[str, str]:
    async with opened(config) as database:
        return await create_retailer(database, name, settings)


async def create_retailer(database: Database, name: str, settings: dict[str, Any]) -> dict[str, str]:
    """A new retailer: its id and its three keys. Raises BadUse for settings that are wrong."""
    try:
        settings_from_body(settings)
    except BodyRejected as error:
        raise BadUse(str(error)) from error
    retailer_id = new_id("rtl")
    keys = {kind: new_key(kind) for kind in ("app", "server", "till")}
    async with database.transaction(retailer_id) as connection:
        await connection.execute(SQL["add_retailer"], retailer_id, name, secrets.token_bytes(32))
        await sealing_keys.add_first(connection, retailer_id)
        for kind, key in keys.items():
            await connection.execute(SQL["add_key"], retailer_id, secret_hash(key), kind, None)
        await publish_settings(connection, retailer_id, settings)
    return {"retailer_id": retailer_id, **{f"{kind}_key": key for kind, key in keys.items()}}


def _quiet(text: str) -> dict[str, str] | None:
    if text.lower() == "none":
        return None
    start, _, end = text.partition("-")
    if not (_HOURS.fullmatch(start) and _HOURS.fullmatch(end)):
        raise BadUse(f"--quiet-hours: expected HH:MM-HH:MM or none, not {text!r}")
    return {"from": start, "until": end}
