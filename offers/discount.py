"""What a discount is worth, exactly: decimal arithmetic, rounded half up to cents (two decimal places)."""

from decimal import ROUND_HALF_UP, Decimal

from offers.catalogue import Discount

CENT = Decimal("0.01")
ZERO = Decimal("0.00")


def saving(discount: Discount, price: Decimal) -> Decimal:
    """What the discount takes off the price: never negative, never more than the price."""
    if discount.kind == "percent":
        off = price * discount.value / 100
    elif discount.kind == "amount":
        off = discount.value
    else:
        off = price - discount.value
    return min(max(off, ZERO), price).quantize(CENT, ROUND_HALF_UP)


def to_pay(discount: Discount, price: Decimal) -> Decimal:
    """The price after the discount; it and the saving add up to the price in cents."""
    return price.quantize(CENT, ROUND_HALF_UP) - saving(discount, price)


def worth_percent(discount: Discount, price: Decimal | None) -> Decimal | None:
    """The saving in percent of the price; None where that takes a price that is not known (or is 0)."""
    if discount.kind == "percent":
        return discount.value
    if price is None or price == 0:
        return None
    return min(max(saving(discount, price) * 100 / price, ZERO), Decimal(100))


def highest_cost(discount: Discount, price: Decimal | None) -> Decimal:
    """The most that a coupon on something of this price can cost the retailer.

    Without a price it is the value of an amount, and 0 for the other kinds: what cannot be known is not held
    back from the budget.
    """
    if price is not None:
        return saving(discount, price)
    return discount.value.quantize(CENT, ROUND_HALF_UP) if discount.kind == "amount" else ZERO


def discount_text(discount: Discount, currency: str | None) -> str:
    """The discount for a message: `15%`, `5 EUR`, `2.50 EUR`; the bare sum where no currency is known."""
    if discount.kind == "percent":
        return f"{discount.value.normalize():f}%"
    amount = f"{discount.value.quantize(CENT, ROUND_HALF_UP):f}".removesuffix(".00")
    return f"{amount} {currency}" if currency else amount
