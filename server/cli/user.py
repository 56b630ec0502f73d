"""`vicino user`: the people who sign in to the console."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
import msgspec

from server.accounts.roles import ROLES
from server.accounts.users import ChangedUser, NewUser, add_user, change_user, users
from server.cli import run
from server.cli._opened import opened
from server.clock import SystemClock
from server.config import Config
from server.db import Connection
from server.errors import BadUse
from server.sql import queries

SQL, ENGINE_SQL = queries("auth"), queries("engine")
T = TypeVar("T")

#: As whom the audit log has what the command line did.
ACTOR = "command"

_RETAILER = click.option("--retailer", "retailer_id", help="Its id; not needed where there is one.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_STORES = click.option("--store", "stores", multiple=True, metavar="ID", help="A manager's; again for more.")


@click.group(
    epilog="\b\nRoles:\n" + "\n".join(f"  {role:10} {what}" for role, what in ROLES.items()),
)
def command() -> None:
    """Make and change accounts of people who sign in to the console."""


@command.command(
    epilog="""\b
Examples:
  ./vicino user create ada@example.org --role admin
  ./vicino user create kim@example.org --role manager --store shoes-1 --store shoes-2"""
)
@click.argument("email")
@click.option("--role", type=click.Choice(list(ROLES)), required=True, help="What the account may do.")
@click.option("--name", default="", help="What colleagues read.")
@_STORES
@click.option("--password", is_flag=True, help="Ask for a password, instead of making one.")
@_RETAILER
@_JSON
@click.pass_obj
def create(  # noqa: PLR0917 - click passes by name
    config: Config,
    email: str,
    role: Any,
    name: str,
    stores: tuple[str, ...],
    password: bool,
    retailer_id: str | None,
    as_json: bool,
) -> None:
    """Make an account; its password is shown this once: only a hash is kept."""
    chosen = click.prompt("Password", hide_input=True, confirmation_prompt=True) if password else None
    wanted = NewUser(email=email, role=role, name=name, stores=stores, password=chosen)

    async def work(connection: Connection, retailer: str) -> dict[str, str]:
        return await add_user(connection, retailer, wanted, actor=ACTOR, now_us=SystemClock().now_us())

    _print([run(_within(config, retailer_id, work))], as_json=as_json)


@command.command(name="list")
@_RETAILER
@_JSON
@click.pass_obj
def list_(config: Config, retailer_id: str | None, as_json: bool) -> None:
    """List all accounts."""
    rows = run(_within(config, retailer_id, users))
    shown = ("user_id", "email", "role", "stores", "totp", "disabled_at")
    _print([{name: row[name] for name in shown} for row in rows], as_json=as_json)


@command.command(
    epilog="""\b
Examples:
  ./vicino user change kim@example.org --role manager --store shoes-3
  ./vicino user change kim@example.org --reset-password --reset-totp
  ./vicino user change kim@example.org --disable"""
)
@click.argument("email")
@click.option("--role", type=click.Choice(list(ROLES)), help="What the account may do.")
@_STORES
@click.option("--disable/--enable", "disabled", default=None, help="No sign-in any more; again.")
@click.option("--reset-password", is_flag=True, help="Make a new password.")
@click.option("--reset-totp", is_flag=True, help="Take the second factor away: the phone is lost.")
@_RETAILER
@_JSON
@click.pass_obj
def change(  # noqa: PLR0917 - click passes by name
    config: Config,
    email: str,
    role: Any,
    stores: tuple[str, ...],
    disabled: bool | None,
    reset_password: bool,
    reset_totp: bool,
    retailer_id: str | None,
    as_json: bool,
) -> None:
    """Change an account, and end its sessions."""
    wanted = ChangedUser(
        role=role,
        stores=stores if stores or (role and role != "manager") else None,
        disabled=disabled,
        reset_password=reset_password,
        reset_totp=reset_totp,
    )

    async def work(connection: Connection, retailer: str) -> dict[str, str]:
        found = [row for row in await users(connection, retailer) if row["email"].lower() == email.lower()]
        if not found:
            raise BadUse(f"no account {email!r}: see ./vicino user list")
        now_us = SystemClock().now_us()
        told = await change_user(
            connection, retailer, found[0]["user_id"], wanted, actor=ACTOR, now_us=now_us
        )
        return {"email": found[0]["email"], **told}

    _print([run(_within(config, retailer_id, work))], as_json=as_json)


async def _within(
    config: Config, retailer_id: str | None, work: Callable[[Connection, str], Awaitable[T]]
) -> T:
    """Does the work in a transaction of the retailer's. Raises BadUse where it is not clear whose."""
    async with opened(config) as database:
        if retailer_id is None:
            async with database.system() as connection:
                known = [row[0] for row in await connection.fetch(ENGINE_SQL["retailer_ids"])]
            if len(known) != 1:
                raise BadUse(f"--retailer: there are {len(known)} retailers; say which")
            retailer_id = known[0]
        async with database.transaction(retailer_id) as connection:
            if not await connection.fetchval(SQL["is_retailer"], retailer_id):
                raise BadUse(f"no retailer {retailer_id!r}")
            return await work(connection, retailer_id)


def _print(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    for row in rows:
        if as_json:
            click.echo(msgspec.json.encode(row).decode())
        else:
            click.echo(
                "  ".join(_text(value) for value in row.values() if value not in (None, False, [], ""))
            )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return value if isinstance(value, str) else str(value)
