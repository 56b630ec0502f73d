"""Lift: what speaking changed, by those spoken to against the holdout's ghosts.

A moment counts where there was something to say, whether it was then said, refused by a quota or budget, or
kept back in the holdout; under the same caps on both sides (`offers.evaluate.caps`). The interval is always
valid: it may be looked at every day (`offers.evaluate.lift`). Somebody in the holdout has no coupon, so the
redemptions tell how many are used, and the visits what speaking changed.
"""

import asyncio
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from offers.evaluate.caps import within_caps
from offers.evaluate.lift import EVENTS_LEAST, SHOPPERS_LEAST, Side, lift
from offers.learn.blr import Floats
from offers.settings import settings_from_body
from server.db import Database
from server.evidence.log import WITHIN, Moments, Period, moments_of, snapshot
from server.publish import current_settings

OUTCOMES = ("visited", "redeemed", "spend")


class LiftOf(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One outcome, per moment with something to say."""

    outcome: str  #: `visited`, `redeemed` (shares), `spend` (money)
    spoken: float
    held: float
    difference: float | None = None  #: None: too little is known
    low: float | None = None
    high: float | None = None
    certain: bool = False  #: whether the interval leaves out 0


class LiftReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the lift."""

    since: datetime
    until: datetime
    moments: int
    held_moments: int
    shoppers: int
    held_shoppers: int
    outcomes: tuple[LiftOf, ...]
    note: str = ""  #: why there is no interval


async def lift_report(database: Database, retailer_id: str, period: Period) -> LiftReport:
    """The lift over a period; what is decided in its last 24 hours is left out, as its outcome is not known.

    Raises UnknownRetailer.
    """
    counted = Period(since=period.since, until=period.until - WITHIN)
    async with snapshot(database, retailer_id) as connection:
        settings = settings_from_body(await current_settings(connection, retailer_id))
        moments = await moments_of(connection, retailer_id, counted)
    caps = {"per_day": settings.shopper_per_day, "per_week": settings.shopper_per_week}
    return await asyncio.to_thread(lift_of, moments, counted, **caps)


def lift_of(moments: Moments, period: Period, *, per_day: int, per_week: int) -> LiftReport:
    """The lift of moments that have had their time."""
    counts = within_caps(moments.shopper, moments.at_us, per_day=per_day, per_week=per_week)
    said = np.array([best is not None for best in moments.best], np.bool_)
    moments = moments.take(counts & (said | moments.refused))
    held = moments.held
    outcomes = tuple(_outcome(moments, name) for name in OUTCOMES)
    return LiftReport(
        since=period.since,
        until=period.until,
        moments=int((~held).sum()),
        held_moments=int(held.sum()),
        shoppers=len(np.unique(moments.shopper[~held])),
        held_shoppers=len(np.unique(moments.shopper[held])),
        outcomes=outcomes,
        note="" if any(one.low is not None for one in outcomes) else _lacking(moments),
    )


def _outcome(moments: Moments, name: str) -> LiftOf:
    values: Floats = getattr(moments, name)
    spoken, held = (_side(moments, values, rows) for rows in (~moments.held, moments.held))
    means = [side.mean if side.moments.sum() else 0.0 for side in (spoken, held)]
    known = lift(spoken, held) if name == "visited" else None
    if known is None:
        return LiftOf(outcome=name, spoken=means[0], held=means[1])
    return LiftOf(
        outcome=name,
        spoken=means[0],
        held=means[1],
        difference=known.difference,
        low=known.low,
        high=known.high,
        certain=known.certain,
    )


def _side(moments: Moments, values: Floats, rows: NDArray[np.bool_]) -> Side:
    shoppers, who = np.unique(moments.shopper[rows], return_inverse=True)
    return Side(
        moments=np.bincount(who, minlength=len(shoppers)).astype(np.float64),
        outcome=np.bincount(who, values[rows], minlength=len(shoppers)).astype(np.float64),
    )


def _lacking(moments: Moments) -> str:
    if not moments.held.any():
        return "nobody is in the holdout, so what speaking changed cannot be told: set `holdout`, to 0.1 say"
    return f"too little to tell: it takes {SHOPPERS_LEAST} shoppers a side, {EVENTS_LEAST} of whom did it"
