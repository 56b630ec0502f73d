from decimal import Decimal
from typing import Any

import msgspec
import pytest

from offers.catalogue import Discount, Offer
from offers.decide import in_holdout
from offers.event import Event
from offers.hours import MINUTE_US, SECOND_US, QuietHours
from offers.preferences import Preferences
from offers.receipt import receipt
from offers.remember import remembered
from tests.unit.offers.scene import (
    MOMENT,
    NOON_US,
    OFFER,
    SALT,
    STORE,
    TRAINERS,
    Granting,
    catalogue,
    changed,
    decided,
    shopper,
    stranger,
    view,
)


def offers(*percents: int, **changes: Any) -> tuple[Offer, ...]:
    """Offers on the trainers, named by what they take off."""
    return tuple(
        changed(
            OFFER, external_id=f"off-{p:03}", discount=Discount(kind="percent", value=Decimal(p)), **changes
        )
        for p in percents
    )


def test_the_offer_of_the_highest_score_is_made() -> None:
    assert decided(published=catalogue(*offers(10, 30, 20))).offer == "off-030"


def test_an_expected_response_weighs_in() -> None:
    (weak,), (strong,) = offers(30), offers(10, prior_response=0.2)
    assert decided(published=catalogue(weak, strong)).offer == "off-010"


def test_equal_scores_go_by_id() -> None:
    twins = [changed(OFFER, external_id=name) for name in ("b", "a", "c")]
    assert decided(published=catalogue(*twins)).offer == "a"


def test_the_score_is_what_the_docstring_says() -> None:
    decision = decided(who=shopper(view(hours_ago=6)))
    assert decision.chosen is not None
    assert decision.chosen.score == pytest.approx(0.5 / 1.5 * 0.05 * 0.15)


def test_the_coupon_holds_back_the_most_it_can_cost() -> None:
    assert decided().spend == Decimal("13.49")


def test_without_a_product_the_dearest_in_scope_is_held_back() -> None:
    on_shoes = changed(OFFER, skus=None, categories=(("Shoes",),))
    looked = shopper(Event(kind="view", at_us=NOON_US, category=("Shoes",)))
    decision = decided(who=looked, published=catalogue(on_shoes))
    assert (decision.sku, decision.spend) == (None, Decimal("13.49"))


def test_budgets_are_asked_best_first_until_one_is_granted() -> None:
    answers = Granting("off-030")
    decision = decided(published=catalogue(*offers(10, 30, 20)), answers=answers)
    assert answers.asked == [("budget", "off-030"), ("budget", "off-020")]
    assert decision.offer == "off-020"
    assert [(answer.subject, answer.granted) for answer in decision.answers] == [
        ("off-030", False),
        ("off-020", True),
    ]


def test_quotas_are_asked_only_where_there_is_a_cap_and_before_budgets() -> None:
    answers = Granting()
    decided(published=catalogue(store_per_day=9, retailer_per_day=9), answers=answers)
    assert answers.asked == [("quota", "retailer"), ("quota", "store:mall"), ("budget", "trainers-15")]


def test_nothing_is_asked_when_a_gate_has_failed_or_she_is_in_the_holdout() -> None:
    answers = Granting()
    decided(who=stranger(), answers=answers)
    decided(changed(MOMENT, mock=True), answers=answers)
    decided(published=catalogue(holdout=1.0, store_per_day=9), answers=answers)
    assert answers.asked == []


def test_a_holdout_leaves_the_offer_that_would_have_been_made() -> None:
    decision = decided(published=catalogue(holdout=1.0))
    assert (decision.reasons, decision.chosen) == (("holdout",), None)
    assert decision.ghost is not None
    assert receipt(decision)["ghost"] == {"offer": "trainers-15", "sku": "trainers", "spend": "13.49"}


