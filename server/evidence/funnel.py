"""The funnel: how far moments came, by store and offer; why others were silent; what budgets have left.

    near -> moment -> decision -> pushed -> delivered -> opened -> visited -> redeemed

Of fewer than K_LEAST shoppers the numbers are withheld.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from server.db import Database
from server.evidence import K_LEAST
from server.evidence.log import WITHIN, Period, snapshot
from server.sql import queries

SQL = queries("evidence")

STEPS = ("moments", "offers", "ghosts", "pushed", "delivered", "opened", "visited", "redeemed")


class Funnel(msgspec.Struct, frozen=True, kw_only=True):
    """What was and what came of it. Numbers of fewer than `k` shoppers are null."""

    since: datetime
    until: datetime
    k: int
    stores: tuple[dict[str, Any], ...]  #: `store`, `visits`, `shoppers`: who came near
    offers: tuple[dict[str, Any], ...]  #: `store`, `offer` (null: none was chosen), the steps, `spend`
    refusals: tuple[dict[str, Any], ...]  #: `store`, `reason`, `moments`, `shoppers`
    budgets: tuple[dict[str, Any], ...]  #: by offer: sums of all shoppers in all time


async def funnel(database: Database, retailer_id: str, period: Period, store: str | None = None) -> Funnel:
    """The funnel of a period, of one store or of all. Raises UnknownRetailer."""
    arguments = (retailer_id, period.since, period.until)
    async with snapshot(database, retailer_id) as connection:
        near = await connection.fetch(SQL["near"], *arguments, store)
        told = await connection.fetch(SQL["funnel"], *arguments, WITHIN, store)
        refusals = await connection.fetch(SQL["refusals"], *arguments, store)
        budgets = await connection.fetch(SQL["burn"], retailer_id)
    return Funnel(
        since=period.since,
        until=period.until,
        k=K_LEAST,
        stores=_withheld(near, ("visits", "shoppers")),
        offers=_withheld(told, (*STEPS, "shoppers", "spend")),
        refusals=_withheld(refusals, ("moments", "shoppers")),
        budgets=tuple(dict(row) for row in budgets),
    )


def _withheld(rows: Iterable[Any], numbers: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    """The rows, without the numbers of those who are too few."""
    return tuple(
        dict(row) if row["shoppers"] >= K_LEAST else dict(row) | dict.fromkeys(numbers) for row in rows
    )
