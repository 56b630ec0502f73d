"""What the placeholders of an offer's message stand for, as plain text."""

from offers.catalogue import Catalogue
from offers.decision import Decision
from offers.discount import discount_text
from offers.hours import local_time
from offers.shopper import Shopper
from offers.situation import Situation, rounded_m


def message_values(decision: Decision, shopper: Shopper, catalogue: Catalogue) -> dict[str, str]:
    """`product`, `discount`, `distance_m` (to 10 m), `store` and `until` (HH:MM by her clock) of an offer.

    The product is the one she looked at; without one, what the offer is on: its category, or its name.
    Raises ValueError for silence, which has no message.
    """
    chosen, expires_at_us = decision.chosen, decision.expires_at_us
    if chosen is None or expires_at_us is None:
        raise ValueError(f"{decision.decision_id} is silence")
    moment, offer = decision.moment, catalogue.offers[chosen.offer]
    product = catalogue.products.get(chosen.sku) if chosen.sku is not None else None
    category = offer.categories[0][-1] if offer.categories else offer.name
    at = Situation.of(moment, shopper, catalogue, decision.decided_at_us)
    return {
        "product": product.name if product is not None else category,
        "discount": discount_text(offer.discount, product.currency if product is not None else None),
        "distance_m": str(rounded_m(moment.distance_m or 0.0)),
        "store": catalogue.stores[moment.store].name,
        "until": f"{local_time(expires_at_us, at.shopper_zone):%H:%M}",
    }


def message_locale(shopper: Shopper, catalogue: Catalogue) -> tuple[str, str]:
    """The language she reads, as far as is known, and the retailer's, to fall back on."""
    fallback = catalogue.settings.locale
    return shopper.locale or fallback, fallback
