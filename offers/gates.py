"""The gates of a moment: rules that silence it, each with its reason code.

A gate is a small function that says whether it lets pass, and why in words. They stand in a table, in the
order in which reasons are told. Every gate is asked and every answer is kept, so that a receipt shows the
whole list. The gates of a single offer are in `offers.candidate_gates`; holdout, caps of retailer and store,
and budgets come after the choice and are in `offers.decide`.
"""

from collections.abc import Callable

from offers.consent import Purpose
from offers.hours import DAY_US, SECOND_US, is_open, local_time, midnight_us, rfc3339
from offers.moment import PLACE_TRIGGERS, STALE_AFTER_US
from offers.situation import GateResult, Situation, Verdict, result, rounded_m

#: Must be granted before anything is offered. Without `push` an offer is in the inbox alone.
NEEDED: tuple[Purpose, ...] = ("nearby_offers",)


def stopped(at: Situation) -> Verdict:
    speaking = at.catalogue.settings.speaking
    return speaking, "offers are made" if speaking else "the retailer has stopped all offers"


def implausible(at: Situation) -> Verdict:
    if at.moment.mock:
        return False, "the phone says that the position is made up"
    score, limit = at.moment.plausibility.score, at.catalogue.settings.plausible_at
    against = "; ".join(sign.detail for sign in at.moment.plausibility.signs) or "nothing speaks against it"
    return score >= limit, f"plausible to {score:.2f}, limit {limit:.2f}: {against}"


def stale(at: Situation) -> Verdict:
    age_us = at.moment.received_at_us - at.moment.at_us
    return age_us <= STALE_AFTER_US, f"{max(0, age_us) // SECOND_US} s old on arrival, limit 120 s"


def left(at: Situation) -> Verdict:
    return not at.moment.left, "has left again" if at.moment.left else "still there, as far as is known"


def sensitive_place(at: Situation) -> Verdict:
    return not at.moment.sensitive, "in a sensitive place" if at.moment.sensitive else "in no sensitive place"


def low_accuracy(at: Situation) -> Verdict:
    accuracy_m, limit_m = at.moment.accuracy_m, at.catalogue.settings.low_accuracy_m
    if accuracy_m is None:
        return True, "accuracy not known"
    return accuracy_m <= limit_m, f"accurate to {accuracy_m:.0f} m, limit {limit_m:.0f} m"


def no_consent(at: Situation) -> Verdict:
    missing = [purpose for purpose in NEEDED if not at.shopper.permits(purpose, at.now_us)]
    return not missing, f"not granted: {', '.join(missing)}" if missing else f"granted: {', '.join(NEEDED)}"


def paused(at: Situation) -> Verdict:
    until_us = at.shopper.preferences.paused_until_us
    if until_us is None or until_us <= at.now_us:
        return True, "not paused"
    return False, f"paused until {rfc3339(until_us)}"


def muted_store(at: Situation) -> Verdict:
    muted = at.moment.store in at.shopper.preferences.muted_stores
    return not muted, "store muted" if muted else "store not muted"


def too_far(at: Situation) -> Verdict:
    limit_m, distance_m = at.shopper.preferences.maximum_distance_m, at.moment.distance_m
    if limit_m is None:
        return True, "no limit asked for"
    if distance_m is None:
        return False, f"distance not known, limit {limit_m:.0f} m"
    return distance_m <= limit_m, f"at {rounded_m(distance_m)} m, limit {limit_m:.0f} m"


def drive_by(at: Situation) -> Verdict:
    speed_mps, limit_mps = at.moment.speed_mps, at.catalogue.settings.drive_by_mps
    if speed_mps is None:
        return True, "speed not known"
    return speed_mps <= limit_mps, f"moving at {speed_mps:.1f} m/s, limit {limit_mps:.1f} m/s"


def closed(at: Situation) -> Verdict:
    hours = at.store.opening_hours if at.store is not None else None
    day = f"{at.store_local.date()}"
    if at.store is not None and day in at.store.closed_on:
        return False, f"the store is closed on {day}"
    if hours is None:
        return True, "opening hours not known"
    detail = f"{at.store_local:%a %H:%M} at the store, open {hours}"
    return is_open(hours, at.store_local, country=at.country), detail


def quiet_hours(at: Situation) -> Verdict:
    zone = at.shopper_zone
    local = local_time(at.now_us, zone)
    whose = zip(("the retailer's", "her own"), at.quiet_hours, strict=True)
    quiet = [f"{name} {window}" for name, window in whose if window is not None and window.holds(local)]
    return not quiet, f"{local:%H:%M} in {zone}" + (f", within {' and '.join(quiet)}" if quiet else "")


def shopper_cap(at: Situation) -> Verdict:
    wishes, settings = at.shopper.preferences, at.catalogue.settings
    # The last 24 hours, or her day so far where that is longer: a day of 25 hours has no room for one more.
    day, week = (
        at.shopper.offered_since(
            min(
                at.now_us - days * DAY_US,
                midnight_us(at.now_us, at.shopper_zone, days_ago=days - 1) - 1,
            )
        )
        if at.shopper.contacts
        else 0
        for days in (1, 7)
    )
    per_day = _tighter(settings.shopper_per_day, wishes.max_per_day)
    per_week = _tighter(settings.shopper_per_week, wishes.max_per_week)
    detail = f"{day} of {per_day} in the last 24 h, {week} of {per_week} in the last 7 days"
    return day < per_day and week < per_week, detail


def already_spoken(at: Situation) -> Verdict:
    """An enter or a dwell is a further chance after a silence, not a second offer in one visit."""
    spoken = any(at.in_visit(contact) for contact in at.shopper.contacts)
    if at.moment.trigger not in PLACE_TRIGGERS or not spoken:
        return True, "an offer in this visit" if spoken else "no offer in this visit yet"
    return False, "an offer in this visit already"


def overlapped(at: Situation) -> Verdict:
    """Where fences overlap one store speaks: see `offers.overlap`."""
    other = at.moment.overlapped_by
    return other is None, "no other store here has spoken" if other is None else f"{other} has spoken here"


def no_candidate(at: Situation) -> Verdict:
    if at.moment.sensitive:
        return True, "not looked for in a sensitive place"
    if at.store is None:
        return False, "the store is not in the catalogue"
    offers = len(at.catalogue.offers_at(at.moment.store))
    return offers > 0, f"{offers} offer{'' if offers == 1 else 's'} at this store"


MOMENT_GATES: tuple[tuple[str, Callable[[Situation], Verdict]], ...] = (
    ("stopped", stopped),
    ("implausible", implausible),
    ("stale", stale),
    ("left", left),
    ("sensitive_place", sensitive_place),
    ("low_accuracy", low_accuracy),
    ("no_consent", no_consent),
    ("paused", paused),
    ("muted", muted_store),
    ("too_far", too_far),
    ("drive_by", drive_by),
    ("closed", closed),
    ("quiet_hours", quiet_hours),
    ("shopper_cap", shopper_cap),
    ("already_offered", already_spoken),
    ("overlapped", overlapped),
    ("no_candidate", no_candidate),
)


def moment_results(at: Situation) -> tuple[GateResult, ...]:
    """What every gate of `MOMENT_GATES` says, in order."""
    return tuple([result(code, gate(at)) for code, gate in MOMENT_GATES])


def _tighter(allowed: int, wished: int | None) -> int:
    return allowed if wished is None else min(allowed, wished)
