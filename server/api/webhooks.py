"""Webhook endpoints: where a retailer's servers want to hear of what happens, and what was sent to them."""

from datetime import datetime
from typing import Annotated, Any

import asyncpg
import msgspec
from aiohttp import web

from server.api.pages import cursor_for, limit_of, position_of
from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import from_us, to_us
from server.db import Connection
from server.ids import new_id
from server.problems import Problem
from server.sql import queries
from server.webhooks.guard import refuse_url
from server.webhooks.replay import Replay, replay_messages
from server.webhooks.rules import OVERLAP_US, TYPES, expanded, secret_of
from server.wire import decode, rfc3339

SQL = queries("webhooks")

ENDPOINTS_MOST = 20  #: of one retailer


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What registers an endpoint."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
    types: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=50)] = ("*",)


async def add(request: web.Request, caller: Caller) -> web.Response:
    """Registers an endpoint; its signing secret is in the answer, and can be read again."""
    services = request.app[SERVICES]
    wanted = decode(await request.read(), NewEndpoint)
    if (reason := refuse_url(wanted.url, services.webhook_hosts)) is not None:
        raise Problem(422, "bad_webhook_url", reason, field="url")
    if (types := expanded(wanted.types)) is None:
        raise Problem(
            422, "unknown_event_type", f"types are {', '.join(TYPES)}, a group.* or *", field="types"
        )
    async with services.database.transaction(caller.retailer_id) as connection:
        if len(await connection.fetch(SQL["endpoints"], caller.retailer_id)) >= ENDPOINTS_MOST:
            raise Problem(422, "too_many_endpoints", f"a retailer has at most {ENDPOINTS_MOST}: remove one")
        row = await connection.fetchrow(
            SQL["add_endpoint"], caller.retailer_id, new_id("whe"), wanted.url, types
        )
        return json_answer(await _with_secret(connection, row), status=201)


async def every(request: web.Request, caller: Caller) -> web.Response:
    """All endpoints."""
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        rows = await connection.fetch(SQL["endpoints"], caller.retailer_id)
    return json_answer({"items": [_endpoint(row) for row in rows], "next_cursor": None})


async def one(request: web.Request, caller: Caller) -> web.Response:
    """One endpoint, with the secret that signs its messages."""
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        row = await _row(connection, "endpoint", caller, request)
        return json_answer(await _with_secret(connection, row))


async def remove(request: web.Request, caller: Caller) -> web.Response:
    """Removes an endpoint and its messages."""
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        await _row(connection, "remove_endpoint", caller, request)
    return web.Response(status=204)


async def rotate(request: web.Request, caller: Caller) -> web.Response:
    """Makes a new secret; for a day messages are signed with the one before as well."""
    services = request.app[SERVICES]
    until = from_us(services.clock.now_us() + OVERLAP_US)
    async with services.database.transaction(caller.retailer_id) as connection:
        row = await _row(connection, "rotate_secret", caller, request, until)
        return json_answer(await _with_secret(connection, row))


async def enable(request: web.Request, caller: Caller) -> web.Response:
    """Lets an endpoint hear again that was disabled by its 410 Gone."""
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        return json_answer(_endpoint(await _row(connection, "enable_endpoint", caller, request)))


async def messages(request: web.Request, caller: Caller) -> web.Response:
    """What was sent to an endpoint and what became of it, newest first."""
    services, limit = request.app[SERVICES], limit_of(request)
    state = request.query.get("state")
    if state not in (None, "pending", "leased", "delivered", "failed"):
        raise Problem(400, "bad_query", "state is pending, leased, delivered or failed", field="state")
    at, name = position_of(request)
    async with services.database.transaction(caller.retailer_id) as connection:
        await _row(connection, "endpoint", caller, request)
        rows = await connection.fetch(
            SQL["messages"], caller.retailer_id, request.match_info["id"], at, name, state, limit + 1
        )
    more = len(rows) > limit
    cursor = cursor_for(rows[limit - 1]["created_at"], rows[limit - 1]["message_id"]) if more else None
    return json_answer({"items": [_message(row) for row in rows[:limit]], "next_cursor": cursor})


async def replay(request: web.Request, caller: Caller) -> web.Response:
    """Sends settled messages once more, under the ids they had."""
    asked = decode(await request.read(), Replay)
    services, endpoint_id = request.app[SERVICES], request.match_info["id"]
    queued = await replay_messages(
        services.database, caller.retailer_id, endpoint_id, asked, now_us=services.clock.now_us()
    )
    if queued is None:
        raise _unknown_endpoint()
    return json_answer({"queued": queued})


async def _row(
    connection: Connection, query: str, caller: Caller, request: web.Request, *more: Any
) -> asyncpg.Record:
    row = await connection.fetchrow(SQL[query], caller.retailer_id, request.match_info["id"], *more)
    if row is None:
        raise _unknown_endpoint()
    return row


def _unknown_endpoint() -> Problem:
    return Problem(404, "unknown_endpoint", "no such webhook endpoint")


async def _with_secret(connection: Connection, row: Any) -> dict[str, Any]:
    secret = await connection.fetchval(SQL["retailer_secret"], row["retailer_id"])
    return _endpoint(row) | {"secret": secret_of(secret, row["endpoint_id"], row["generation"])}


def _endpoint(row: Any) -> dict[str, Any]:
    return {
        "id": row["endpoint_id"],
        "url": row["url"],
        "types": row["types"],
        "created_at": rfc3339(to_us(row["created_at"])),
        "disabled_at": _at(row["disabled_at"]),
        "disabled_reason": row["disabled_reason"],
    }


def _message(row: Any) -> dict[str, Any]:
    return {
        "id": row["message_id"],
        "type": row["type"],
        "state": row["state"],
        "reason": row["reason"],
        "status": row["status"],
        "attempts": row["attempts"],
        "created_at": rfc3339(to_us(row["created_at"])),
        "settled_at": _at(row["settled_at"]),
    }


def _at(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(to_us(at))
