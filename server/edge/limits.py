"""Rates: how much a device, a key, an address may send, counted in token buckets.

A bucket is one number: when it will be full again (the generic cell rate algorithm of ITU-T I.371, annex A).
"""

from typing import Self

import msgspec

BUCKETS_MOST = 200_000  #: of one kind; then the ones that are full again go, and after those the oldest


class Rate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """So many a second in the long run, and so many at once."""

    per_s: float
    burst: int

    @classmethod
    def of(cls, text: str) -> Self | None:
        """`0.2,10`: one in 5 s, 10 at once; `off`: None. Raises ValueError."""
        if text == "off":
            return None
        per_s, _, burst = text.partition(",")
        rate = cls(per_s=float(per_s), burst=int(burst))
        if not (0 < rate.per_s < 1e6 and 1 <= rate.burst <= 1_000_000):
            raise ValueError(f"{text!r} is not a rate")
        return rate


class Buckets:
    """A token bucket for each name."""

    def __init__(self, rate: Rate) -> None:
        self._step_s = 1.0 / rate.per_s
        self._depth_s = (rate.burst - 1) / rate.per_s
        self._full_at_s: dict[str, float] = {}

    def take(self, name: str, now_s: float) -> float:
        """Takes a token: 0, or nothing taken and the seconds until there is one."""
        start_s = max(self._full_at_s.get(name, now_s), now_s)
        wait_s = start_s - now_s - self._depth_s
        if wait_s > 0:
            return wait_s
        if len(self._full_at_s) >= BUCKETS_MOST and name not in self._full_at_s:
            self._forget(now_s)
        self._full_at_s[name] = start_s + self._step_s
        return 0.0

    def wait_s(self, name: str, now_s: float) -> float:
        """Seconds until there is a token; 0 where there is one. Takes nothing."""
        return max(0.0, self._full_at_s.get(name, now_s) - now_s - self._depth_s)

    def _forget(self, now_s: float) -> None:
        self._full_at_s = {name: at_s for name, at_s in self._full_at_s.items() if at_s > now_s}
        for name in list(self._full_at_s)[: max(0, len(self._full_at_s) - BUCKETS_MOST // 2)]:
            del self._full_at_s[name]
