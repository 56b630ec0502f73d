"""The gates of a candidate: rules that remove one offer from the choice, each with its reason code.

As in `offers.gates`, all of them are asked, in the order in which reasons are told.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from offers.catalogue import Offer, Product
from offers.category import path_from_text, within
from offers.discount import margin_percent, worth_percent
from offers.hours import DAY_US, SECOND_US, is_open, rfc3339
from offers.learn.kinds import helps_only
from offers.relevance import Interest
from offers.shopper import OfferHistory
from offers.situation import GateResult, Situation, Verdict, result


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """An offer that may become a candidate."""

    offer: Offer
    interest: Interest
    product: Product | None  #: what the message would name

    @property
    def price(self) -> Decimal | None:
        return self.product.price if self.product is not None else None


def not_live(at: Situation, prospect: Prospect) -> Verdict:
    del at
    return prospect.offer.status == "live", f"the offer is {prospect.offer.status}"


def schedule(at: Situation, prospect: Prospect) -> Verdict:
    offer = prospect.offer
    if not offer.valid_from_us <= at.now_us < offer.valid_until_us:
        return False, f"valid from {rfc3339(offer.valid_from_us)} until {rfc3339(offer.valid_until_us)}"
    if offer.schedule is None:
        return True, "valid now"
    detail = f"{at.store_local:%a %H:%M} at the store, offered {offer.schedule}"
    return is_open(offer.schedule, at.store_local, country=at.country), detail


def muted_category(at: Situation, prospect: Prospect) -> Verdict:
    muted = [path_from_text(text) for text in at.shopper.preferences.muted_categories]
    if not muted:
        return True, "no category muted"
    if prospect.product is not None:
        about = [prospect.product.category]
    elif prospect.offer.categories is not None:
        about = [*prospect.offer.categories]
    else:
        about = [path_from_text(text) for text in (at.store.categories if at.store is not None else ())]
    hit = next((" > ".join(path) for path in about for other in muted if within(path, other)), None)
    return hit is None, f"{hit} muted" if hit else "category not muted"


def no_stock(at: Situation, prospect: Prospect) -> Verdict:
    product = prospect.product
    stock = product.stock_here(at.moment.store) if product is not None else None
    if product is None or stock is None:
        return True, "stock not known"
    return stock > 0, f"{stock} of {product.sku} left"


def minimum_worth(at: Situation, prospect: Prospect) -> Verdict:
    wanted = at.shopper.preferences.minimum_percent
    worth = worth_percent(prospect.offer.discount, prospect.price)
    if worth is None:
        return not wanted, "worth not known without a price" + (f", {wanted:g} % wanted" if wanted else "")
    detail = f"worth {worth:.1f} %" + (f", {wanted:g} % wanted" if wanted else "")
    reminds = prospect.offer.discount.value == 0 and prospect.offer.discount.kind == "percent"
    return (worth > 0 or reminds) and worth >= Decimal(str(wanted or 0)), detail


def segment(at: Situation, prospect: Prospect) -> Verdict:
    """Whom the offer is for: each list that it gives must fit, of a list one entry is enough."""
    wanted, traits = prospect.offer.conditions.segments, at.shopper.traits
    for name, allowed, has in (
        ("tier", wanted.tiers, traits.tier),
        ("lifecycle", wanted.lifecycles, traits.lifecycle),
    ):
        if allowed and has not in allowed:
            return False, f"{name} {has or 'not known'}, for {', '.join(allowed)}"
    liked = [path_from_text(text) for text in at.shopper.preferences.liked_categories]
    for_likes = [path_from_text(text) for text in wanted.likes]
    fits = any(within(one, other) or within(other, one) for one in liked for other in for_likes)
    return fits or not for_likes, "she has declared a liking for it" if fits else "for everybody here"


def margin(at: Situation, prospect: Prospect) -> Verdict:
    """What is left of the price paid must reach the floor; what cannot be known does not."""
    del at
    floor, product = prospect.offer.conditions.margin_floor_percent, prospect.product
    if floor is None:
        return True, "no floor"
    if product is None or product.price is None or product.cost is None:
        return False, f"price or cost not known, floor {floor:g} %"
    left = margin_percent(prospect.offer.discount, product.price, product.cost)
    return left >= floor, f"{left:.1f} % left, floor {floor:g} %"


def exclusive(at: Situation, prospect: Prospect) -> Verdict:
    """While one offer of a group is good for her, no other of it is made."""
    group, name = prospect.offer.conditions.exclusive_group, prospect.offer.external_id
    if group is None:
        return True, "in no group"
    since_us = at.now_us - at.catalogue.settings.coupon_ttl_s * SECOND_US
    good = {contact.offer for contact in at.shopper.contacts if contact.at_us > since_us} - {name}
    for other in sorted(good & at.catalogue.offers.keys()):
        if at.catalogue.offers[other].conditions.exclusive_group == group:
            return False, f"{other} of the group {group} is good for her"
    return True, f"nothing else of the group {group} is good for her"


def offer_cap(at: Situation, prospect: Prospect) -> Verdict:
    limits, name = prospect.offer.limits, prospect.offer.external_id
    day = at.shopper.offered_since(at.now_us - DAY_US, offer=name)
    total = at.shopper.history.get(name, OfferHistory()).offered
    of_day, of_all = _told(limits.per_shopper_per_day), _told(limits.per_shopper)
    detail = f"{day} of {of_day} in the last 24 h, {total} of {of_all} in all"
    return _below(day, limits.per_shopper_per_day) and _below(total, limits.per_shopper), detail


def already_redeemed(at: Situation, prospect: Prospect) -> Verdict:
    """One redemption within the offer's validity is enough, unless the offer's own limit allows more."""
    past = at.shopper.history.get(prospect.offer.external_id, OfferHistory())
    if past.redeemed_us is None or past.redeemed_us < prospect.offer.valid_from_us:
        return True, "not redeemed yet"
    allowed = prospect.offer.limits.per_shopper or 1
    return past.redeemed < allowed, f"redeemed {past.redeemed} of {allowed} times"


def already_offered(at: Situation, prospect: Prospect) -> Verdict:
    """The same offer is not made twice in one visit, whatever she does there."""
    name = prospect.offer.external_id
    again = any(c.offer == name and at.in_visit(c) for c in at.shopper.contacts)
    return not again, "offered in this visit already" if again else "not offered in this visit yet"


def no_interest(at: Situation, prospect: Prospect) -> Verdict:
    interest = prospect.interest
    if not at.shopper.permits("personalisation", at.now_us):
        return False, "not granted: personalisation"
    repeated = ", one product viewed twice within a day" if interest.repeated else ""
    return interest.interested, f"level {interest.level:.2f} of 0.50{repeated}"


def moment_kind(at: Situation, prospect: Prospect) -> Verdict:
    """Who wants to know or to do something is helped, not sold to: a reminder may tell, a discount not."""
    if not helps_only(at.moment.trigger):
        return True, "she may want to buy"
    reminds = worth_percent(prospect.offer.discount, prospect.price) == 0
    return reminds, f"{at.moment.trigger}: she wants to know or to do, not to buy"


CANDIDATE_GATES: tuple[tuple[str, Callable[[Situation, Prospect], Verdict]], ...] = (
    ("not_live", not_live),
    ("schedule", schedule),
    ("segment", segment),
    ("no_interest", no_interest),
    ("muted", muted_category),
    ("no_stock", no_stock),
    ("minimum_worth", minimum_worth),
    ("margin", margin),
    ("exclusive", exclusive),
    ("moment_kind", moment_kind),
    ("offer_cap", offer_cap),
    ("already_redeemed", already_redeemed),
    ("already_offered", already_offered),
)


def candidate_results(at: Situation, prospect: Prospect) -> tuple[GateResult, ...]:
    """What every gate of `CANDIDATE_GATES` says of the prospect, in order."""
    return tuple([result(code, gate(at, prospect)) for code, gate in CANDIDATE_GATES])


def _below(count: int, limit: int | None) -> bool:
    return limit is None or count < limit


def _told(limit: int | None) -> str:
    return "any number" if limit is None else str(limit)
