"""What a discount is worth, exactly: decimal arithmetic, rounded half up to cents (two decimal places)."""

from decimal import ROUND_HALF_UP, Decimal

from offers.catalogue import Discount

CENT = Decimal("0.01")
ZERO = Decimal("0.00")


def saving(discount: Discount, price: Decimal) -> Decimal:
    """What the discount takes off the price, once: never negative, never more than what it is on.

    Of `buy_get` it is what is taken off the pieces got, for the pieces bought beside them; of a `gift` what
    that is worth.
    """
    on = price
    if discount.kind == "percent":
        off = price * discount.value / 100
    elif discount.kind == "amount":
        off = discount.value
    elif discount.kind == "price":
        off = price - discount.value
    elif discount.kind == "buy_get":
        on = price * (discount.get or 0)
        off = on * discount.value / 100
    else:
        on = off = discount.value
    return min(max(off, ZERO), on).quantize(CENT, ROUND_HALF_UP)


def to_pay(discount: Discount, price: Decimal) -> Decimal:
    """The price after the discount; it and the saving add up to the price in cents.

    Of `buy_get` for all pieces, bought and got.
    """
    pieces = (discount.buy or 0) + (discount.get or 0) if discount.kind == "buy_get" else 1
    off = ZERO if discount.kind == "gift" else saving(discount, price)
    return (price * pieces).quantize(CENT, ROUND_HALF_UP) - off


def worth_percent(discount: Discount, price: Decimal | None) -> Decimal | None:
    """The saving in percent of the price; None where that takes a price that is not known (or is 0)."""
    if discount.kind == "percent":
        return discount.value
    if discount.kind == "buy_get":
        got, bought = discount.get or 0, discount.buy or 0
        return discount.value * got / (got + bought)
    if price is None or price == 0:
        return None
    return min(max(saving(discount, price) * 100 / price, ZERO), Decimal(100))


def highest_cost(discount: Discount, price: Decimal | None) -> Decimal:
    """The most that a coupon on something of this price can cost the retailer.

    Without a price it is the value of an amount or a gift, and 0 for the other kinds: what cannot be known is
    not held back from the budget.
    """
    if price is not None:
        return saving(discount, price)
    known = discount.kind in ("amount", "gift")
    return discount.value.quantize(CENT, ROUND_HALF_UP) if known else ZERO


def margin_percent(discount: Discount, price: Decimal, cost: Decimal) -> Decimal:
    """What is left of the price paid, after the goods' cost, in percent of it; -100 where nothing is paid.

    Of `buy_get` over all pieces, bought and got. A gift costs what it is worth.
    """
    pieces = (discount.buy or 0) + (discount.get or 0) if discount.kind == "buy_get" else 1
    paid = to_pay(discount, price)
    if paid <= 0:
        return Decimal(-100)
    given = discount.value if discount.kind == "gift" else ZERO
    return (paid - cost * pieces - given) * 100 / paid


def discount_text(discount: Discount, currency: str | None) -> str:
    """The discount for a message: `15%`, `5 EUR`, `2.50 EUR`, `3 for 2`; the bare sum without a currency."""
    if discount.kind == "percent":
        return _percent(discount.value)
    if discount.kind == "buy_get":
        bought, got = discount.buy or 0, discount.get or 0
        free = discount.value == 100
        return f"{bought + got} for {bought}" if free else f"{bought} + {got} −{_percent(discount.value)}"
    amount = f"{discount.value.quantize(CENT, ROUND_HALF_UP):f}".removesuffix(".00")
    return f"{amount} {currency}" if currency else amount


def _percent(value: Decimal) -> str:
    return f"{value.normalize():f}%"
