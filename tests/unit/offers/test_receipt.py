import json
from decimal import Decimal
from typing import Any

import pytest

from offers.catalogue import Discount, Offer
from offers.decision import AnswerMissing, RecordedAnswers
from offers.event import Event
from offers.message import message_locale, message_values
from offers.preferences import Preferences
from offers.receipt import CANDIDATES_MAX, receipt, redecide, same_decision
from offers.shopper import Shopper, with_preferences
from tests.unit.offers.scene import (
    MOMENT,
    NOON_US,
    OFFER,
    SALT,
    Granting,
    catalogue,
    changed,
    decided,
    shopper,
    stranger,
)


def offers(*percents: int, **changes: Any) -> tuple[Offer, ...]:
    """Offers on the trainers, named by what they take off."""
    return tuple(
        changed(
            OFFER, external_id=f"off-{p:03}", discount=Discount(kind="percent", value=Decimal(p)), **changes
        )
        for p in percents
    )


def test_the_placeholders_of_a_message() -> None:
    assert message_values(decided(), shopper(), catalogue()) == {
        "product": "Trainers",
        "discount": "15%",
        "distance_m": "40",
        "store": "Mall",
        "until": "12:30",
    }


def test_until_is_told_by_her_own_clock() -> None:
    known = with_preferences(shopper(), Preferences(timezone="Asia/Tokyo"))
    assert message_values(decided(who=known), known, catalogue())["until"] == "19:30"


def test_without_a_product_the_message_names_the_category_or_the_offer() -> None:
    known = shopper(Event(kind="view", at_us=NOON_US, category=("Shoes",)))
    for changes, name in (({"categories": (("Shoes",),)}, "Shoes"), ({}, "Trainers week")):
        published = catalogue(changed(OFFER, skus=None, **changes))
        assert message_values(decided(who=known, published=published), known, published)["product"] == name


def test_silence_has_no_message() -> None:
    with pytest.raises(ValueError, match="silence"):
        message_values(decided(who=stranger()), stranger(), catalogue())


def test_the_language_is_hers_with_the_retailers_to_fall_back_on() -> None:
    assert message_locale(shopper(), catalogue(locale="fi")) == ("en", "fi")
    assert message_locale(Shopper(shopper_id="s"), catalogue(locale="fi")) == ("fi", "fi")


def test_a_receipt_has_the_shape_of_the_contract() -> None:
    told = receipt(decided(), {"decide": 0.2})
    assert set(told) >= {
        *("id", "moment", "outcome", "offer", "reasons", "candidates"),
        *("propensity", "policy", "timings_ms", "answers", "versions"),
    }
    assert set(told["moment"]) >= {"kind", "store", "intent", "evidence"}
    assert set(told["candidates"][0]) >= {"offer", "gates", "score"}
    assert all(set(gate) == {"code", "passed", "detail"} for gate in told["candidates"][0]["gates"])
    assert told["timings_ms"] == {"decide": 0.2}


def test_a_receipt_of_silence_names_no_offer() -> None:
    told = receipt(decided(who=stranger()))
    assert "offer" not in told
    assert told["reasons"] == ["no_interest"]


def test_a_receipt_shows_which_gate_of_a_candidate_failed() -> None:
    told = receipt(decided(changed(MOMENT, speed_mps=9.0)))
    failed = [gate for gate in told["candidates"][0]["gates"] if not gate["passed"]]
    assert failed == [{"code": "drive_by", "passed": False, "detail": "moving at 9.0 m/s, limit 4.0 m/s"}]


def test_a_receipt_tells_the_evidence() -> None:
    evidence = receipt(decided())["moment"]["evidence"]
    assert evidence == [{"kind": "view", "sku": "trainers", "at": "2026-11-20T07:00:00Z", "level": 0.707}]


def test_a_receipt_holds_no_coordinates_and_rounded_distances() -> None:
    text = json.dumps(receipt(decided()))
    assert "60.17" not in text
    assert "24.94" not in text
    assert receipt(decided())["moment"]["distance_m"] == 40


def test_a_receipt_is_of_bounded_length() -> None:
    many = [changed(OFFER, external_id=f"o{number:03}") for number in range(CANDIDATES_MAX + 20)]
    told = receipt(decided(published=catalogue(*many)))
    assert len(told["candidates"]) == CANDIDATES_MAX
    assert told["candidates"][0]["offer"] == told["offer"]


def test_a_stored_receipt_comes_out_the_same_again() -> None:
    decision = decided(published=catalogue(*offers(10, 30)), answers=Granting("off-030"))
    stored = json.loads(json.dumps(receipt(decision, {"decide": 0.2})))
    again = redecide(stored, MOMENT, shopper(), catalogue(*offers(10, 30)), salt=SALT)
    assert again == decision
    assert same_decision(stored, again)


def test_another_state_does_not_come_out_the_same() -> None:
    stored = receipt(decided())
    assert not same_decision(stored, redecide(stored, MOMENT, stranger(), catalogue(), salt=SALT))


def test_a_replay_that_asks_something_new_is_told_apart() -> None:
    stored = receipt(decided())
    with pytest.raises(AnswerMissing, match="trainers-20"):
        other = catalogue(changed(OFFER, external_id="trainers-20"))
        redecide(stored, MOMENT, shopper(), other, salt=SALT)
    with pytest.raises(AnswerMissing, match="retailer"):
        RecordedAnswers(()).quota("mom_1", "retailer")
