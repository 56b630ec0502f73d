"""How fast one project's pushes may leave: a token bucket that fills faster as sending goes on. Pure.

FCM allows a project 600,000 messages a minute, and asks senders to go from nothing to full speed over a
minute at least, and to stay away for as long as it says when a quota is used up. After such a pause, and
after a minute without pushes, the ramp begins anew.
"""

from msgspec import Struct

#: FCM's quota of a project, in pushes a second.
FCM_RATE_PER_S = 10_000.0
_US = 1_000_000


class PaceRules(Struct, frozen=True, kw_only=True, gc=False):
    """How fast pushes may leave."""

    rate_per_s: float = FCM_RATE_PER_S
    #: From the floor to the full rate.
    ramp_s: float = 60.0
    #: The share of the rate at which a ramp begins.
    floor: float = 0.05


class Pace:
    """The bucket. It never holds more than a tenth of a second's pushes, so that there are no bursts."""

    def __init__(self, rules: PaceRules = PaceRules()) -> None:  # noqa: B008 - frozen
        self._rules = rules
        self._tokens = 0.0
        self._filled_us: int | None = None  #: when the bucket was filled last; None: the first look fills it
        self._ramp_us = 0  #: when the ramp began
        self._paused_until_us = 0
        self._used_us = 0  #: when the last push left

    def allows(self, now_us: int) -> int:
        """How many pushes may leave now."""
        if now_us < self._paused_until_us:
            return 0
        if now_us - self._used_us > self._rules.ramp_s * _US:
            self._ramp_us = now_us
        rate_per_s = self._rate_per_s(now_us)
        capacity = max(1.0, rate_per_s / 10)
        # A clock that was set back must not empty the bucket.
        since_us = capacity * _US if self._filled_us is None else max(0, now_us - self._filled_us)
        self._tokens = min(capacity, self._tokens + rate_per_s * since_us / _US)
        self._filled_us = now_us
        return int(self._tokens)

    def take(self, pushes: int, now_us: int) -> None:
        """So many leave."""
        if pushes:
            self._tokens -= pushes
            self._used_us = now_us

    def wait_s(self, now_us: int) -> float:
        """How long until one more may leave, where none may now."""
        if now_us < self._paused_until_us:
            return (self._paused_until_us - now_us) / _US
        return max(0.0, 1.0 - self._tokens) / self._rate_per_s(now_us)

    def pause(self, seconds: float, now_us: int) -> None:
        """The quota of all is used up: nothing leaves for so long, and then slowly at first."""
        self._paused_until_us = max(self._paused_until_us, now_us + round(seconds * _US))
        self._ramp_us = self._filled_us = self._paused_until_us
        self._tokens = 0.0

    def _rate_per_s(self, now_us: int) -> float:
        rules = self._rules
        gone = (now_us - self._ramp_us) / (rules.ramp_s * _US) if rules.ramp_s > 0 else 1.0
        return rules.rate_per_s * min(1.0, max(rules.floor, gone))
