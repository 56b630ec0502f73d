"""How shoppers fare: who opted out, whom their own limits kept offers from, and how quick pushes were.

Of fewer than K_LEAST shoppers the numbers are null.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from server.db import Database
from server.evidence import K_LEAST
from server.evidence.log import Period, snapshot
from server.sql import queries

SQL = queries("evidence")

#: Whoever withdraws so soon after an offer is counted as having done it because of that.
SOON: Final = timedelta(days=1)
#: Reasons that are the shopper's own word.
OWN_LIMITS: Final = ("muted", "paused", "too_far", "minimum_worth", "quiet_hours", "shopper_cap")
TARGET: Final = timedelta(seconds=3)  #: from the fix to FCM


class OptOuts(msgspec.Struct, frozen=True, kw_only=True):
    """Opt-outs and mutes."""

    since: datetime
    until: datetime
    k: int
    shoppers: int | None  #: with a moment
    offered: int | None  #: of them, with an offer
    opted_out: tuple[dict[str, Any], ...]  #: `purpose`, `shoppers`, `after_an_offer`
    held_off: tuple[dict[str, Any], ...]  #: `reason`, `moments`, `shoppers`


class Quick(msgspec.Struct, frozen=True, kw_only=True):
    """How quick the pushes of a day were; without a day, all of them."""

    day: str | None
    pushes: int
    in_time: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """From the fix to the push, against the target."""

    since: datetime
    until: datetime
    target_s: float
    all: Quick
    days: tuple[Quick, ...]


async def opt_outs(database: Database, retailer_id: str, period: Period) -> OptOuts:
    """Who withdrew, muted or was spared, in a period. Raises UnknownRetailer."""
    arguments = (retailer_id, period.since, period.until)
    async with snapshot(database, retailer_id) as connection:
        withdrawn = await connection.fetch(SQL["opted_out"], *arguments, SOON)
        held_off = await connection.fetch(SQL["held_off"], *arguments, list(OWN_LIMITS))
        of_all = await connection.fetchrow(SQL["spoken_to"], *arguments)
        assert of_all is not None, "it counts"
    return OptOuts(
        since=period.since,
        until=period.until,
        k=K_LEAST,
        shoppers=_told(of_all["spoken_to"]),
        offered=_told(of_all["offered"]),
        opted_out=tuple(
            {"purpose": row["purpose"]} | {name: _told(row[name]) for name in ("shoppers", "after_an_offer")}
            for row in withdrawn
        ),
        held_off=tuple(
            dict(row) if row["shoppers"] >= K_LEAST else dict(row) | {"moments": None, "shoppers": None}
            for row in held_off
        ),
    )


async def speed(database: Database, retailer_id: str, period: Period) -> Speed:
    """How quick pushes were in a period, in all and by day (UTC). Raises UnknownRetailer."""
    async with snapshot(database, retailer_id) as connection:
        rows = await connection.fetch(SQL["speed"], retailer_id, period.since, period.until, TARGET)
    quick = [_quick(row) for row in rows]
    return Speed(
        since=period.since,
        until=period.until,
        target_s=TARGET.total_seconds(),
        all=next(one for one in quick if one.day is None),
        days=tuple(one for one in quick if one.day is not None),
    )


def _quick(row: Any) -> Quick:
    p50_s, p95_s, p99_s = row["percentiles_s"] or (None, None, None)
    day = None if row["day"] is None else row["day"].date().isoformat()
    return Quick(day=day, pushes=row["pushes"], in_time=row["in_time"], p50_s=p50_s, p95_s=p95_s, p99_s=p99_s)


def _told(shoppers: int) -> int | None:
    return None if shoppers < K_LEAST else shoppers
