"""The doctor's advice on one geofence, by what phones have told the server in the last days: for the console.

It runs in a process of its own, one at a time, whoever asks: phones are answered meanwhile. No outline is
proposed that is drawn around where visitors stood.
"""

import asyncio
from datetime import date
from typing import Any, Final

import msgspec
import numpy as np

from geo.distance import distance_m
from geo.fence import Circle, Fence
from geo.geojson import feature_from_fence, fence_from_feature
from server.apart import Tell, apart, with_database
from server.db import Connection, Database
from server.doctor.examine import Report, examine
from server.doctor.measures import Measures
from server.errors import VicinoError
from server.journal import PostgresJournal
from server.publish import load_published
from server.sql import queries
from server.traces.columns import Trace, TraceBuilder
from server.traces.record import TraceFix
from server.world import rules_of_body

SQL = queries("evidence")

DAYS_MOST: Final = 7  #: of the journal, the newest
AROUND_M: Final = 600.0  #: fixes so near to the circle around the fence are looked at
LONGEST_S: Final = 60.0


class UnknownFence(VicinoError):  # noqa: N818 - it names what was found
    """No such fence is published, or it is off."""


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What the doctor says. It is about phones near one fence; who tells it on must blur it."""

    days: tuple[date, ...]  #: that were read
    shoppers: int  #: whose phones came near
    measures: Measures
    findings: tuple[str, ...]  #: their codes
    told: str | None = None  #: what would be changed: `radius 50 → 75 m`
    feature: dict[str, Any] | None = None  #: the fence with the change, as GeoJSON
    effect: Measures | None = None  #: the measures with it


class Adviser:
    """Has fences examined, one after the other."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._room = asyncio.Lock()

    async def advice(self, retailer_id: str, external_id: str) -> Advice:
        """On a published fence. Raises UnknownFence; TimeoutError, where it takes too long or others wait."""
        async with asyncio.timeout(LONGEST_S), self._room:
            return await apart(_run, self._url, retailer_id, external_id)


def _run(url: str, retailer_id: str, external_id: str, _tell: Tell) -> Advice:
    return with_database(url, lambda database: advice(database, retailer_id, external_id))


async def advice(database: Database, retailer_id: str, external_id: str) -> Advice:
    """On a published fence. Raises UnknownFence."""
    async with database.transaction(retailer_id, snapshot=True) as connection:
        bodies = await load_published(connection, retailer_id)
        fences = [fence_from_feature(body) for body in bodies.get("geofence", {}).values()]
        found = [fence for fence in fences if fence.external_id == external_id and fence.enabled]
        if not found:
            raise UnknownFence(f"no geofence {external_id} that is on")
        rows = await connection.fetch(SQL["journal_days_newest"], retailer_id, DAYS_MOST)
        days = sorted(row["day"] for row in rows)
        trace, shoppers = await _near(connection, retailer_id, days, found[0])
    rules = rules_of_body(bodies.get("settings", {}).get("settings", {}))
    [report] = examine(
        trace, fences, rules, wanted=found, progress=lambda _what, _done, _of: None, around_visitors=False
    )
    return _told(report, tuple(days), shoppers)


def _told(report: Report, days: tuple[date, ...], shoppers: int) -> Advice:
    proposal = report.proposal
    changed: dict[str, Any] = {}
    if proposal is not None:
        feature = feature_from_fence(proposal.candidate.fence)
        changed = {"told": proposal.candidate.told, "feature": feature, "effect": proposal.case.measures}
    return Advice(
        days=days,
        shoppers=shoppers,
        measures=report.case.measures,
        findings=tuple(finding.code for finding in report.findings),
        **changed,
    )


async def _near(
    connection: Connection, retailer_id: str, days: list[date], fence: Fence
) -> tuple[Trace, int]:
    """The fixes around a fence, and of how many shoppers they are."""
    builder, shoppers, shape = TraceBuilder(), set[str](), fence.shape
    circle = shape if isinstance(shape, Circle) else shape.bounding_circle
    for day in days:
        async for entry in PostgresJournal().day(connection, retailer_id, day):
            pings, of_row = entry.pings, entry.pings.of_row
            away_m = distance_m(circle.lat_deg, circle.lon_deg, pings.lat_deg, pings.lon_deg)
            for row in np.flatnonzero(away_m < circle.radius_m + AROUND_M).tolist():
                item, fix = pings.items[of_row[row]], pings.fix(row)
                shoppers.add(item.shopper_id)
                builder.add(
                    TraceFix(
                        device=item.device_id,
                        fixed_at_us=fix.fixed_at_us,
                        lat_deg=fix.lat_deg,
                        lon_deg=fix.lon_deg,
                        accuracy_m=fix.accuracy_m,
                        speed_mps=fix.speed_mps,
                    )
                )
    return builder.build(), len(shoppers)
