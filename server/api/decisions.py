"""Receipts: why Vicino spoke or kept silent."""

from typing import Any

import asyncpg
from aiohttp import web

from server.api.pages import cursor_for, limit_of, position_of
from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import to_us
from server.problems import Problem
from server.sql import queries
from server.wire import rfc3339

SQL = queries("read")

#: The stages of a push after its decision, each with the column of its end.
STAGES = (
    ("decided_to_journaled", "queued_at", "journaled_at"),
    ("journaled_to_claimed", "journaled_at", "claimed_at"),
    ("decided_to_claimed", "queued_at", "claimed_at"),
    ("claimed_to_accepted", "claimed_at", "accepted_at"),
)


async def one(request: web.Request, caller: Caller) -> web.Response:
    """One decision's receipt."""
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        row = await connection.fetchrow(SQL["decision"], caller.retailer_id, request.match_info["id"])
    if row is None:
        raise Problem(404, "unknown_decision", "no such decision")
    return json_answer(_receipt(row))


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
    return json_answer({"items": [_receipt(row) for row in rows[:limit]], "next_cursor": cursor})


def _receipt(row: asyncpg.Record) -> dict[str, Any]:
    """The stored receipt, with when it was decided and how its push went on since."""
    receipt: dict[str, Any] = dict(row["receipt"])
    receipt |= {"device": row["device_id"], "decided_at": rfc3339(to_us(row["decided_at"]))}
    if row["state"] is not None:
        receipt["push"] = {"state": row["state"], "reason": row["reason"]}
        timings = dict(receipt["timings_ms"])
        for name, start, end in STAGES:
            if row[start] is not None and row[end] is not None:
                timings[name] = (row[end] - row[start]).total_seconds() * 1000
        if row["accepted_at"] is not None:
            timings["received_to_accepted"] = (row["accepted_at"] - row["received_at"]).total_seconds() * 1000
        receipt["timings_ms"] = timings
    return receipt


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
