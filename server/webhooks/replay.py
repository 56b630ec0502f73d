"""Sending settled messages once more: after an outage of the receiver, or for a new reader of old events."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from server.clock import from_us
from server.db import Database
from server.sql import queries

SQL = queries("webhooks")

Aware = Annotated[datetime, msgspec.Meta(tz=True)]
_FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)


class Replay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which settled messages: those made in [since, until) that are in one of the states."""

    since: Aware
    until: Aware | None = None
    states: Annotated[tuple[Literal["delivered", "failed"], ...], msgspec.Meta(min_length=1)] = ("failed",)


async def replay_messages(
    database: Database, retailer_id: str, endpoint_id: str, asked: Replay, *, now_us: int
) -> int | None:
    """Puts them into the queue again, under the ids they had; how many. None: no such endpoint."""
    now, until = from_us(now_us), asked.until or _FOR_EVER
    async with database.transaction(retailer_id) as connection:
        if await connection.fetchrow(SQL["endpoint"], retailer_id, endpoint_id) is None:
            return None
        told = await connection.execute(
            SQL["replay_messages"], retailer_id, endpoint_id, asked.since, until, asked.states, now
        )
    return int(told.rpartition(" ")[2])