def test_a_holdout_says_nothing_where_there_was_no_offer_to_make() -> None:
    decision = decided(who=stranger(), published=catalogue(holdout=1.0))
    assert (decision.reasons, decision.ghost) == (("no_interest",), None)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_a_holdout_has_its_share_of_the_shoppers(share: float) -> None:
    count = sum(in_holdout(SALT, f"shp_{number}", share) for number in range(20_000))
    assert abs(count / 20_000 - share) < 4 * (share * (1 - share) / 20_000) ** 0.5


def test_a_larger_holdout_keeps_everybody_of_the_smaller_and_another_salt_draws_anew() -> None:
    names = [f"shp_{number}" for number in range(2_000)]
    small, large = ({name for name in names if in_holdout(SALT, name, share)} for share in (0.1, 0.2))
    assert small < large
    assert small != {name for name in names if in_holdout(b"another", name, 0.1)}
    assert not any(in_holdout(SALT, name, 0.0) for name in names)
    assert all(in_holdout(SALT, name, 1.0) for name in names)


def test_a_decision_that_took_too_long_goes_to_the_inbox_only() -> None:
    on_time, late = decided(now_us=NOON_US + 3 * SECOND_US), decided(now_us=NOON_US + 3 * SECOND_US + 1)
    assert (on_time.delivery, on_time.reasons) == ("push", ())
    assert (late.outcome, late.delivery, late.reasons) == ("offer", "inbox_only", ("late",))


def test_a_coupon_ends_on_a_full_minute_after_its_time_to_live() -> None:
    assert decided().expires_at_us == NOON_US + 30 * MINUTE_US
    assert decided(now_us=NOON_US + SECOND_US).expires_at_us == NOON_US + 31 * MINUTE_US


def test_a_coupon_ends_with_its_offer_or_with_closing_time() -> None:
    until_us = NOON_US + 10 * MINUTE_US
    assert decided(published=catalogue(changed(OFFER, valid_until_us=until_us))).expires_at_us == until_us
    closing = catalogue(stores=(changed(STORE, opening_hours="Mo-Sa 10:00-12:20"),))
    assert decided(published=closing).expires_at_us == NOON_US + 20 * MINUTE_US


def test_a_push_is_worth_delivering_for_less_long_than_its_coupon() -> None:
    assert decided().push_expires_at_us == NOON_US + 15 * MINUTE_US
    brief = catalogue(changed(OFFER, valid_until_us=NOON_US + MINUTE_US))
    assert decided(published=brief).push_expires_at_us == NOON_US + MINUTE_US


def test_a_push_ends_when_the_retailers_or_her_own_quiet_hours_begin() -> None:
    retailers = catalogue(quiet_hours=QuietHours(from_="12:05", until="13:00"))
    assert decided(published=retailers).push_expires_at_us == NOON_US + 5 * MINUTE_US
    own = Preferences(quiet_hours=QuietHours(from_="11:08", until="12:00"), timezone="Europe/Berlin")
    reserved = msgspec.structs.replace(shopper(), preferences=own)
    assert decided(who=reserved).push_expires_at_us == NOON_US + 8 * MINUTE_US


def test_an_offer_is_a_contact_and_silence_is_not() -> None:
    after = remembered(shopper(), decided())
    assert [(c.offer, c.sku, c.at_us) for c in after.contacts] == [("trainers-15", "trainers", NOON_US)]
    assert remembered(shopper(), decided(who=stranger())) == shopper()


def test_reasons_are_told_once_in_the_order_of_the_gates() -> None:
    sold_out, others = changed(TRAINERS, stock=0), offers(10, 20, skus=("hat",))
    decision = decided(
        changed(MOMENT, speed_mps=9.0), published=catalogue(OFFER, *others, products=(sold_out,))
    )
    assert decision.reasons == ("drive_by", "no_interest", "no_stock")


def test_intent_is_the_strongest_interest_from_0_to_100() -> None:
    assert decided(who=stranger()).intent == 0
    assert decided(who=shopper(view(hours_ago=6))).intent == 33
    assert (
        decided(
            who=shopper(*(Event(kind="cart", at_us=NOON_US - n, sku="trainers") for n in range(50)))
        ).intent
        > 99
    )
