"""What a coupon takes off a basket at the till, or why it takes nothing. Pure.

A coupon is good for one piece (one set of `buy_get`): the dearest in the basket that its offer is on. It
takes off no more than was reserved for it. Without a basket what was reserved is what it costs.
"""

from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from offers.catalogue import Catalogue, Discount, Offer
from offers.category import within
from offers.discount import CENT, ZERO, saving

LINES_MAX = 500
QUANTITY_MAX = 1000


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Pieces of one product in a basket."""

    sku: str
    price: Decimal  #: of one piece
    quantity: int = 1


class Basket(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """What is bought. `total` is the sum of the lines where it is not given."""

    lines: tuple[Line, ...] = ()
    total: Decimal | None = None

    @property
    def worth(self) -> Decimal:
        return (
            sum((line.price * line.quantity for line in self.lines), ZERO)
            if self.total is None
            else self.total
        )


class Coupon(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a coupon."""

    discount: Discount
    reserved: Decimal  #: what is still held for it
    offer: Offer | None  #: as it is published now; None: no longer


class Taken(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What it takes off."""

    saving: Decimal
    left: Decimal = ZERO  #: what it is still good for afterwards; 0: it is used up
    sku: str | None = None  #: of the piece that it was for


class Refused(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why it takes nothing."""

    code: str
    detail: str


def taken(
    coupon: Coupon, basket: Basket | None, amount: Decimal | None, catalogue: Catalogue
) -> Taken | Refused:
    """Judges a redemption: in full, or of `amount` as a part of it."""
    refused = _below_minimum(coupon.offer, basket)
    if refused is not None:
        return refused
    if amount is not None:
        return _part(coupon, amount)
    if basket is None or not basket.lines:
        return Taken(saving=coupon.reserved)
    pieces = sorted(_pieces(coupon.offer, basket, catalogue), key=lambda piece: -piece.price)
    if not pieces:
        return Refused(code="not_in_basket", detail="nothing in the basket is what this coupon is for")
    found = _on_pieces(coupon.discount, pieces, basket)
    if isinstance(found, Refused) or coupon.reserved == 0:  # nothing was held: the price was not known
        return found
    return msgspec.structs.replace(found, saving=min(found.saving, coupon.reserved))


def not_beside(offer: Offer | None, others: Iterable[Offer | None]) -> Refused | None:
    """Why a coupon of an offer is not used in one sale with those of others (None: an offer that is gone)."""
    for other in others:
        for one in (offer, other):
            if one is not None and not one.conditions.stacks:
                return Refused(code="not_combinable", detail=f"{one.external_id} is not used beside others")
        if offer is not None and other is not None:
            group = offer.conditions.exclusive_group
            if group is not None and group == other.conditions.exclusive_group:
                return Refused(code="not_combinable", detail=f"one coupon of the group {group} a sale")
    return None


def _below_minimum(offer: Offer | None, basket: Basket | None) -> Refused | None:
    minimum = offer.conditions.minimum_basket if offer is not None else None
    if minimum is None:
        return None
    if basket is None:
        return Refused(code="basket_needed", detail=f"good from {minimum} on: send the basket")
    if basket.worth < minimum:
        return Refused(code="below_minimum", detail=f"good from {minimum} on; the basket is {basket.worth}")
    return None


def _part(coupon: Coupon, amount: Decimal) -> Taken | Refused:
    if coupon.discount.kind != "amount":
        return Refused(code="not_in_parts", detail="only a coupon over an amount can be used in parts")
    if not 0 < amount <= coupon.reserved:
        return Refused(code="too_much", detail=f"{coupon.reserved} is left on it")
    return Taken(saving=amount, left=coupon.reserved - amount)


def _pieces(offer: Offer | None, basket: Basket, catalogue: Catalogue) -> Iterator[Line]:
    """The single pieces that the offer is on."""
    for line in basket.lines:
        if offer is None or _covers(offer, line.sku, catalogue):
            yield from [msgspec.structs.replace(line, quantity=1)] * line.quantity


def _covers(offer: Offer, sku: str, catalogue: Catalogue) -> bool:
    if offer.skus is None and offer.categories is None:
        return True
    product = catalogue.products.get(sku)
    of_category = product is not None and any(within(product.category, one) for one in offer.categories or ())
    return sku in (offer.skus or ()) or of_category


def _on_pieces(discount: Discount, pieces: list[Line], basket: Basket) -> Taken | Refused:
    if discount.kind == "buy_get":
        bought, got = discount.buy or 0, discount.get or 0
        if len(pieces) < bought + got:
            detail = f"it takes {bought + got} pieces, {len(pieces)} are in the basket"
            return Refused(code="too_few_pieces", detail=detail)
        off = sum((piece.price for piece in pieces[bought : bought + got]), ZERO) * discount.value / 100
        return Taken(saving=off.quantize(CENT, ROUND_HALF_UP), sku=pieces[bought].sku)
    if discount.kind == "gift":
        gift = next((line for line in basket.lines if line.sku == discount.gift), None)
        if gift is None:
            return Refused(code="gift_missing", detail=f"put the gift, {discount.gift}, into the basket")
        return Taken(saving=min(gift.price, discount.value), sku=gift.sku)
    if discount.kind == "amount":
        return Taken(saving=min(discount.value, sum((piece.price for piece in pieces), ZERO)))
    return Taken(saving=saving(discount, pieces[0].price), sku=pieces[0].sku)


def check_basket(basket: Basket) -> str | None:
    """What is wrong with a basket as it was sent, or None."""
    if len(basket.lines) > LINES_MAX:
        return f"a basket has at most {LINES_MAX} lines"
    sums = [line.price for line in basket.lines] + ([] if basket.total is None else [basket.total])
    if not all(value.is_finite() and 0 <= value <= 1_000_000_000 for value in sums):
        return "prices are from 0 to 1,000,000,000"
    if not all(1 <= line.quantity <= QUANTITY_MAX for line in basket.lines):
        return f"quantities are from 1 to {QUANTITY_MAX}"
    return None
