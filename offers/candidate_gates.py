"""The gates of a candidate: rules that remove one offer from the choice, each with its reason code.

As in `offers.gates`, all of them are asked, in the order in which reasons are told.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from offers.catalogue import Offer, Product
from offers.category import path_from_text, within
from offers.discount import worth_percent
from offers.hours import DAY_US, is_open, rfc3339
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


def schedule(at: Situation, prospect: Prospect) -> Verdict:
    offer = prospect.offer
    if not offer.valid_from_us <= at.now_us < offer.valid_until_us:
        return False, f"valid from {rfc3339(offer.valid_from_us)} until {rfc3339(offer.valid_until_us)}"
    if offer.schedule is None:
        return True, "valid now"
    detail = f"{at.store_local:%a %H:%M} at the store, offered {offer.schedule}"
    return is_open(offer.schedule, at.store_local), detail


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
    del at
    product = prospect.product
    if product is None or product.stock is None:
        return True, "stock not known"
    return product.stock > 0, f"{product.stock} of {product.sku} left"


def minimum_worth(at: Situation, prospect: Prospect) -> Verdict:
    wanted = at.shopper.preferences.minimum_percent
    worth = worth_percent(prospect.offer.discount, prospect.price)
    if worth is None:
        return not wanted, "worth not known without a price" + (f", {wanted:g} % wanted" if wanted else "")
    detail = f"worth {worth:.1f} %" + (f", {wanted:g} % wanted" if wanted else "")
    reminds = prospect.offer.discount.value == 0 and prospect.offer.discount.kind == "percent"
    return (worth > 0 or reminds) and worth >= Decimal(str(wanted or 0)), detail


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
    ("schedule", schedule),
    ("no_interest", no_interest),
    ("muted", muted_category),
    ("no_stock", no_stock),
    ("minimum_worth", minimum_worth),
    ("moment_kind", moment_kind),
    ("offer_cap", offer_cap),
    ("already_redeemed", already_redeemed),
    ("already_offered", already_offered),
)


def candidate_results(at: Situation, prospect: Prospect) -> tuple[GateResult, ...]:
    """What every gate of `CANDIDATE_GATES` says of the prospect, in order."""
    return tuple(result(code, gate(at, prospect)) for code, gate in CANDIDATE_GATES)


def _below(count: int, limit: int | None) -> bool:
    return limit is None or count < limit


def _told(limit: int | None) -> str:
    return "any number" if limit is None else str(limit)
