"""What a coupon takes off a basket."""

from decimal import Decimal
from typing import Any

import pytest

from offers.catalogue import Discount, Offer
from offers.conditions import Conditions
from offers.redemption import Basket, Coupon, Line, Refused, Taken, check_basket, not_beside, taken
from tests.unit.offers.scene import OFFER, TRAINERS, catalogue, changed

BOOTS = changed(TRAINERS, sku="boots", name="Boots", category=("Shoes", "Boots"), price=Decimal(60))
PUBLISHED = catalogue(products=(TRAINERS, BOOTS))


def lines(*pieces: tuple[str, str, int]) -> Basket:
    return Basket(lines=tuple(Line(sku=sku, price=Decimal(price), quantity=n) for sku, price, n in pieces))


def coupon(reserved: str = "100", discount: Discount | None = None, **offer: Any) -> Coupon:
    given = discount or OFFER.discount
    return Coupon(discount=given, reserved=Decimal(reserved), offer=changed(OFFER, discount=given, **offer))


def judged(of: Coupon, basket: Basket | None = None, amount: str | None = None) -> Taken | str:
    found = taken(of, basket, None if amount is None else Decimal(amount), PUBLISHED)
    return found.code if isinstance(found, Refused) else found


def test_without_a_basket_it_costs_what_was_reserved() -> None:
    assert judged(coupon("13.49")) == Taken(saving=Decimal("13.49"))


def test_it_is_for_the_dearest_piece_that_its_offer_is_on() -> None:
    basket = lines(("boots", "200", 1), ("trainers", "80", 1), ("trainers", "89.90", 2))
    assert judged(coupon(), basket) == Taken(saving=Decimal("13.49"), sku="trainers")


def test_it_takes_off_no_more_than_was_reserved() -> None:
    found = judged(coupon("13.49"), lines(("trainers", "500", 1)))
    assert isinstance(found, Taken)
    assert found.saving == Decimal("13.49")


def test_a_basket_without_what_it_is_for_is_refused() -> None:
    assert judged(coupon(), lines(("boots", "60", 1))) == "not_in_basket"


def test_a_category_covers_what_lies_in_it() -> None:
    of_shoes = coupon(skus=None, categories=(("Shoes",),))
    assert judged(of_shoes, lines(("boots", "60", 1))) == Taken(saving=Decimal("9.00"), sku="boots")
    assert judged(of_shoes, lines(("hat", "60", 1))) == "not_in_basket"


@pytest.mark.parametrize(
    ("basket", "told"),
    [
        (None, "basket_needed"),
        (lines(("trainers", "49.99", 1)), "below_minimum"),
        (Basket(total=Decimal("49.99")), "below_minimum"),
        (Basket(total=Decimal(50)), Taken(saving=Decimal(100))),
    ],
)
def test_a_minimum_is_of_the_whole_basket(basket: Basket | None, told: object) -> None:
    assert judged(coupon(conditions=Conditions(minimum_basket=Decimal(50))), basket) == told


class TestBuyGet:
    DEAL = Discount(kind="buy_get", value=Decimal(100), buy=2, get=1)

    def test_the_cheapest_of_the_dearest_three_is_free(self) -> None:
        basket = lines(
            ("trainers", "90", 1), ("trainers", "80", 1), ("trainers", "70", 1), ("trainers", "10", 1)
        )
        assert judged(coupon(discount=self.DEAL), basket) == Taken(saving=Decimal("70.00"), sku="trainers")

    def test_too_few_pieces_are_refused(self) -> None:
        assert judged(coupon(discount=self.DEAL), lines(("trainers", "90", 2))) == "too_few_pieces"


class TestGift:
    GIFT = Discount(kind="gift", value=Decimal(5), gift="mug")

    def test_it_is_taken_off_when_it_is_in_the_basket(self) -> None:
        basket = lines(("trainers", "90", 1), ("mug", "4", 1))
        assert judged(coupon(discount=self.GIFT), basket) == Taken(saving=Decimal(4), sku="mug")

    def test_without_it_there_is_nothing_to_take_off(self) -> None:
        assert judged(coupon(discount=self.GIFT), lines(("trainers", "90", 1))) == "gift_missing"


class TestParts:
    TWENTY = Discount(kind="amount", value=Decimal(20))

    def test_a_part_leaves_the_rest(self) -> None:
        assert judged(coupon("20", self.TWENTY), amount="12.50") == Taken(
            saving=Decimal("12.50"), left=Decimal("7.50")
        )

    @pytest.mark.parametrize("amount", ["0", "-1", "20.01"])
    def test_no_more_than_is_left_and_no_less_than_something(self, amount: str) -> None:
        assert judged(coupon("20", self.TWENTY), amount=amount) == "too_much"

    def test_other_kinds_have_no_parts(self) -> None:
        assert judged(coupon(), amount="1") == "not_in_parts"


@pytest.mark.parametrize(
    "basket",
    [
        lines(("a", "NaN", 1)),
        lines(("a", "-1", 1)),
        lines(("a", "1", 0)),
        lines(("a", "1", 1001)),
        Basket(total=Decimal("Infinity")),
        lines(*[("a", "1", 1)] * 501),
    ],
)
def test_a_basket_that_cannot_be_is_told(basket: Basket) -> None:
    assert check_basket(basket) is not None


# Several coupons in one sale

_STACKS, _ALONE = (
    changed(OFFER, external_id="stacks"),
    changed(OFFER, external_id="alone", conditions=Conditions(stacks=False)),
)
_SHOES, _MORE_SHOES, _BAGS = (
    changed(OFFER, external_id=name, conditions=Conditions(exclusive_group=group))
    for name, group in (("shoes", "s"), ("more-shoes", "s"), ("bags", "b"))
)


@pytest.mark.parametrize(
    ("offer", "others", "refused"),
    [
        (_STACKS, [], False),
        (_ALONE, [], False),
        (_STACKS, [_STACKS], False),
        (_STACKS, [None], False),
        (None, [_STACKS], False),
        (_STACKS, [_ALONE], True),
        (_ALONE, [_STACKS], True),
        (_ALONE, [None], True),
        (None, [_ALONE], True),
        (_SHOES, [_BAGS], False),
        (_SHOES, [_STACKS], False),
        (_SHOES, [_MORE_SHOES], True),
        (_SHOES, [_SHOES], True),
        (_SHOES, [_BAGS, _MORE_SHOES], True),
    ],
)
def test_which_coupons_are_used_in_one_sale(
    offer: Offer | None, others: list[Offer | None], refused: bool
) -> None:
    found = not_beside(offer, others)
    assert (found is not None and found.code == "not_combinable") == refused
