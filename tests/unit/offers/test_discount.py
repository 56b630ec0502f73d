from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.catalogue import Discount
from offers.discount import discount_text, highest_cost, margin_percent, saving, to_pay, worth_percent

PRICES = st.decimals(0, 1_000_000, places=2)
DISCOUNTS = st.one_of(
    st.builds(Discount, kind=st.just("percent"), value=st.decimals("0.01", 100, places=2)),
    st.builds(Discount, kind=st.sampled_from(["amount", "price"]), value=st.decimals("0.01", 1000, places=2)),
)


def discount(kind: str, value: str) -> Discount:
    return Discount(kind=kind, value=Decimal(value))


@pytest.mark.parametrize(
    ("kind", "value", "price", "saved"),
    [
        ("percent", "15", "89.90", "13.49"),  # 13.485 rounds up
        ("percent", "50", "0.01", "0.01"),
        ("percent", "12.5", "10", "1.25"),
        ("amount", "5", "3.50", "3.50"),  # never below nothing
        ("amount", "5", "20", "5.00"),
        ("price", "15", "20", "5.00"),
        ("price", "25", "20", "0.00"),  # never dearer
    ],
)
def test_what_is_saved(kind: str, value: str, price: str, saved: str) -> None:
    assert saving(discount(kind, value), Decimal(price)) == Decimal(saved)


@given(DISCOUNTS, PRICES)
def test_saving_and_rest_are_the_price_and_neither_is_negative(given_off: Discount, price: Decimal) -> None:
    saved, rest = saving(given_off, price), to_pay(given_off, price)
    assert saved + rest == price
    assert min(saved, rest) >= 0


@given(DISCOUNTS, PRICES)
def test_a_coupon_never_costs_more_than_was_held_back(given_off: Discount, price: Decimal) -> None:
    assert saving(given_off, price) <= highest_cost(given_off, price)


def test_without_a_price_only_an_amount_is_held_back() -> None:
    costs = [highest_cost(discount(kind, "5"), None) for kind in ("percent", "amount", "price")]
    assert costs == [0, 5, 0]


def test_worth_in_percent_of_the_price() -> None:
    assert worth_percent(discount("amount", "5"), Decimal(20)) == 25
    assert worth_percent(discount("price", "15"), Decimal(20)) == 25
    assert worth_percent(discount("percent", "15"), None) == 15
    assert worth_percent(discount("amount", "5"), None) is None


def test_a_discount_in_words() -> None:
    assert discount_text(discount("percent", "15.0"), "EUR") == "15%"
    assert discount_text(discount("percent", "100"), None) == "100%"
    assert discount_text(discount("amount", "5"), "EUR") == "5 EUR"
    assert discount_text(discount("amount", "2.5"), "EUR") == "2.50 EUR"
    assert discount_text(discount("price", "19.9"), None) == "19.90"


class TestBuyGet:
    def deal(self, buy: int, get: int, percent: str = "100") -> Discount:
        return Discount(kind="buy_get", value=Decimal(percent), buy=buy, get=get)

    def test_three_for_two_saves_one_of_three(self) -> None:
        assert saving(self.deal(2, 1), Decimal(10)) == 10
        assert to_pay(self.deal(2, 1), Decimal(10)) == 20
        assert discount_text(self.deal(2, 1), "EUR") == "3 for 2"

    def test_the_second_at_half_price(self) -> None:
        assert saving(self.deal(1, 1, "50"), Decimal(10)) == 5
        assert worth_percent(self.deal(1, 1, "50"), None) == 25
        assert discount_text(self.deal(1, 1, "50"), "EUR") == "1 + 1 −50%"

    def test_what_a_coupon_can_cost_is_what_is_taken_off(self) -> None:
        assert highest_cost(self.deal(2, 2), Decimal(10)) == 20
        assert highest_cost(self.deal(2, 2), None) == 0

    def test_its_margin_is_that_of_all_pieces(self) -> None:
        assert margin_percent(self.deal(2, 1), Decimal(10), Decimal(5)) == 25  # 20 paid, 15 of cost


class TestGift:
    GIFT = Discount(kind="gift", value=Decimal(4), gift="mug")

    def test_it_saves_what_it_is_worth_whatever_the_price(self) -> None:
        assert saving(self.GIFT, Decimal(3)) == 4
        assert to_pay(self.GIFT, Decimal(3)) == 3
        assert worth_percent(self.GIFT, Decimal(20)) == 20
        assert highest_cost(self.GIFT, None) == 4
        assert discount_text(self.GIFT, "EUR") == "4 EUR"

    def test_it_is_a_cost(self) -> None:
        assert margin_percent(self.GIFT, Decimal(20), Decimal(10)) == 30
        assert margin_percent(discount("price", "0"), Decimal(20), Decimal(10)) == -100
