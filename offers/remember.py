"""What a shopper's state becomes by what she did and by what was decided, as far as learning reads of it.

Each function gives the shopper after it, and what became known of her open trials (`offers.learn.hers`).
"""

from collections.abc import Callable

import msgspec

from offers.category import text_from_path
from offers.decision import Decision
from offers.event import Event
from offers.learn import hers as of_hers
from offers.learn.hers import Hers, Known, counted, with_trial
from offers.shopper import Contact, Shopper, with_offer

Told = tuple[Shopper, list[Known]]


def remembered(shopper: Shopper, decision: Decision) -> Shopper:
    """The shopper after the decision: an offer is a contact, silence is not; either may teach something."""
    if decision.trial is not None and shopper.permits("personalisation", decision.decided_at_us):
        shopper = _with(shopper, with_trial(shopper.hers, decision.trial))
    if decision.chosen is None:
        return shopper
    contact = Contact(
        decision_id=decision.decision_id,
        at_us=decision.decided_at_us,
        store=decision.moment.store,
        offer=decision.chosen.offer,
        sku=decision.chosen.sku,
        entered_at_us=decision.moment.entered_at_us,
        cause_us=decision.moment.at_us,
        ahead=decision.moment.trigger == "approach",
    )
    return with_offer(shopper, contact)


def after_report(shopper: Shopper, decision_id: str, outcome: str) -> Told:
    """After the phone reported what became of a push."""
    if outcome == "delivered":
        return shopper, []
    return _told(shopper, of_hers.opened, decision_id, outcome == "opened")


def after_redemption(shopper: Shopper, decision_id: str) -> Told:
    """After she used a coupon at a till."""
    return _told(shopper, of_hers.redeemed, decision_id)


def after_event(shopper: Shopper, event: Event, now_us: int) -> Told:
    """After a browse event: a purchase says what she would have bought anyway."""
    if event.kind != "purchase" or not shopper.permits("personalisation", now_us):
        return shopper, []
    category = text_from_path(event.category) if event.category else None
    keys = frozenset(key for key in (event.sku, category) if key is not None)
    if shopper.permits("insight", now_us):
        bought = shopper.hers.bought
        for key in sorted(keys):
            bought = counted(bought, key)
        shopper = _with(shopper, msgspec.structs.replace(shopper.hers, bought=bought))
    return _told(shopper, of_hers.purchased, event.store, keys, event.at_us)


def after_visit(shopper: Shopper, store: str, now_us: int, by: int = 1) -> Shopper:
    """After she entered a store, or (-1) it turned out that she had not."""
    if not shopper.permits("insight", now_us):
        return shopper
    visits = counted(shopper.hers.visits, store, by)
    return _with(shopper, msgspec.structs.replace(shopper.hers, visits=visits))


def after_stop(shopper: Shopper) -> Told:
    """After she turned pushes off."""
    return _told(shopper, of_hers.stopped)


def after_time(shopper: Shopper, now_us: int) -> Told:
    """After some time: what has not happened until the end of a trial has not happened."""
    return _told(shopper, of_hers.ended, now_us)


def _told(shopper: Shopper, change: Callable[..., tuple[Hers, list[Known]]], *about: object) -> Told:
    if not shopper.hers.trials:
        return shopper, []
    changed, known = change(shopper.hers, *about)
    return _with(shopper, changed) if changed is not shopper.hers else shopper, known


def _with(shopper: Shopper, hers: Hers) -> Shopper:
    return msgspec.structs.replace(shopper, hers=hers)
