"""A shopper's own contract: how often, when, what, which stores, from what worth, how near.

Preferences tighten what the retailer allows and never widen it: every one of them can only make a gate fail.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from offers.checks import check_categories, check_count, check_ids, check_quiet_hours, check_timezone, plain
from offers.hours import QuietHours, microseconds, rfc3339
from offers.problem import Problems, shaped

#: As many categories or stores as can be muted.
MUTED_MAX = 200


class Preferences(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What a shopper asked for. `Preferences()` asks for nothing."""

    max_per_day: int | None = None  #: offers in any 24 hours
    max_per_week: int | None = None  #: offers in any 7 days
    quiet_hours: QuietHours | None = None  #: beside the retailer's
    timezone: str | None = None  #: IANA name of the clock by which quiet hours are judged; None: the store's
    muted_categories: tuple[str, ...] = ()  #: each as `a > b`; what lies below is muted too
    muted_stores: tuple[str, ...] = ()
    liked_categories: tuple[str, ...] = ()  #: what she has declared to like; offers may be for those who do
    minimum_percent: float | None = None  #: the least worth, as a percentage of the price
    maximum_distance_m: float | None = None  #: the farthest store
    paused_until_us: int | None = None


class PreferencesBody(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Preferences as an app sends them."""

    max_per_day: int | None = None
    max_per_week: int | None = None
    quiet_hours: QuietHours | None = None
    timezone: str | None = None
    muted_categories: tuple[str, ...] | None = None
    muted_stores: tuple[str, ...] | None = None
    liked_categories: tuple[str, ...] | None = None
    minimum_percent: float | None = None
    maximum_distance_m: float | None = None
    paused_until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


def preferences_from_body(body: Any) -> Preferences:
    """All of a shopper's preferences from their JSON body. Raises BodyRejected with every problem."""
    wire = shaped(body, PreferencesBody)
    problems = Problems()
    check_count(problems, "max_per_day", wire.max_per_day)
    check_count(problems, "max_per_week", wire.max_per_week)
    check_quiet_hours(problems, wire.quiet_hours)
    if wire.timezone is not None:
        check_timezone(problems, "timezone", wire.timezone)
    categories, stores = wire.muted_categories or (), wire.muted_stores or ()
    check_categories(problems, "muted_categories", categories)
    check_ids(problems, "muted_stores", stores)
    liked = wire.liked_categories or ()
    check_categories(problems, "liked_categories", liked)
    for field, muted in (
        ("muted_categories", categories),
        ("muted_stores", stores),
        ("liked_categories", liked),
    ):
        problems.check(len(muted) <= MUTED_MAX, field, "too_many", f"must have at most {MUTED_MAX} entries")
    percent, distance_m = wire.minimum_percent, wire.maximum_distance_m
    in_range = percent is None or 0 <= percent <= 100
    problems.check(in_range, "minimum_percent", "out_of_range", "must be from 0 to 100")
    in_range = distance_m is None or 0 <= distance_m <= 1_000_000
    problems.check(in_range, "maximum_distance_m", "out_of_range", "must be from 0 to 1,000,000 m")
    problems.raise_if_any()
    return Preferences(
        max_per_day=wire.max_per_day,
        max_per_week=wire.max_per_week,
        quiet_hours=wire.quiet_hours,
        timezone=wire.timezone,
        muted_categories=tuple(dict.fromkeys(categories)),
        muted_stores=tuple(dict.fromkeys(stores)),
        liked_categories=tuple(dict.fromkeys(liked)),
        minimum_percent=percent,
        maximum_distance_m=distance_m,
        paused_until_us=microseconds(wire.paused_until) if wire.paused_until is not None else None,
    )


def preferences_body(preferences: Preferences) -> dict[str, Any]:
    """The normalised JSON body of preferences: what was asked for, and nothing else."""
    body = plain(preferences)
    if (paused_until_us := body.pop("paused_until_us", None)) is not None:
        body["paused_until"] = rfc3339(paused_until_us)
    return body
