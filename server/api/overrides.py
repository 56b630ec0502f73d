"""Overrides: two administrators together let a geofence be heard in sensitive places, for a time.

One asks, with a reason; another approves. Until then, and when it has ended, what lies in sensitive places is
dropped as ever. Every row stays, whatever became of it: who asked, who approved, when, and why.
"""

from datetime import datetime
from typing import Annotated, Any

import asyncpg
import msgspec
from aiohttp import web

from geo.geojson import feature_from_fence, fence_from_feature
from geo.problem import FenceRejected
from server.accounts import audit
from server.api.pages import cursor_for, limit_of, position_of
from server.api.route import SERVICES, Services, json_answer
from server.auth import Caller
from server.clock import from_us, to_us
from server.db import Connection
from server.ids import new_id
from server.imports.sensitive import shares
from server.problems import Problem
from server.publish import lock_publishing, publish
from server.sql import queries
from server.wire import Body, Time, decode, rfc3339

SQL = queries("overrides")

DAY_US = 86_400_000_000
LONGEST_DAYS = 365  #: for which an override may hold
APPROVE_WITHIN_DAYS = 7  #: of being asked for; then it has to be asked for again


class NewOverride(Body, frozen=True, kw_only=True):
    """What an administrator asks for."""

    geofence: dict[str, Any]  #: a GeoJSON feature, as it will be imported
    reason: Annotated[str, msgspec.Meta(min_length=10, max_length=1_000, pattern=r"^[^\x00]+$")]
    until: Time


async def ask(request: web.Request, caller: Caller) -> web.Response:
    """Asks for an override; nothing changes until another administrator approves it."""
    services = request.app[SERVICES]
    wanted = decode(await request.read(), NewOverride)
    now_us = services.clock.now_us()
    if not now_us < to_us(wanted.until) <= now_us + LONGEST_DAYS * DAY_US:
        detail = f"it is a time within the next {LONGEST_DAYS} days"
        raise Problem(422, "bad_until", detail, field="until")
    geofence = _normal(wanted.geofence)
    name = geofence["properties"]["external_id"]
    async with services.database.transaction(caller.retailer_id) as connection:
        found = await shares(connection, caller.retailer_id, lambda: {name: geofence}, now_us)
        share, places = found.get(name, (0.0, []))
        if not places:
            detail = "it lies in no sensitive place that is not excused already: nothing needs an override"
            raise Problem(422, "not_sensitive", detail, field="geofence")
        row = await connection.fetchrow(
            SQL["ask_override"],
            *(caller.retailer_id, new_id("ovr"), geofence, places),
            *(wanted.reason, wanted.until, caller.name, from_us(now_us)),
        )
        await _note(connection, "override_asked", row, caller, now_us)
    return json_answer(_shown(row, now_us) | {"share": round(share, 3)}, status=201)


async def approve(request: web.Request, caller: Caller) -> web.Response:
    """Approves what another asked for; from here on fixes in that geofence are taken."""
    services, now_us = request.app[SERVICES], request.app[SERVICES].clock.now_us()
    async with services.database.transaction(caller.retailer_id) as connection:
        await lock_publishing(connection, caller.retailer_id)
        row = await _row(connection, caller, request)
        if (state := _state(row, now_us)) != "asked":
            raise Problem(409, "not_asked", f"it is {state}: only what was asked for can be approved")
        if row["asked_by"] == caller.name:
            detail = "who asked cannot approve: another administrator must, or another server key"
            raise Problem(403, "second_person", detail)
        row = await _changed(connection, "approve_override", caller, request, now_us)
        body = {
            "external_id": row["override_id"],
            "geofence": row["geofence"],
            "places": row["places"],
            "until_us": to_us(row["until"]),
        }
        spent = await _spent(connection, caller, now_us)
        await publish(connection, caller.retailer_id, "override", {row["override_id"]: body}, remove=spent)
        await _note(connection, "override_approved", row, caller, now_us)
    return await _live(services, caller, row, now_us)


