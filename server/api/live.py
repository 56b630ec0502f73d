"""What is decided, newest first, and as it is decided."""

import msgspec
from aiohttp import web

from server.api import cookie
from server.api.pages import limit_of
from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.moment_rows import brief_of
from server.problems import Problem
from server.sql import queries

SQL = queries("console")


async def moments(request: web.Request, caller: Caller) -> web.Response:
    """The newest decisions in brief: what, where, why, how fast; nothing of who."""
    limit, outcome = limit_of(request), request.query.get("outcome")
    if outcome not in (None, "offer", "silence"):
        raise Problem(400, "bad_query", "outcome is offer or silence", field="outcome")
    seq, name = _position(request)
    stores = _stores(caller, request.query.get("store"))
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        rows = await connection.fetch(
            SQL["newest_moments"], caller.retailer_id, seq, name, stores, outcome, limit + 1
        )
    last = rows[limit - 1] if len(rows) > limit else None
    cursor = f"{last['journal_seq']}-{last['decision_id']}" if last else None
    return json_answer({"items": [brief_of(row) for row in rows[:limit]], "next_cursor": cursor})


async def stream(request: web.Request, caller: Caller) -> web.StreamResponse:
    """The same as they are decided, and again when their pushes go on, as server-sent events."""
    services = request.app[SERVICES]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    token = cookie.token_in(request) if caller.user_id else None
    await response.write(b"retry: 2000\n: watching\n\n")
    async for brief in services.live.watch(caller.retailer_id):
        try:
            if brief is None:
                # Looked at now and then: a session that has ended sees nothing more.
                if token is not None and await services.sessions.user(token, awake=False) is None:
                    break
                await response.write(b": still here\n\n")
            elif caller.reaches(brief["store"]):
                await response.write(b"event: moment\ndata: " + msgspec.json.encode(brief) + b"\n\n")
        except ConnectionError:
            break
    return response


def _stores(caller: Caller, store: str | None) -> list[str] | None:
    """Those that are asked for, and may be seen."""
    if store is not None:
        return [store] if caller.reaches(store) else []
    return None if caller.stores is None else list(caller.stores)


def _position(request: web.Request) -> tuple[int | None, str]:
    cursor = request.query.get("cursor")
    if cursor is None:
        return None, ""
    seq, _, name = cursor.partition("-")
    if not (seq.isascii() and seq.isdigit() and len(seq) < 18 and name):
        raise Problem(400, "bad_cursor", "take the cursor from the last answer", field="cursor")
    return int(seq), name
