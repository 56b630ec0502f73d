"""Receipts: why Vicino spoke or kept silent."""

from typing import Any

import asyncpg
from aiohttp import web

from offers.counterfactual import counterfactuals
from server.api.pages import cursor_for, limit_of, position_of
from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import to_us
from server.moment_rows import receipt_of, without_who
from server.problems import Problem
from server.sql import queries
from server.wire import rfc3339

SQL = queries("read")


async def one(request: web.Request, caller: Caller) -> web.Response:
    """One decision's receipt, with what would have had to be otherwise. People do not see whose it is."""
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        row = await connection.fetchrow(SQL["decision"], caller.retailer_id, request.match_info["id"])
    if row is None or not caller.reaches(row["receipt"]["moment"]["store"]):
        raise Problem(404, "unknown_decision", "no such decision")
    receipt = receipt_of(row)
    receipt["counterfactuals"] = counterfactuals(receipt)
    return json_answer(receipt if caller.user_id is None else without_who(receipt))


async def of_device(request: web.Request, caller: Caller) -> web.Response:
    """A device's receipts, newest first."""
    device_id, limit = request.query.get("device"), limit_of(request)
    if not device_id:
        raise Problem(400, "bad_query", "say which device: /v1/decisions?device=…", field="device")
    at, name = position_of(request)
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        rows = await connection.fetch(
            SQL["decisions_of_device"], caller.retailer_id, device_id, at, name, limit + 1
        )
    more = len(rows) > limit
    cursor = cursor_for(rows[limit - 1]["decided_at"], rows[limit - 1]["decision_id"]) if more else None
    return json_answer({"items": [receipt_of(row) for row in rows[:limit]], "next_cursor": cursor})


async def history(request: web.Request, caller: Caller) -> web.Response:
    """A device's transitions and visits. Fence ids and times; never coordinates."""
    device_id = request.match_info["device_id"]
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        transitions = await connection.fetch(
            SQL["transitions_of_device"], caller.retailer_id, device_id, 1000
        )
        visits = await connection.fetch(SQL["visits_of_device"], caller.retailer_id, device_id, 1000)
    return json_answer(
        {"transitions": [_row(row) for row in transitions], "visits": [_row(row) for row in visits]}
    )


def _row(row: asyncpg.Record) -> dict[str, Any]:
    return {name: rfc3339(to_us(value)) if hasattr(value, "tzinfo") else value for name, value in row.items()}