async def end(request: web.Request, caller: Caller) -> web.Response:
    """Refuses what was asked for, or ends what was approved: any one administrator may, at any time."""
    services, now_us = request.app[SERVICES], request.app[SERVICES].clock.now_us()
    async with services.database.transaction(caller.retailer_id) as connection:
        await lock_publishing(connection, caller.retailer_id)
        row = await _row(connection, caller, request)
        if row["ended_at"] is None:
            row = await _changed(connection, "end_override", caller, request, now_us)
            spent = [row["override_id"], *await _spent(connection, caller, now_us)]
            await publish(connection, caller.retailer_id, "override", {}, remove=spent)
            await _note(connection, "override_ended", row, caller, now_us)
    return await _live(services, caller, row, now_us)


async def every(request: web.Request, caller: Caller) -> web.Response:
    """A page of them, the newest first, with what became of each."""
    services, limit = request.app[SERVICES], limit_of(request)
    at, name = position_of(request)
    async with services.database.transaction(caller.retailer_id) as connection:
        rows = await connection.fetch(SQL["overrides"], caller.retailer_id, at, name, limit + 1)
    more = len(rows) > limit
    cursor = cursor_for(rows[limit - 1]["asked_at"], rows[limit - 1]["override_id"]) if more else None
    now_us = services.clock.now_us()
    return json_answer({"items": [_shown(row, now_us) for row in rows[:limit]], "next_cursor": cursor})


def _normal(feature: dict[str, Any]) -> dict[str, Any]:
    """The geofence in its normal form. Raises Problem 422."""
    try:
        return feature_from_fence(fence_from_feature(feature))
    except FenceRejected as rejected:
        first = rejected.problems[0]
        raise Problem(422, first.code, first.detail, field=f"geofence.{first.field}") from None


async def _row(connection: Connection, caller: Caller, request: web.Request) -> asyncpg.Record:
    row = await connection.fetchrow(SQL["override"], caller.retailer_id, request.match_info["id"])
    if row is None:
        raise Problem(404, "unknown_id", "no such override")
    return row


async def _changed(
    connection: Connection, query: str, caller: Caller, request: web.Request, now_us: int
) -> Any:
    names = caller.retailer_id, request.match_info["id"], caller.name
    return await connection.fetchrow(SQL[query], *names, from_us(now_us))


async def _spent(connection: Connection, caller: Caller, now_us: int) -> list[str]:
    rows = await connection.fetch(SQL["spent_overrides"], caller.retailer_id, now_us)
    return [row["external_id"] for row in rows]


async def _live(services: Services, caller: Caller, row: Any, now_us: int) -> web.Response:
    await services.engine.live(caller.retailer_id)
    return json_answer(_shown(row, now_us))


def _state(row: Any, now_us: int) -> str:
    if row["ended_at"] is not None:
        return "refused" if row["approved_at"] is None else "ended"
    if now_us >= to_us(row["until"]):
        return "expired"
    if row["approved_at"] is not None:
        return "approved"
    lapses_us = to_us(row["asked_at"]) + APPROVE_WITHIN_DAYS * DAY_US
    return "asked" if now_us < lapses_us else "lapsed"


def _shown(row: Any, now_us: int) -> dict[str, Any]:
    times = {name: _at(row[name]) for name in ("until", "asked_at", "approved_at", "ended_at")}
    same = {
        name: row[name] for name in ("geofence", "places", "reason", "asked_by", "approved_by", "ended_by")
    }
    return {"id": row["override_id"], "state": _state(row, now_us), **same, **times}


def _at(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(to_us(at))


async def _note(connection: Connection, action: str, row: Any, caller: Caller, now_us: int) -> None:
    subject = f"override {row['override_id']}"
    names = caller.retailer_id, from_us(now_us)
    await audit.note(
        connection, *names, actor=caller.name, action=action, subject=subject, reason=row["reason"]
    )
