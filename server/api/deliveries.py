"""What became of everything that was to go out: pushes and webhook messages, counted by how they ended."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from aiohttp import web

from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import from_us, to_us
from server.problems import Problem
from server.sql import queries
from server.wire import rfc3339

SQL = queries("read")
LONGEST = timedelta(days=31)
Time = Annotated[datetime, msgspec.Meta(tz=True)]


async def counts(request: web.Request, caller: Caller) -> web.Response:
    """Of the last 24 hours, or from `since` until `until`: 31 days at the most."""
    services = request.app[SERVICES]
    until = _time(request, "until") or from_us(services.clock.now_us())
    since = _time(request, "since") or until - timedelta(days=1)
    if not since < until <= since + LONGEST:
        raise Problem(400, "bad_query", "since must be before until, by 31 days at the most", field="since")
    asked = (caller.retailer_id, since, until)
    async with services.database.transaction(caller.retailer_id) as connection:
        pushes = await connection.fetch(SQL["push_counts"], *asked)
        hooks = await connection.fetch(SQL["webhook_counts"], *asked)
    answer: dict[str, Any] = {"since": rfc3339(to_us(since)), "until": rfc3339(to_us(until))}
    answer["pushes"] = [dict(row) for row in pushes]
    answer["webhooks"] = [dict(row) for row in hooks]
    return json_answer(answer)


def _time(request: web.Request, name: str) -> datetime | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        return msgspec.convert(text, Time).astimezone(UTC)
    except msgspec.ValidationError:
        raise Problem(400, "bad_query", f"{name} is a time as 2026-11-28T12:00:00Z", field=name) from None
