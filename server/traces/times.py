"""Times of trace files: text to exact microseconds. Never through a float.

RFC 3339 with an offset, or Unix seconds in decimal. Digits below the microsecond are cut off, as Python's own
reader of ISO 8601 does. The leap second 23:59:60 UTC is the midnight that follows, as in POSIX.
"""

import re
from datetime import UTC, datetime

from server.clock import to_us
from server.traces.record import FieldRefused, shown

_SECOND_US = 1_000_000
_MINUTE_US = 60 * _SECOND_US
#: The last moment that RFC 3339 can write: 9999-12-31T23:59:59.999999Z.
LAST_US = to_us(datetime.max.replace(tzinfo=UTC))

_RFC3339 = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[Tt ](?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?"
    r"(?P<zone>[Zz]|(?P<sign>[+-])(?P<hours>[01]\d|2[0-3]):?(?P<minutes>[0-5]\d))?",
    re.ASCII,
)
_UNIX = re.compile(r"(?P<sign>-)?(?P<seconds>\d{1,18})(?:\.(?P<fraction>\d*))?", re.ASCII)
_REMEDY = "write RFC 3339 with an offset (2026-01-05T18:00:01.25Z) or Unix seconds (1767636001.25)"


def time_us(text: str, *, utc_if_bare: bool = False) -> int:
    """Microseconds since the epoch of an RFC 3339 time or of Unix seconds.

    `utc_if_bare` takes a time without an offset as UTC, for the formats that define it so (GPX, PLT).
    Raises `FieldRefused` for everything else: dates alone, 24:00, milliseconds, before 1970, beyond 9999.
    """
    unix = _UNIX.fullmatch(text)
    at_us = _unix_us(unix) if unix else _rfc3339_us(text, utc_if_bare=utc_if_bare)
    if at_us > LAST_US:
        raise FieldRefused(f"{shown(text)} lies beyond the year 9999; milliseconds? Divide by 1000")
    if at_us < 0:
        raise FieldRefused(f"{shown(text)} lies before 1970; {_REMEDY}")
    return at_us


def _unix_us(match: re.Match[str]) -> int:
    microseconds = int(match["seconds"]) * _SECOND_US + _fraction_us(match["fraction"])
    return -microseconds if match["sign"] else microseconds


def _rfc3339_us(text: str, *, utc_if_bare: bool) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise FieldRefused(f"{shown(text)} is not a time; {_REMEDY}")
    if match["zone"] is None and not utc_if_bare:
        raise FieldRefused(f"{shown(text)} names no offset; add Z if it is UTC, else one such as +02:00")
    clock, leap = match["clock"], match["clock"].endswith(":60")
    if leap:
        clock = f"{clock[:-2]}59"
    try:
        local = datetime.fromisoformat(f"{match['day']}T{clock}Z")
    except ValueError:
        raise FieldRefused(f"{shown(text)} is not on the calendar or the clock; {_REMEDY}") from None
    seconds_us = to_us(local) - _offset_us(match) + (_SECOND_US if leap else 0)
    if leap and seconds_us % (24 * 60 * _MINUTE_US):
        raise FieldRefused(f"{shown(text)} is no leap second; those end a day of UTC, 23:59:60Z")
    return seconds_us + _fraction_us(match["fraction"])


def _offset_us(match: re.Match[str]) -> int:
    if match["sign"] is None:
        return 0
    offset_us = (int(match["hours"]) * 60 + int(match["minutes"])) * _MINUTE_US
    return -offset_us if match["sign"] == "-" else offset_us


def _fraction_us(digits: str | None) -> int:
    return int(digits[:6].ljust(6, "0")) if digits else 0
