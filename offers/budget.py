"""Budgets: what an offer may give away, in all and by caps per store, per shopper and per period. Pure.

A cap counts in a *purse*: the offer's own (`""`), one of each store, one of each calendar period, or both.
A coupon is reserved in every purse that a cap of its offer names, and what it holds stays there: it counts
in the period in which it was **issued**, whenever it is redeemed. Periods are calendar ones by the store's
clock: a day from midnight to midnight, though it may have 23 or 25 hours; a week from Monday on; a month.
"""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from offers.checks import check_count, check_money
from offers.hours import local_time, microseconds, open_share
from offers.problem import Problems

Period: TypeAlias = Literal["day", "week", "month"]

#: As many caps may one offer have.
CAPS_MAX = 16
#: So much of a paced cap may be given away at the beginning of its period.
HEAD_START = Decimal("0.05")
#: The purse of the offer as a whole.
WHOLE = ""


class Cap(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """A part of a budget. It is its own JSON body."""

    per: Literal["store", "shopper"] | None = None  #: None: of all stores and shoppers together
    period: Period | None = None  #: None: in all time
    issued: int | None = None  #: coupons issued
    redemptions: int | None = None  #: coupons redeemed or still redeemable
    spend: Decimal | None = None  #: money that those can cost at the most
    pace: bool = False  #: given away evenly over the period

    @property
    def limits(self) -> tuple[int | Decimal | None, ...]:
        return self.issued, self.redemptions, self.spend


class Budget(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """What an offer may give away; None: no limit."""

    redemptions: int | None = None  #: in all, coupons redeemed or still redeemable
    issued: int | None = None  #: in all, coupons issued
    spend: Decimal | None = None  #: in all, money, in the currency of the prices
    caps: tuple[Cap, ...] = ()

    @property
    def all_caps(self) -> Iterator[Cap]:
        """The budget as a whole, then its caps."""
        yield Cap(issued=self.issued, redemptions=self.redemptions, spend=self.spend)
        yield from self.caps


class Given(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What has been given out of a purse."""

    issued: int = 0
    held: int = 0  #: coupons redeemed, and those still redeemable
    spend: Decimal = Decimal(0)  #: the most that those can cost

    def __add__(self, other: "Given") -> "Given":
        return Given(
            issued=self.issued + other.issued, held=self.held + other.held, spend=self.spend + other.spend
        )


def purse(cap: Cap, store: str, now_us: int, timezone: str) -> str:
    """The name of the purse in which a cap counts at a store now. A shopper's is her coupons themselves."""
    of_store = f"store={store}" if cap.per == "store" else ""
    if cap.period is None:
        return of_store
    # Periods are by the store's clock: where stores keep different clocks they may begin at different times.
    begins = period_begins(cap.period, local_time(now_us, timezone))
    return f"{of_store} {cap.period}={begins.date()}".strip()


def purses(budget: Budget, store: str, now_us: int, timezone: str) -> tuple[str, ...]:
    """Every purse in which a coupon that is issued at the store now is counted, the offer's own first."""
    named = (purse(cap, store, now_us, timezone) for cap in budget.caps if cap.per != "shopper")
    return tuple(dict.fromkeys((WHOLE, *named)))


def period_begins(period: Period, local: datetime) -> datetime:
    """The first midnight of the calendar period that a wall-clock time lies in."""
    day = datetime.combine(local.date(), time())
    if period == "day":
        return day
    return day - timedelta(days=day.weekday()) if period == "week" else day.replace(day=1)


def period_ends(period: Period, local: datetime) -> datetime:
    """The first midnight after it."""
    begins = period_begins(period, local)
    if period == "month":
        return (begins + timedelta(days=32)).replace(day=1)
    return begins + timedelta(days=1 if period == "day" else 7)


def begins_us(period: Period | None, now_us: int, timezone: str) -> int:
    """When the period of now began; 0 for all time."""
    if period is None:
        return 0
    begins = period_begins(period, local_time(now_us, timezone))
    return microseconds(begins.replace(tzinfo=ZoneInfo(timezone)))


def bears(cap: Cap, given: Given, spend: Decimal, share: Decimal) -> bool:
    """Whether one more coupon that can cost `spend` keeps within the cap, of which `share` is free by now."""
    return (
        _within(given.issued + 1, cap.issued, share)
        and _within(given.held + 1, cap.redemptions, share)
        and (cap.spend is None or given.spend + spend <= cap.spend * share)
    )


def free_share(cap: Cap, now_us: int, timezone: str, opening_hours: str | None) -> Decimal:
    """The share of a paced cap that may be given away by now: it grows while the store is open, from
    `HEAD_START` at the beginning of the period to all of it at the end. 1 where it is not paced.
    """
    if not cap.pace or cap.period is None:
        return Decimal(1)
    local = local_time(now_us, timezone)
    begins, ends = period_begins(cap.period, local), period_ends(cap.period, local)
    gone = Decimal(str(round(open_share(opening_hours, begins, local, ends), 6)))
    return HEAD_START + (1 - HEAD_START) * gone


def _within(count: int, limit: int | None, share: Decimal) -> bool:
    # Rounded up, so that the smallest limit can be used before its period is over.
    return limit is None or count <= (limit * share).to_integral_value(ROUND_CEILING)


def check_budget(problems: Problems, budget: Budget) -> None:
    """Notes what is wrong with a published budget."""
    check_count(problems, "budget.redemptions", budget.redemptions)
    check_count(problems, "budget.issued", budget.issued)
    if budget.spend is not None:
        check_money(problems, "budget.spend", budget.spend)
    few = len(budget.caps) <= CAPS_MAX
    problems.check(few, "budget.caps", "too_many", f"must have at most {CAPS_MAX} entries")
    for number, cap in enumerate(budget.caps):
        field = f"budget.caps[{number}]"
        limited = any(limit is not None for limit in cap.limits)
        problems.check(limited, field, "empty", "must limit issued, redemptions or spend")
        check_count(problems, f"{field}.issued", cap.issued)
        check_count(problems, f"{field}.redemptions", cap.redemptions)
        if cap.spend is not None:
            check_money(problems, f"{field}.spend", cap.spend)
        paced = not cap.pace or (cap.period is not None and cap.per != "shopper")
        detail = "needs a period, and not per shopper: a pace is of what many share over a time"
        problems.check(paced, f"{field}.pace", "bad_use", detail)


def budget_body(budget: Budget) -> Any:
    """The budget as it is published; None where there is none."""
    return budget if budget != Budget() else None
