"""The trail of a shopper's consents, and the end of those that were not renewed."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from offers.consent import Consent, Purpose
from server.clock import Clock, from_us, to_us
from server.db import Database
from server.inputs import Input, SetConsents
from server.sql import queries
from server.wire import rfc3339

SQL = queries("privacy")

#: A consent that ran out longer ago than this was seen to, unless no engine ran since.
LOOK_BACK = timedelta(days=400)


async def history(database: Database, retailer_id: str, shopper_id: str) -> list[dict[str, Any]]:
    """Every answer that she gave, and every one that ran out, oldest first."""
    async with database.transaction(retailer_id) as connection:
        rows = await connection.fetch(SQL["consent_changes_of"], retailer_id, shopper_id)
    return [{name: _told(value) for name, value in row.items() if value is not None} for row in rows]


async def end_consents(
    database: Database, clock: Clock, retailer_id: str, submit: Callable[[str, Input], Awaitable[Any]]
) -> None:
    """Ends the consents that have run out, as if she had withdrawn them: what they allowed to know goes."""
    now_us = clock.now_us()
    now = from_us(now_us)
    async with database.transaction(retailer_id) as connection:
        rows = await connection.fetch(SQL["ended_consents"], retailer_id, now, now - LOOK_BACK)
    ended: dict[str, dict[Purpose, Consent]] = {}
    for row in rows:
        ended.setdefault(row["shopper_id"], {})[row["purpose"]] = Consent(granted=False, at_us=now_us)
    for shopper_id, consents in ended.items():
        item = SetConsents(shopper_id=shopper_id, received_at_us=now_us, consents=consents, told_by="clock")
        await submit(retailer_id, item)


def _told(value: str | datetime) -> str:
    return rfc3339(to_us(value)) if isinstance(value, datetime) else value
