"""Offers as the shopper has them: inbox, what she has seen of it, and what became of a push."""

import msgspec
from aiohttp import web

from notifications.barcode import Form, picture
from server.api.pages import cursor_for, limit_of, position_of
from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import from_us, to_us
from server.inputs import RecordOutcome
from server.problems import Problem
from server.sql import queries
from server.wire import rfc3339

SQL = queries("read")


async def inbox(request: web.Request, caller: Caller) -> web.Response:
    """The shopper's offers that have not expired, newest first."""
    services, limit = request.app[SERVICES], limit_of(request)
    at, name = position_of(request)
    now = from_us(services.clock.now_us())
    async with services.database.transaction(caller.retailer_id) as connection:
        rows = await connection.fetch(
            SQL["inbox"], caller.retailer_id, caller.shopper_id, now, at, name, limit + 1
        )
        unread = await connection.fetchval(SQL["unread"], caller.retailer_id, caller.shopper_id, now)
    items = [
        row["item"]
        | {"created_at": rfc3339(to_us(row["created_at"])), "unread": row["unread"]}
        | {
            f"{what}_at": rfc3339(to_us(row[f"{what}_at"]))
            for what in OUTCOMES
            if row[f"{what}_at"] is not None
        }
        for row in rows[:limit]
    ]
    more = len(rows) > limit
    cursor = cursor_for(rows[limit - 1]["created_at"], rows[limit - 1]["item_id"]) if more else None
    return json_answer({"items": items, "unread": unread, "next_cursor": cursor})


async def code_picture(request: web.Request, caller: Caller) -> web.Response:
    """The code of one of the shopper's offers, for a till's scanner."""
    services = request.app[SERVICES]
    try:
        form = msgspec.convert(request.query.get("form", "qr"), Form)
    except msgspec.ValidationError:
        raise Problem(400, "bad_query", "form is qr or code128", field="form") from None
    async with services.database.transaction(caller.retailer_id) as connection:
        row = await connection.fetchrow(
            SQL["inbox_item"], caller.retailer_id, caller.shopper_id, request.match_info["id"]
        )
    if row is None:
        raise _unknown_item()
    if to_us(row["expires_at"]) <= services.clock.now_us():
        raise Problem(410, "expired", "this offer is over")
    svg = picture(row["item"]["code"].replace("-", ""), form)
    return web.Response(
        text=svg, content_type="image/svg+xml", headers={"Cache-Control": "private, no-store"}
    )


OUTCOMES = ("delivered", "opened", "dismissed")


async def outcome(request: web.Request, caller: Caller) -> web.Response:
    """The phone says what became of a push. Repeats change nothing."""
    services, item_id = request.app[SERVICES], request.match_info["id"]
    assert caller.shopper_id is not None
    async with services.database.transaction(caller.retailer_id) as connection:
        decision_id = await connection.fetchval(
            SQL["decision_of_item"], caller.retailer_id, caller.shopper_id, item_id
        )
    if decision_id is None:
        raise _unknown_item()
    await services.engine.submit(
        caller.retailer_id,
        RecordOutcome(
            shopper_id=caller.shopper_id,
            received_at_us=services.clock.now_us(),
            item_id=item_id,
            decision_id=decision_id,
            outcome=request.match_info["outcome"],
        ),
    )
    return web.Response(status=204)


async def read(request: web.Request, caller: Caller) -> web.Response:
    """She has seen an item in the app's inbox. Repeats change nothing."""
    services = request.app[SERVICES]
    async with services.database.transaction(caller.retailer_id) as connection:
        seen = await connection.fetchval(
            SQL["read_item"],
            caller.retailer_id,
            caller.shopper_id,
            request.match_info["id"],
            from_us(services.clock.now_us()),
        )
    if seen is None:
        raise _unknown_item()
    return web.Response(status=204)


def _unknown_item() -> Problem:
    return Problem(404, "unknown_notification", "no such notification")
