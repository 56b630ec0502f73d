"""The moments-of-truth map of a retailer, mined from its log.

Visits, redemptions and what decisions saw of her browsing are there for as long as these are kept. What she
did in the app besides (asked how to use it, reviewed, shared) is in the journal alone, so it is told for the
days of which there is one.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime

import msgspec

from offers.evaluate.journeys import JourneyMap, Step, journey_map
from server.charts import Bars, bars
from server.clock import to_us
from server.db import Connection, Database
from server.evidence import K_LEAST
from server.evidence.log import Period, snapshot
from server.inputs import RecordEvents
from server.journal import PostgresJournal
from server.sql import queries

SQL = queries("evidence")

#: What a browse event is on the way.
OF_EVENT = {
    **dict.fromkeys(("view", "search", "cart", "wishlist", "store_locator", "directions"), "zmot"),
    "how_to": "smot",
    "review": "umot",
    "share": "umot",
}


class Journeys(msgspec.Struct, frozen=True, kw_only=True):
    """The map of a period."""

    since: datetime
    until: datetime
    k: int
    journal_days: int  #: of which what she did in the app is known
    map: JourneyMap


async def journeys(database: Database, retailer_id: str, period: Period) -> Journeys:
    """The map of a period. Raises UnknownRetailer."""
    arguments = (retailer_id, period.since, period.until)
    async with snapshot(database, retailer_id) as connection:
        rows = await connection.fetch(SQL["steps"], *arguments)
        merges = await connection.fetch(SQL["known_as"], retailer_id)
        former = {row["former_id"]: row["shopper_id"] for row in merges}
        days = [
            row["day"]
            for row in await connection.fetch(
                SQL["journal_days_of"], retailer_id, period.since.date(), period.until.date()
            )
        ]
        events = [step async for step in _events(connection, retailer_id, days, period)]
    seen = {(row["shopper_id"], row["step"], to_us(row["at"])) for row in rows}
    seen |= {(former.get(who, who), step, at_us) for who, step, at_us in events}
    return Journeys(
        since=period.since,
        until=period.until,
        k=K_LEAST,
        journal_days=len(days),
        map=await asyncio.to_thread(_mapped, seen),
    )


def _mapped(seen: set[Step]) -> JourneyMap:
    return journey_map(sorted(seen, key=lambda step: (step[0], step[2], step[1])), k=K_LEAST)


async def _events(
    connection: Connection, retailer_id: str, days: list[date], period: Period
) -> AsyncIterator[Step]:
    since_us, until_us = to_us(period.since), to_us(period.until)
    for day in days:
        async for entry in PostgresJournal().day(connection, retailer_id, day):
            for item in entry.inputs:
                for event in item.events if isinstance(item, RecordEvents) else ():
                    if event.kind in OF_EVENT and since_us <= event.at_us < until_us:
                        yield item.shopper_id, OF_EVENT[event.kind], event.at_us


def chart(told: Journeys) -> str:
    """The map as bars: what is done how often, and what follows what."""
    stops = [(stop.step.upper(), (float(stop.times or 0), float(stop.ended or 0))) for stop in told.map.stops]
    arrows = [
        (f"{arrow.step} → {arrow.next}, {_words(arrow.median_s)}", (float(arrow.times),))
        for arrow in told.map.arrows
    ]
    return bars(
        Bars(title="Moments of truth", series=("times", "journeys end"), rows=stops),
        Bars(title="What follows what, after how long (median)", series=("times",), rows=arrows),
    )


def _words(seconds: float) -> str:
    for size, word in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {word}"
    return f"{seconds:.0f} s"
