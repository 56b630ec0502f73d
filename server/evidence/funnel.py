"""The funnel: how far moments came, by store and offer; why others were silent; what budgets have left.

    near -> moment -> decision -> pushed -> delivered -> opened -> visited -> redeemed

Of fewer than K_LEAST shoppers the numbers are withheld; what is withheld is told together, as `others`, where
it is of so many shoppers in all.
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


class Others(msgspec.Struct, frozen=True, kw_only=True):
    """What is withheld one by one, together."""

    stores: tuple[dict[str, Any], ...]  #: one row or none, likewise `offers`
    offers: tuple[dict[str, Any], ...]
    refusals: tuple[dict[str, Any], ...]  #: by reason


class Funnel(msgspec.Struct, frozen=True, kw_only=True):
    """What was and what came of it. Numbers of fewer than `k` shoppers are null."""

    since: datetime
    until: datetime
    k: int
    stores: tuple[dict[str, Any], ...]  #: `store`, `visits`, `shoppers`: who came near
    offers: tuple[dict[str, Any], ...]  #: `store`, `offer` (null: none was chosen), the steps, `spend`
    refusals: tuple[dict[str, Any], ...]  #: `store`, `reason`, `moments`, `shoppers`
    budgets: tuple[dict[str, Any], ...]  #: by offer: sums of all shoppers in all time
    others: Others


async def funnel(database: Database, retailer_id: str, period: Period, store: str | None = None) -> Funnel:
    """The funnel of a period, of one store or of all. Raises UnknownRetailer."""
    arguments = (retailer_id, period.since, period.until)
    async with snapshot(database, retailer_id) as connection:
        near = await connection.fetch(SQL["near"], *arguments, store, K_LEAST)
        told = await connection.fetch(SQL["funnel"], *arguments, WITHIN, store, K_LEAST)
        refusals = await connection.fetch(SQL["refusals"], *arguments, store, K_LEAST)
        budgets = await connection.fetch(SQL["burn"], retailer_id)
    stores, other_stores = _withheld(near, ("visits", "shoppers"))
    offers, other_offers = _withheld(told, (*STEPS, "shoppers", "spend"))
    silences, other_silences = _withheld(refusals, ("moments", "shoppers"))
    return Funnel(
        since=period.since,
        until=period.until,
        k=K_LEAST,
        stores=stores,
        offers=offers,
        refusals=silences,
        budgets=tuple(dict(row) for row in budgets),
        others=Others(stores=other_stores, offers=other_offers, refusals=other_silences),
    )


Rows = tuple[dict[str, Any], ...]


def _withheld(rows: Iterable[Any], numbers: tuple[str, ...]) -> tuple[Rows, Rows]:
    """The rows without the numbers of those who are too few, and the rows of those together."""
    told: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for row in map(dict, rows):
        few = {} if row["shoppers"] >= K_LEAST else dict.fromkeys(numbers)
        told[row.pop("others")].append(row | few)
    return tuple(told[False]), tuple(told[True])
