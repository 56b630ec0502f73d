"""Accounts: made, listed, changed and disabled, by an admin in the console or on the command line."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from server.accounts import audit, passwords
from server.accounts.roles import Role
from server.clock import from_us
from server.db import Connection
from server.errors import BadUse
from server.ids import new_id
from server.sql import queries
from server.wire import Text

SQL = queries("accounts")

_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.?[^\s@]+")
Name = Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[^\x00]*$")]
Stores = Annotated[tuple[Text, ...], msgspec.Meta(max_length=500)]


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes an account."""

    email: Text
    role: Role
    name: Name = ""
    stores: Stores = ()
    password: str | None = None  #: None: one is made


class ChangedUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes an account; what is left out stays."""

    name: Name | None = None
    role: Role | None = None
    stores: Stores | None = None
    disabled: bool | None = None
    reset_password: bool = False
    reset_totp: bool = False


async def add_user(
    connection: Connection, retailer_id: str, wanted: NewUser, *, actor: str, now_us: int
) -> dict[str, str]:
    """A new account: its id and password, which is shown this once. Raises BadUse."""
    email = wanted.email.strip()
    if not _ADDRESS.fullmatch(email):
        raise BadUse("email: write an address such as ada@example.org")
    await _check_stores(connection, retailer_id, wanted.role, wanted.stores)
    password = wanted.password or passwords.new_password()
    passwords.require_good(password)
    user_id, hashed = new_id("usr"), await passwords.hashed(password)
    added = await connection.fetchval(
        SQL["add_user"],
        *(retailer_id, user_id, email, wanted.name, wanted.role, list(wanted.stores), hashed),
    )
    if not added:
        raise BadUse(f"email: {email} has an account already")
    await audit.note(
        connection,
        retailer_id,
        from_us(now_us),
        actor=actor,
        action="user_added",
        subject=email,
        role=wanted.role,
        stores=list(wanted.stores),
    )
    return {"user_id": user_id, "email": email, "role": wanted.role, "password": password}


async def change_user(
    connection: Connection, retailer_id: str, user_id: str, wanted: ChangedUser, *, actor: str, now_us: int
) -> dict[str, str]:
    """Changes an account and ends its sessions; a new password if one was asked for. Raises BadUse."""
    known = await one_user(connection, retailer_id, user_id)
    if known is None:
        raise BadUse("there is no such account")
    role, stores = wanted.role or known["role"], known["stores"] if wanted.stores is None else wanted.stores
    await _check_stores(connection, retailer_id, role, stores)
    steps_down = known["role"] == "admin" and (wanted.disabled or role != "admin")
    if steps_down and not await connection.fetchval(SQL["admins"], retailer_id, user_id):
        raise BadUse("role: this is the last admin; make another one first")
    changed = None if wanted.stores is None else list(wanted.stores)
    await connection.execute(SQL["set_user"], retailer_id, user_id, wanted.name, wanted.role, changed)
    if wanted.disabled is not None:
        at = from_us(now_us) if wanted.disabled else None
        await connection.execute(SQL["set_disabled"], retailer_id, user_id, at)
    answer: dict[str, str] = {}
    if wanted.reset_password:
        answer["password"] = passwords.new_password()
        hashed = await passwords.hashed(answer["password"])
        await connection.execute(SQL["set_password"], retailer_id, user_id, hashed)
    if wanted.reset_totp:
        await connection.execute(SQL["reset_totp"], retailer_id, user_id)
    await connection.execute(SQL["end_sessions"], retailer_id, user_id, None)
    said = {
        name: value for name, value in msgspec.structs.asdict(wanted).items() if value not in (None, False)
    }
    if wanted.disabled is False:
        said["disabled"] = False
    await audit.note(
        connection,
        retailer_id,
        from_us(now_us),
        actor=actor,
        action="user_changed",
        subject=known["email"],
        **said,
    )
    return answer


async def users(connection: Connection, retailer_id: str) -> list[dict[str, Any]]:
    """All accounts, by address."""
    return [dict(row) for row in await connection.fetch(SQL["users"], retailer_id, None)]


async def one_user(connection: Connection, retailer_id: str, user_id: str) -> dict[str, Any] | None:
    """One account."""
    row = await connection.fetchrow(SQL["users"], retailer_id, user_id)
    return dict(row) if row else None


async def _check_stores(connection: Connection, retailer_id: str, role: str, stores: Sequence[str]) -> None:
    if role != "manager" and stores:
        raise BadUse("stores: only a manager is bound to stores")
    if role == "manager" and not stores:
        raise BadUse("stores: a manager needs at least one store")
    unknown = await connection.fetch(SQL["unknown_stores"], retailer_id, list(stores))
    if unknown:
        raise BadUse(f"stores: no store {unknown[0]['s']!r} is published")
