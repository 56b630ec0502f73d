"""Wall clocks: time zones, opening hours in OpenStreetMap's syntax, and quiet hours.

Opening hours (https://wiki.openstreetmap.org/wiki/Key:opening_hours/specification) are judged by the wall
clock of the place, so every function here takes a naive local time; `local_time` makes one. Public holidays
(`PH`) are those of a country that is named.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from opening_hours import (  # type: ignore[attr-defined] # the stub lacks the error
    OpeningHours,
    State,
    UnknownCountryError,
    validate,
)

#: The longest opening-hours expression that is taken (OpenStreetMap itself allows 255).
HOURS_MAX = 500

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


class QuietHours(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A daily window without pushes, by the wall clock; across midnight when `from_` is the later.

    Equal ends mean no window. The first minute is quiet, the minute `until` no longer is.
    """

    from_: str = msgspec.field(name="from")  #: "HH:MM"
    until: str  #: "HH:MM"

    def holds(self, local: datetime) -> bool:
        """Whether the naive local time lies in the window."""
        start, end, now = time.fromisoformat(self.from_), time.fromisoformat(self.until), local.time()
        if start <= end:
            return start <= now < end
        return now >= start or now < end

    def __str__(self) -> str:
        return f"{self.from_}–{self.until}"


def quiet_hours_from_text(text: str) -> QuietHours | None:
    """The quiet hours that `21:00-08:00` or `none` names. Raises ValueError for anything else."""
    if text == "none":
        return None
    start, dash, end = text.partition("-")
    if not (dash and is_clock(start) and is_clock(end)):
        raise ValueError(f"{text!r} is neither HH:MM-HH:MM nor none")
    return QuietHours(from_=start, until=end)


def is_clock(text: str) -> bool:
    """Whether `text` is a time of day as HH:MM, 00:00 to 23:59."""
    return _CLOCK.fullmatch(text) is not None


def is_timezone(name: str) -> bool:
    """Whether the IANA time zone database knows `name`."""
    return name in _timezones()


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def aware(at_us: int) -> datetime:
    """Microseconds since the epoch as an aware datetime in UTC, exactly."""
    return _EPOCH + timedelta(microseconds=at_us)


def microseconds(at: datetime) -> int:
    """An aware datetime as microseconds since the epoch, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def rfc3339(at_us: int) -> str:
    """The time as RFC 3339 in UTC with `Z`; microseconds only where there are any."""
    return (_NAIVE_EPOCH + timedelta(microseconds=at_us)).isoformat() + "Z"


def local_time(at_us: int, timezone: str) -> datetime:
    """The naive wall-clock time in `timezone` (a name that `is_timezone` knows)."""
    return aware(at_us).astimezone(ZoneInfo(timezone)).replace(tzinfo=None)


def midnight_us(at_us: int, timezone: str, *, days_ago: int = 0) -> int:
    """When the local day of `at_us` began, or one so many days before it. A day may have 23 or 25 hours."""
    day = local_time(at_us, timezone).date() - timedelta(days=days_ago)
    return microseconds(datetime.combine(day, time(), ZoneInfo(timezone)))


def quiet_from_us(
    windows: Iterable[QuietHours | None], now_us: int, until_us: int, timezone: str
) -> int | None:
    """The first full minute between the two at which one of the windows holds; None where none does.

    Minute by minute, since a wall clock that is set back may enter a window that it has just left.
    """
    asked = tuple(window for window in windows if window is not None and window.from_ != window.until)
    first_us = -(-now_us // MINUTE_US) * MINUTE_US
    return _quiet_from_us(asked, first_us, -(-(until_us - first_us) // MINUTE_US), timezone)


@lru_cache(maxsize=4096)
def _quiet_from_us(windows: tuple[QuietHours, ...], first_us: int, minutes: int, timezone: str) -> int | None:
    for minute_us in range(first_us, first_us + minutes * MINUTE_US, MINUTE_US) if windows else ():
        local = local_time(minute_us, timezone)
        if any(window.holds(local) for window in windows):
            return minute_us
    return None


def is_opening_hours(text: str) -> bool:
    """Whether `text` is an opening-hours expression that can be judged."""
    return 0 < len(text) <= HOURS_MAX and _parsed(text) is not None


def is_open(text: str | None, local: datetime, *, country: str | None = None) -> bool:
    """Whether a place with these opening hours is open at the naive local time.

    `PH` in them are the public holidays of the country; without one there are none. Absent hours, and hours
    that say `unknown` for that time, count as open: silence needs a known reason.
    """
    hours = _parsed(text, country) if text is not None else None
    return hours is None or not hours.is_closed(local)


def is_country(code: str) -> bool:
    """Whether the country (ISO 3166, two upper-case letters) is one whose public holidays are known."""
    try:
        OpeningHours("PH off", country=code)
    except UnknownCountryError:
        return False
    return True


def closes_in_us(text: str | None, local: datetime, *, country: str | None = None) -> int | None:
    """Microseconds of wall clock until the state of a place that is open changes; None when unknown or never.

    Across a change of daylight saving time it may be off by that hour.
    """
    hours = _parsed(text, country) if text is not None else None
    if hours is None or not hours.is_open(local):
        return None
    change = hours.next_change(local)
    return None if change is None else (change - local) // timedelta(microseconds=1)


def open_share(text: str | None, begins: datetime, local: datetime, ends: datetime) -> float:
    """The share of the opening time between two naive local times that is over at a third, 0 to 1.

    Of the time itself where hours are not known, or where it is closed all the while.
    """
    whole = _open_s(text, begins, ends)
    if whole > 0:
        return _open_s(text, begins, local) / whole
    return (local - begins) / (ends - begins)


@lru_cache(maxsize=1024)
def _intervals(text: str, begins: datetime, ends: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """When it is open between the two."""
    hours = _parsed(text)
    if hours is None:
        return ()
    spans = hours.intervals(begins, ends)
    return tuple((start, min(end, ends)) for start, end, state, _ in spans if state == State.OPEN)


def _open_s(text: str | None, begins: datetime, until: datetime) -> float:
    if text is None or until <= begins:
        return 0.0
    day = datetime.combine(until.date(), time()) + timedelta(days=1)  # so that a day's answer is found again
    spans = _intervals(text, begins, day)
    return sum((min(end, until) - start).total_seconds() for start, end in spans if start < until)


@lru_cache(maxsize=4096)
def _parsed(text: str, country: str | None = None) -> OpeningHours | None:
    """The parsed expression, or None where it does not parse."""
    return OpeningHours(text, country=country) if validate(text) else None
