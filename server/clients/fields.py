"""Fields as clients write them: numbers as text, -1 for 'unknown', times of all kinds."""

import math
import re
from typing import Any

from geo.fix import SECOND_US, Fix
from server.clients.heard import MOST_CHARACTERS, UNFIT, Unusable
from server.traces.record import FieldRefused
from server.traces.times import time_us as text_us

#: A number below this is seconds since 1970, else milliseconds: the rule of Traccar's server.
MILLISECONDS_FROM = 2**31 - 1
KNOT_MPS = 1852 / 3600
KMH_MPS = 1 / 3.6
PERCENT = 0.01
_LATEST_US = 2**62  #: far beyond any clock; an integer of the journal has 64 bits
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def number(value: Any) -> float | None:
    """A finite number, also as text; None for anything else. True and false are no numbers."""
    if type(value) is float:  # as most are
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        value = value.strip()
        if len(value) > 40 or not _NUMBER.fullmatch(value):
            return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def known(value: Any, scale: float = 1.0) -> float | None:
    """A number that is zero or more, scaled; None where it is not, as clients write 'unknown'."""
    found = number(value)
    return found * scale if found is not None and found >= 0 else None


def accuracy_m(value: Any) -> float | None:
    """An accuracy; zero or less is unknown, not perfect."""
    return known(value) or None


def course_deg(value: Any) -> float | None:
    """A course; what is no direction is unknown."""
    found = known(value)
    return found if found is not None and found <= 360 else None


def truth(value: Any) -> bool:
    """A flag, as JSON or as text."""
    return value is True or (isinstance(value, str) and value.lower() in ("true", "1"))


def at_us(value: Any, field: str) -> int:
    """A time in microseconds: Unix seconds or milliseconds, also as text, or ISO 8601.

    A time without an offset is taken as UTC. Raises Unusable where it is missing, zero, or no time.
    """
    found = number(value)
    if found is not None:
        time_us = round(found * (SECOND_US if abs(found) < MILLISECONDS_FROM else 1000))
    elif isinstance(value, str) and value:
        try:
            # In a query that was not encoded the plus of an offset has become a blank.
            time_us = text_us(value.replace(" ", "+") if "T" in value else value, utc_if_bare=True)
        except FieldRefused:
            raise Unusable("bad_time", f"{field} is no time") from None
    else:
        raise Unusable("bad_time", f"{field} is missing")
    if not 0 < time_us < _LATEST_US:
        raise Unusable("bad_time", f"{field} is zero or out of bounds")
    return time_us


def name(value: Any) -> str | None:
    """A device's or fence's name, text or a whole number; None where there is none.

    Raises Unusable for one that the database could not hold, or nobody write down.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        value = str(value)
    if not isinstance(value, str) or not value:
        return None
    if len(value) > MOST_CHARACTERS or UNFIT.search(value):
        raise Unusable("bad_device", f"a name has at most {MOST_CHARACTERS} characters, all printable")
    return value


def fix(lat: Any, lon: Any, fixed_at_us: int, **more: Any) -> Fix:
    """A fix of these fields. Raises Unusable without a position; bounds are admission's matter."""
    lat_deg, lon_deg = number(lat), number(lon)
    if lat_deg is None or lon_deg is None:
        raise Unusable("no_position", "latitude or longitude is missing or no number")
    return Fix(lat_deg=lat_deg, lon_deg=lon_deg, fixed_at_us=fixed_at_us, **more)


def members(value: Any) -> dict[str, Any]:
    """A JSON object, or an empty one in its place."""
    return value if isinstance(value, dict) else {}


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""
