"""`vicino signing-key`: the keys that sign devices' access tokens, rotated."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import click

from server.auth import ACCESS_TTL_US, SIGNING_KEYS_US
from server.cli import run
from server.config import Config
from server.errors import BadUse
from server.ids import new_id
from server.migrate import migrate
from server.postgres import database_url

T = TypeVar("T")

#: So long after a newer one came an older one may have signed a token that is still good.
LIVES_S = (ACCESS_TTL_US + SIGNING_KEYS_US) // 1_000_000


@click.group()
def command() -> None:
    """Rotate what signs devices' access tokens. It is of the whole installation."""


@command.command()
@click.pass_obj
def add(config: Config) -> None:
    """Make a new key. Within a minute all servers sign by it; what the others have signed stays good."""
    click.echo(run(_within(config, add_key)))


@command.command(name="list")
@click.pass_obj
def list_(config: Config) -> None:
    """List the keys by their ids, newest first: that one signs."""
    for row in run(_within(config, _keys)):
        click.echo(f"{row['kid']}\t{row['created_at'].isoformat(timespec='seconds')}")


@command.command(epilog="\b\nExample:\n  ./vicino signing-key drop kid_…")
@click.argument("kid")
@click.option("--now", is_flag=True, help="Though it has signed tokens that are good: phones refresh theirs.")
@click.pass_obj
def drop(config: Config, kid: str, now: bool) -> None:
    """End a key. Within a minute no server takes what it has signed."""
    run(_within(config, lambda connection: drop_key(connection, kid, now=now)))
    click.echo(f"dropped {kid}")


async def add_key(connection: Any) -> str:
    """A new key, which signs from now on; its id."""
    kid = new_id("kid")
    await connection.execute(
        "INSERT INTO signing_keys (kid, secret, created_at) VALUES ($1, $2, clock_timestamp())",
        kid,
        secrets.token_bytes(32),
    )
    return kid


async def drop_key(connection: Any, kid: str, *, now: bool) -> None:
    """Ends a key. Raises BadUse for one that there is not, the one that signs, and without `now` one by which
    tokens are still good.
    """
    keys = await _keys(connection)
    newer = [row for row in keys if row["kid"] != kid]
    if len(newer) == len(keys):
        raise BadUse(f"no signing key {kid!r}: see ./vicino signing-key list")
    if not newer or keys[0]["kid"] == kid:
        raise BadUse(f"{kid} is the one that signs: ./vicino signing-key add first")
    left_s = LIVES_S - keys[0]["age_s"]
    if left_s > 0 and not now:
        raise BadUse(
            f"tokens by {kid} may be good for {left_s:.0f} s more: wait, or --now where it is known to others"
        )
    await connection.execute("DELETE FROM signing_keys WHERE kid = $1", kid)


async def _keys(connection: Any) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT kid, created_at, extract(epoch FROM clock_timestamp() - created_at)::float8 AS age_s "
        "FROM signing_keys ORDER BY created_at DESC, kid"
    )
    return rows


async def _within(config: Config, work: Callable[[Any], Awaitable[T]]) -> T:
    """Does the work as the owner: the server itself may only read these keys."""
    async with database_url(config, share=True) as url:
        await migrate(url)
        connection = await asyncpg.connect(url, timeout=5)
        try:
            async with connection.transaction():
                return await work(connection)
        finally:
            await connection.close()
