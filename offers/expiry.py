"""When what a decision gives ends: its coupon, and its push."""

from offers.decision import Candidate
from offers.hours import MINUTE_US, SECOND_US, closes_in_us, quiet_from_us
from offers.situation import GateResult, Situation


def lateness(at: Situation, *, late: bool) -> GateResult:
    waited_s = (at.now_us - at.moment.received_at_us) / SECOND_US
    detail = f"decided {waited_s:.1f} s after it came, limit {at.catalogue.settings.late_s:g} s"
    return GateResult(code="late", passed=not late, detail=detail)


def expires_at_us(chosen: Candidate, at: Situation) -> int:
    """When the coupon ends: after its time to live, to a full minute, not past the offer or closing time."""
    ends_us = at.now_us + at.catalogue.settings.coupon_ttl_s * SECOND_US
    limits = [-(-ends_us // MINUTE_US) * MINUTE_US, at.catalogue.offers[chosen.offer].valid_until_us]
    hours = at.store.opening_hours if at.store is not None else None
    if (open_us := closes_in_us(hours, at.store_local)) is not None:
        limits.append(at.now_us + open_us)
    return min(limits)


def push_expires_at_us(expires_at_us: int, at: Situation) -> int:
    """When the push ends: with its time to live or the coupon, and before anybody's quiet hours begin."""
    settings = at.catalogue.settings
    until_us = min(at.now_us + settings.push_ttl_s * SECOND_US, expires_at_us)
    windows = (settings.quiet_hours, at.shopper.preferences.quiet_hours)
    quiet_us = quiet_from_us(windows, at.now_us, until_us, at.shopper_zone)
    return until_us if quiet_us is None else quiet_us
