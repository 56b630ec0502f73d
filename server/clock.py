"""Time at the server's edge. The core takes `now_us`; only this module reads a clock."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock(Protocol):
    """Where the server takes the time from; tests and the demo bring their own."""

    def now_us(self) -> int:
        """The present: microseconds since the epoch, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1000


def from_us(at_us: int) -> datetime:
    """The aware UTC datetime of `at_us`; exact. Raises OverflowError outside the years 1 to 9999."""
    return _EPOCH + at_us * _MICROSECOND


def to_us(at: datetime) -> int:
    """Microseconds since the epoch of an aware datetime; exact. Raises TypeError for a naive one."""
    return (at - _EPOCH) // _MICROSECOND
