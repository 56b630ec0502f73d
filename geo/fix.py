"""One position a phone measured, and whether it is fit to be judged."""

import math

import msgspec

SECOND_US = 1_000_000

#: A fix older than this on arrival updates history and never causes a push.
STALE_AFTER_US = 120 * SECOND_US
#: A fix may be this far ahead of the server's clock (phones' clocks are a little off).
FUTURE_US = 60 * SECOND_US
#: A fix older than this is refused …
MAX_AGE_US = 24 * 3600 * SECOND_US
#: … unless it comes from a client that keeps what it could not send for days.
MAX_BACKLOG_US = 7 * 24 * 3600 * SECOND_US


class Fix(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One measured position. None means that the phone did not say."""

    lat_deg: float
    lon_deg: float
    fixed_at_us: int  #: when it was measured: microseconds since the epoch, UTC
    accuracy_m: float | None = None  #: radius that holds the true position with 68 %
    speed_mps: float | None = None  #: speed over ground, measured by the phone
    course_deg: float | None = None  #: direction of travel, clockwise from true north
    altitude_m: float | None = None
    mock: bool = False  #: the phone says that a mock-location app made it up
    id: str | None = None  #: the phone's own name for it, for de-duplication


def refuse_fix(fix: Fix, *, now_us: int, max_age_us: int = MAX_AGE_US) -> str | None:
    """The reason code for which a fix is refused, or None.

    Judges each fix by itself, in this order: `bad_latitude`, `bad_longitude`, `bad_accuracy`, `bad_speed`,
    `bad_course`, `bad_altitude`, `bad_time`, `in_future` (more than 60 s ahead), `too_old` (`max_age_us`).
    An accuracy, speed or course that a phone cannot know is None by then: edges turn their clients' markers
    (zero, -1) into None, so that what is left here is nonsense.
    """
    if not (math.isfinite(fix.lat_deg) and -90 <= fix.lat_deg <= 90):
        return "bad_latitude"
    if not (math.isfinite(fix.lon_deg) and -180 <= fix.lon_deg <= 180):
        return "bad_longitude"
    return _bad_measurement(fix) or _bad_time(fix.fixed_at_us, now_us, max_age_us)


def _bad_measurement(fix: Fix) -> str | None:
    if fix.accuracy_m is not None and not 0 < fix.accuracy_m < math.inf:
        return "bad_accuracy"
    if fix.speed_mps is not None and not 0 <= fix.speed_mps < math.inf:
        return "bad_speed"
    if fix.course_deg is not None and not 0 <= fix.course_deg <= 360:
        return "bad_course"
    if fix.altitude_m is not None and not math.isfinite(fix.altitude_m):
        return "bad_altitude"
    return None


def _bad_time(fixed_at_us: int, now_us: int, max_age_us: int) -> str | None:
    if fixed_at_us < 0:
        return "bad_time"
    if fixed_at_us > now_us + FUTURE_US:
        return "in_future"
    if fixed_at_us < now_us - max_age_us:
        return "too_old"
    return None
