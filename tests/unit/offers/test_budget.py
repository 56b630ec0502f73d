"""What a budget means: purses, periods, pace, and how it is published."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.budget import Budget, Cap, Given, bears, free_share, period_begins, period_ends, purses
from offers.hours import microseconds
from offers.offer_body import offer_body, offer_from_body
from offers.problem import BodyRejected

ZONE = "Europe/Helsinki"
NOON = microseconds(datetime(2026, 11, 28, 10, tzinfo=UTC))  #: a Saturday, 12:00
ONE = Decimal(1)
NOT_BEFORE, NOT_AFTER = datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2100-01-01")
BODY: dict[str, Any] = {
    "external_id": "o-1",
    "name": "15 %",
    "discount": {"kind": "percent", "value": "15"},
    "valid": {"from": "2026-11-01T00:00:00Z", "until": "2026-12-31T00:00:00Z"},
    "message": {"en": {"title": "a", "body": "b"}},
}


def test_a_coupon_is_counted_in_the_purse_of_every_cap() -> None:
    budget = Budget(
        issued=9,
        caps=(
            Cap(per="store", spend=ONE),
            Cap(period="day", issued=1),
            Cap(per="store", period="week", issued=1),
            Cap(period="month", redemptions=1),
            Cap(per="shopper", redemptions=1),
        ),
    )
    assert purses(budget, "mall", NOON, ZONE) == (
        "",
        "store=mall",
        "day=2026-11-28",
        "store=mall week=2026-11-23",
        "month=2026-11-01",
    )


def test_two_caps_of_one_purse_share_it() -> None:
    budget = Budget(caps=(Cap(period="day", issued=1), Cap(period="day", spend=ONE)))
    assert purses(budget, "mall", NOON, ZONE) == ("", "day=2026-11-28")


@pytest.mark.parametrize(
    ("cap", "given", "spend", "wanted"),
    [
        (Cap(issued=3), Given(issued=2), ONE, True),
        (Cap(issued=3), Given(issued=3), ONE, False),
        (Cap(redemptions=3), Given(issued=9, held=2), ONE, True),
        (Cap(redemptions=3), Given(issued=9, held=3), ONE, False),
        (Cap(spend=Decimal(10)), Given(spend=Decimal(9)), ONE, True),
        (Cap(spend=Decimal(10)), Given(spend=Decimal("9.01")), ONE, False),
        (Cap(issued=3, spend=Decimal(10)), Given(issued=2, spend=Decimal(10)), ONE, False),
    ],
)
def test_a_cap_bears_one_more_up_to_its_limit(cap: Cap, given: Given, spend: Decimal, wanted: bool) -> None:
    assert bears(cap, given, spend, ONE) is wanted


def test_a_paced_cap_gives_its_share_and_at_least_one() -> None:
    cap = Cap(period="day", issued=10, pace=True)
    assert bears(cap, Given(issued=0), ONE, Decimal("0.05")) is True
    assert bears(cap, Given(issued=1), ONE, Decimal("0.05")) is False
    assert bears(cap, Given(issued=4), ONE, Decimal("0.5")) is True
    assert bears(cap, Given(issued=5), ONE, Decimal("0.5")) is False
    assert bears(cap, Given(issued=9), ONE, ONE) is True


def test_without_known_hours_a_day_is_paced_by_the_clock() -> None:
    assert free_share(Cap(period="day", issued=1, pace=True), NOON, ZONE, None) == Decimal("0.525")


def test_a_pace_goes_by_opening_hours() -> None:
    cap = Cap(period="day", issued=1, pace=True)
    assert free_share(cap, NOON, ZONE, "Mo-Sa 12:00-20:00") == Decimal("0.05")
    assert free_share(cap, NOON, ZONE, "Mo-Sa 08:00-12:00") == 1


@given(
    st.datetimes(NOT_BEFORE, NOT_AFTER),
    st.sampled_from(["day", "week", "month"]),
)
def test_periods_meet_without_gap_or_overlap(local: datetime, period: Any) -> None:
    begins, ends = period_begins(period, local), period_ends(period, local)
    assert begins <= local < ends
    assert period_begins(period, ends) == ends
    assert period_begins(period, begins) == begins


def test_a_budget_is_published_and_read_back_the_same() -> None:
    caps = [{"per": "store", "period": "day", "spend": "100", "pace": True}, {"per": "shopper", "issued": 2}]
    body = BODY | {"budget": {"issued": 1000, "caps": caps}}
    assert offer_body(offer_from_body(body))["budget"] == body["budget"]


@pytest.mark.parametrize(
    ("cap", "field"),
    [
        ({"period": "day"}, "budget.caps[0]"),
        ({"period": "day", "issued": -1}, "budget.caps[0].issued"),
        ({"issued": 1, "pace": True}, "budget.caps[0].pace"),
        ({"per": "shopper", "period": "day", "issued": 1, "pace": True}, "budget.caps[0].pace"),
        ({"spend": "0.00001"}, "budget.caps[0].spend"),
    ],
)
def test_a_cap_that_means_nothing_is_refused(cap: dict[str, Any], field: str) -> None:
    with pytest.raises(BodyRejected) as refused:
        offer_from_body(BODY | {"budget": {"caps": [cap]}})
    assert [problem.field for problem in refused.value.problems] == [field]
