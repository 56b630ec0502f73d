"""Accounts and the audit log, for those who may see them."""

from typing import Any

from aiohttp import web

from server.accounts import audit
from server.accounts.users import ChangedUser, NewUser, add_user, change_user, one_user, users
from server.api.pages import limit_of
from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import to_us
from server.problems import Problem
from server.wire import decode, rfc3339


async def every(request: web.Request, caller: Caller) -> web.Response:
    """All accounts."""
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        rows = await users(connection, caller.retailer_id)
    return json_answer({"items": [_told(row) for row in rows], "next_cursor": None})


async def add(request: web.Request, caller: Caller) -> web.Response:
    """Makes an account; its password is in the answer, this once."""
    services, wanted = request.app[SERVICES], decode(await request.read(), NewUser)
    async with services.database.transaction(caller.retailer_id) as connection:
        made = await add_user(
            connection, caller.retailer_id, wanted, actor=caller.name, now_us=services.clock.now_us()
        )
    return json_answer(made, status=201)


async def change(request: web.Request, caller: Caller) -> web.Response:
    """Changes an account, and ends its sessions."""
    services, wanted = request.app[SERVICES], decode(await request.read(), ChangedUser)
    user_id = request.match_info["user_id"]
    async with services.database.transaction(caller.retailer_id) as connection:
        if await one_user(connection, caller.retailer_id, user_id) is None:
            raise Problem(404, "unknown_user", "no such account")
        told = await change_user(
            connection, caller.retailer_id, user_id, wanted, actor=caller.name, now_us=services.clock.now_us()
        )
        row = await one_user(connection, caller.retailer_id, user_id)
    assert row is not None, "it was just changed"
    return json_answer(_told(row) | told)


async def log(request: web.Request, caller: Caller) -> web.Response:
    """The audit log, newest first."""
    limit, cursor = limit_of(request), request.query.get("cursor")
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 18):
        raise Problem(400, "bad_cursor", "take the cursor from the last answer", field="cursor")
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        below = int(cursor) if cursor is not None else None
        items = await audit.page(connection, caller.retailer_id, below, limit)
    more = len(items) == limit and items[-1]["seq"] > 1
    return json_answer({"items": items, "next_cursor": str(items[-1]["seq"]) if more else None})


async def verify(request: web.Request, caller: Caller) -> web.Response:
    """Whether every entry of the audit log follows from the one before."""
    broken = await audit.broken_at(request.app[SERVICES].database, caller.retailer_id)
    return json_answer({"whole": broken is None, "broken_at": broken})


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: rfc3339(to_us(value)) if hasattr(value, "tzinfo") else value for name, value in row.items()}
