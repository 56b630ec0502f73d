"""`vicino retailer key`: further keys of a retailer, bound to a store or not, and the end of one."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import click
import msgspec

from server.auth import new_key, secret_hash
from server.cli import run
from server.cli._opened import opened
from server.config import Config
from server.db import Connection
from server.errors import BadUse
from server.sql import queries

SQL = queries("auth")
T = TypeVar("T")

_RETAILER = click.option("--retailer", "retailer_id", required=True, help="The retailer's id.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def key() -> None:
    """Add, list and revoke a retailer's keys."""


@key.command(
    epilog="""\b
Examples:
  ./vicino retailer key add till --retailer rtl_… --store shoes-1
  ./vicino retailer key add app --retailer rtl_… --json"""
)
@click.argument("kind", type=click.Choice(["app", "server", "till"]))
@_RETAILER
@click.option("--store", help="Bind a till's key to this store: it redeems that store's coupons alone.")
@_JSON
@click.pass_obj
def add(config: Config, kind: str, retailer_id: str, store: str | None, as_json: bool) -> None:
    """Make another key; it is shown this once: only its hash is kept."""
    if store is not None and kind != "till":
        raise BadUse(f"--store binds a till's key; a key of the kind {kind} is of all stores")
    made = run(_add(config, kind, retailer_id, store))
    _print([made], as_json=as_json)


@key.command(name="list")
@_RETAILER
@_JSON
@click.pass_obj
def list_(config: Config, retailer_id: str, as_json: bool) -> None:
    """List all keys, by what they are told apart by: the beginning of the hash."""
    _print(run(_list(config, retailer_id)), as_json=as_json)


@key.command(epilog="\b\nExample:\n  ./vicino retailer key revoke 5e884898da280471 --retailer rtl_…")
@click.argument("key_id")
@_RETAILER
@click.pass_obj
def revoke(config: Config, key_id: str, retailer_id: str) -> None:
    """End a key, by its id in the list. It works for up to 5 s more."""
    run(_revoke(config, key_id, retailer_id))
    click.echo(f"revoked {key_id}")


async def _add(config: Config, kind: str, retailer_id: str, store: str | None) -> dict[str, Any]:
    async def work(connection: Connection) -> dict[str, Any]:
        if store is not None and not await connection.fetchval(SQL["has_store"], retailer_id, store):
            raise BadUse(f"--store: no store {store!r} is published")
        made = new_key(kind)
        await connection.execute(SQL["add_key"], retailer_id, secret_hash(made), kind, store)
        return {"id": secret_hash(made).hex()[:16], "kind": kind, "store": store, "key": made}

    return await _within(config, retailer_id, work)


async def _list(config: Config, retailer_id: str) -> list[dict[str, Any]]:
    async def work(connection: Connection) -> list[dict[str, Any]]:
        return [dict(row) for row in await connection.fetch(SQL["keys_of"], retailer_id)]

    return await _within(config, retailer_id, work)


async def _revoke(config: Config, key_id: str, retailer_id: str) -> None:
    async def work(connection: Connection) -> None:
        if await connection.fetchval(SQL["revoke_key"], retailer_id, key_id) is None:
            raise BadUse(f"no key {key_id!r} that is in use: see ./vicino retailer key list")

    await _within(config, retailer_id, work)


async def _within(config: Config, retailer_id: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Does the work in a transaction of the retailer's. Raises BadUse where there is no such retailer."""
    async with opened(config) as database, database.transaction(retailer_id) as connection:
        if not await connection.fetchval(SQL["is_retailer"], retailer_id):
            raise BadUse(f"no retailer {retailer_id!r}")
        return await work(connection)


def _print(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    for row in rows:
        shown = {name: _text(value) for name, value in row.items()}
        click.echo(
            msgspec.json.encode(shown).decode() if as_json else "  ".join(filter(None, shown.values()))
        )


def _text(value: Any) -> str | None:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
