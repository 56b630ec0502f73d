"""A pilot's report: go, no-go, or wait, each criterion with its figure and its limit.

The limits are judgement, and stand here to be read. "Wait" is not "go": too little is known.
"""

import asyncio
from datetime import datetime
from typing import Any, Literal

import msgspec
import numpy as np

from offers.settings import settings_from_body
from server.db import Database
from server.evidence.lift import LiftOf, lift_of
from server.evidence.log import WITHIN, Period, moments_of, snapshot
from server.publish import current_settings
from server.sql import queries

SQL = queries("evidence")

Verdict = Literal["go", "wait", "no-go"]

OFFERS_LEAST = 200  #: of fewer nothing is said
STOPPED_MOST = 0.02  #: share of the shoppers with an offer who stop pushes within a day of one
FAILED_MOST = 0.05  #: share of pushes that fail, or come too late
SLOWEST_S = 3.0  #: p99 from the fix to FCM


class Criterion(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must hold."""

    name: str
    verdict: Verdict
    measured: str
    limit: str


class PilotReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a pilot came to."""

    since: datetime
    until: datetime
    stores: tuple[str, ...] | None  #: None: all
    verdict: Verdict  #: the worst of the criteria
    criteria: tuple[Criterion, ...]


async def pilot_report(
    database: Database, retailer_id: str, period: Period, stores: tuple[str, ...] | None = None
) -> PilotReport:
    """The report on a period, at some stores. Raises UnknownRetailer."""
    counted = Period(since=period.since, until=period.until - WITHIN)
    names = None if stores is None else list(stores)
    async with snapshot(database, retailer_id) as connection:
        settings = settings_from_body(await current_settings(connection, retailer_id))
        moments = await moments_of(connection, retailer_id, counted)
        arguments = (retailer_id, counted.since, counted.until, names, WITHIN)
        health = await connection.fetchrow(SQL["health"], *arguments)
        overspent = await connection.fetch(SQL["overspent"], retailer_id)
    if stores is not None:
        moments = moments.take(np.isin(np.array(moments.store, dtype=np.str_), list(stores)))
    caps = {"per_day": settings.shopper_per_day, "per_week": settings.shopper_per_week}
    lift = await asyncio.to_thread(lift_of, moments, counted, **caps)
    visited = next(one for one in lift.outcomes if one.outcome == "visited")
    criteria = (*_health(health), _lift(visited, lift.note), _budgets([row["offer"] for row in overspent]))
    return PilotReport(
        since=counted.since,
        until=counted.until,
        stores=stores,
        verdict=_worst([one.verdict for one in criteria]),
        criteria=criteria,
    )


def _health(health: Any) -> tuple[Criterion, ...]:
    offers, shoppers = health["offers"], max(health["shoppers"], 1)
    stopped, trouble = health["stopped"] / shoppers, (health["failed"] + health["late"]) / max(offers, 1)
    slowest = health["p99_s"]
    enough = offers >= OFFERS_LEAST
    return (
        Criterion(
            name="enough offers",
            verdict="go" if enough else "wait",
            measured=f"{offers:,}",
            limit=f"at least {OFFERS_LEAST:,}",
        ),
        Criterion(
            name="shoppers who stop pushes",
            verdict=_within(stopped <= STOPPED_MOST, enough=enough),
            measured=f"{stopped:.2%}",
            limit=f"at most {STOPPED_MOST:.0%} within a day of an offer",
        ),
        Criterion(
            name="pushes that fail or come late",
            verdict=_within(trouble <= FAILED_MOST, enough=enough),
            measured=f"{trouble:.2%}",
            limit=f"at most {FAILED_MOST:.0%}",
        ),
        Criterion(
            name="from the fix to FCM",
            verdict="wait" if slowest is None else _within(float(slowest) <= SLOWEST_S, enough=enough),
            measured="no push" if slowest is None else f"{float(slowest):.2f} s",
            limit=f"p99 at most {SLOWEST_S:g} s",
        ),
    )


def _lift(visited: LiftOf, note: str) -> Criterion:
    limit = "95 % interval of the difference above 0"
    if visited.low is None or visited.high is None:
        return Criterion(name="visits gained", verdict="wait", measured=note, limit=limit)
    verdict: Verdict = "go" if visited.low > 0 else "no-go" if visited.high < 0 else "wait"
    measured = f"{visited.difference:+.4f} a moment ({visited.low:+.4f} to {visited.high:+.4f})"
    return Criterion(name="visits gained", verdict=verdict, measured=measured, limit=limit)


def _budgets(overspent: list[str]) -> Criterion:
    return Criterion(
        name="budgets kept",
        verdict="no-go" if overspent else "go",
        measured=", ".join(overspent) or "all",
        limit="no offer gives more than its budget",
    )


def _within(holds: bool, *, enough: bool) -> Verdict:
    """A limit that is broken stops a pilot at once; one that holds says little of few."""
    if not enough:
        return "wait"
    return "go" if holds else "no-go"


def _worst(verdicts: list[Verdict]) -> Verdict:
    order: tuple[Verdict, ...] = ("no-go", "wait", "go")
    return next(verdict for verdict in order if verdict in verdicts)
