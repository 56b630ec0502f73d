"""Keys of the retailer: app, server and till, made and revoked by an admin."""

from typing import Any, Literal

import msgspec
from aiohttp import web

from server.accounts import audit
from server.api.route import SERVICES, json_answer
from server.auth import Caller, new_key, secret_hash
from server.clock import from_us, to_us
from server.db import Connection
from server.problems import Problem
from server.sql import queries
from server.wire import Text, decode, rfc3339

SQL = queries("auth")


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes a key."""

    kind: Literal["app", "server", "till"]
    store: Text | None = None  #: binds a till's key


async def every(request: web.Request, caller: Caller) -> web.Response:
    """All keys, by the beginning of their hashes."""
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        rows = await connection.fetch(SQL["keys_of"], caller.retailer_id)
    return json_answer({"items": [_told(dict(row)) for row in rows], "next_cursor": None})


async def add(request: web.Request, caller: Caller) -> web.Response:
    """Makes a key; it is in the answer, this once."""
    wanted = decode(await request.read(), NewKey)
    if wanted.store is not None and wanted.kind != "till":
        raise Problem(422, "bad_field", "a store binds a till's key alone", field="store")
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        if wanted.store and not await connection.fetchval(SQL["has_store"], caller.retailer_id, wanted.store):
            raise Problem(422, "unknown_store", f"no store {wanted.store!r} is published", field="store")
        made = new_key(wanted.kind)
        key_id = secret_hash(made).hex()[:16]
        await connection.execute(
            SQL["add_key"], caller.retailer_id, secret_hash(made), wanted.kind, wanted.store
        )
        await _note(request, connection, caller, "key_added", f"{wanted.kind} key {key_id}")
    return json_answer({"id": key_id, "kind": wanted.kind, "store": wanted.store, "key": made}, status=201)


async def revoke(request: web.Request, caller: Caller) -> web.Response:
    """Ends a key; it works for up to 5 s more."""
    key_id = request.match_info["key_id"]
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        if await connection.fetchval(SQL["revoke_key"], caller.retailer_id, key_id) is None:
            raise Problem(404, "unknown_id", "no such key, or it was revoked before")
        await _note(request, connection, caller, "key_revoked", f"key {key_id}")
    return web.Response(status=204)


async def _note(
    request: web.Request, connection: Connection, caller: Caller, action: str, subject: str
) -> None:
    now = from_us(request.app[SERVICES].clock.now_us())
    await audit.note(connection, caller.retailer_id, now, actor=caller.name, action=action, subject=subject)


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: rfc3339(to_us(value)) if hasattr(value, "tzinfo") else value for name, value in row.items()}
