"""The stand-in FCM itself: it must be as strict as the real one, and its phones must behave like phones."""

from typing import Any

import pytest

from server.standin.answers import Answer
from server.standin.faults import Fault, FaultKind, FaultPlan
from server.standin.phone import Delivery, Phone
from server.standin.validation import ValidMessage, validate

S = 1_000_000
GOOD: dict[str, Any] = {
    "token": "phone-1",
    "notification": {"title": "Trainers", "body": "15% off"},
    "data": {"push_id": "psh_1"},
    "android": {"ttl": "900s", "priority": "HIGH", "collapse_key": "c", "notification": {"tag": "t"}},
    "apns": {"headers": {"apns-priority": "10", "apns-expiration": "1800000900"}, "payload": {"aps": {}}},
}


def delivery(
    push_id: str, *, tag: str = "t", at_s: int = 0, ttl_s: int = 900, collapse: str = "c"
) -> Delivery:
    return Delivery(
        message_name=f"projects/p/messages/{push_id}-{at_s}",
        accepted_at_us=at_s * S,
        expires_at_us=(at_s + ttl_s) * S,
        title="Trainers",
        body="15% off",
        data={"push_id": push_id},
        tag=tag,
        collapse_key=collapse,
    )


def test_a_good_message_is_taken_over() -> None:
    message = validate({"message": GOOD})
    assert isinstance(message, ValidMessage)
    assert (message.address, message.ttl_s, message.tag, message.collapse_key) == ("phone-1", 900, "t", "c")


def test_a_message_without_a_time_to_live_lives_four_weeks() -> None:
    message = validate({"message": {"token": "phone-1"}})
    assert isinstance(message, ValidMessage)
    assert message.ttl_s == 28 * 86400


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"fid": "f"}, "message"),
        ({"token": None, "topic": "t"}, "message"),
        ({"data": {"n": 12}}, "message.data[0].value"),
        ({"data": {"from": "me"}}, "message.data"),
        ({"data": {"google.x": "me"}}, "message.data"),
        ({"android": {"ttl": "900"}}, "message.android.ttl"),
        ({"android": {"ttl": 900}}, "message.android.ttl"),
        ({"android": {"ttl": "2419201s"}}, "message.android.ttl"),
        ({"android": {"priority": "URGENT"}}, "message.android.priority"),
        ({"android": {"ttl_s": "9s"}}, "message.android"),
        ({"notification": {"titel": "x"}}, "message.notification"),
        ({"apns": {"headers": {"apns-priority": 10}}}, "message.apns.headers"),
        ({"apns": {"headers": {"apns-collapse-id": "x" * 65}}}, "message.apns.headers.apns-collapse-id"),
        ({"apns": {"headers": {"apns-expiration": "soon"}}}, "message.apns.headers.apns-expiration"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    answer = validate({"message": {**GOOD, **change}})
    assert isinstance(answer, Answer)
    assert isinstance(answer.body, dict)
    assert answer.body["error"]["details"][0]["fieldViolations"][0]["field"] == field


@pytest.mark.parametrize("document", [None, [], {}, {"message": None}, {"message": {}}])
def test_a_body_without_a_message_is_refused(document: Any) -> None:
    assert isinstance(validate(document), Answer)


def test_a_payload_beyond_4096_bytes_is_refused() -> None:
    answer = validate({"message": {**GOOD, "data": {"x": "y" * 4096}}})
    assert isinstance(answer, Answer)
    assert isinstance(answer.body, dict)
    assert answer.body["error"]["message"] == "Android message is too big"


def test_an_address_of_another_form_is_refused() -> None:
    answer = validate({"message": {**GOOD, "token": "not a token"}})
    assert isinstance(answer, Answer)
    assert isinstance(answer.body, dict)
    assert "not a valid FCM registration token" in answer.body["error"]["message"]


def test_a_second_copy_of_a_push_is_not_shown_again() -> None:
    phone = Phone("phone-1")
    phone.accept(delivery("psh_1"))
    phone.accept(delivery("psh_1", at_s=20))
    assert len(phone.accepted) == 2
    assert len(phone.appeared) == 1


def test_a_push_with_the_tag_of_another_replaces_it() -> None:
    phone = Phone("phone-1")
    phone.accept(delivery("psh_1"))
    phone.accept(delivery("psh_2"))
    assert [one.push_id for one in phone.shown] == ["psh_2"]
    assert [one.push_id for one in phone.appeared] == ["psh_1", "psh_2"]


def test_pushes_with_different_tags_are_shown_together() -> None:
    phone = Phone("phone-1")
    phone.accept(delivery("psh_1", tag="a"))
    phone.accept(delivery("psh_2", tag="b"))
    assert [one.push_id for one in phone.shown] == ["psh_1", "psh_2"]


def test_a_dismissed_push_does_not_come_back() -> None:
    phone = Phone("phone-1")
    phone.accept(delivery("psh_1"))
    phone.dismiss("t")
    phone.accept(delivery("psh_1", at_s=20))
    assert phone.shown == []


def test_what_waits_for_an_offline_phone_beyond_its_life_is_never_shown() -> None:
    phone = Phone("phone-1")
    phone.go_offline()
    phone.accept(delivery("psh_1", ttl_s=60))
    phone.accept(delivery("psh_2", ttl_s=900, collapse="d"))
    phone.go_online(now_us=100 * S)
    assert [one.push_id for one in phone.shown] == ["psh_2"]
    assert [one.push_id for one in phone.expired] == ["psh_1"]


def test_of_one_collapse_key_only_the_last_waits() -> None:
    phone = Phone("phone-1")
    phone.go_offline()
    phone.accept(delivery("psh_1", tag="a"))
    phone.accept(delivery("psh_2", tag="b"))
    phone.go_online(now_us=S)
    assert [one.push_id for one in phone.shown] == ["psh_2"]


def test_ordered_faults_come_first_and_in_order() -> None:
    plan = FaultPlan()
    plan.order(Fault(kind="internal"), times=2)
    plan.order(Fault(kind="hang"))
    kinds = [fault.kind if fault else None for fault in (plan.next(n) for n in range(4))]
    assert kinds == ["internal", "internal", "hang", None]


def test_a_plan_fails_its_share_and_always_alike() -> None:
    shares: dict[FaultKind, float] = {"unavailable": 0.2, "delivered_unavailable": 0.1}
    first, second = (FaultPlan(shares, seed=7) for _ in range(2))
    faults = [first.next(n) for n in range(5000)]
    assert faults == [second.next(n) for n in range(5000)]
    kinds = [fault.kind for fault in faults if fault is not None]
    assert kinds.count("unavailable") == pytest.approx(1000, rel=0.1)
    assert kinds.count("delivered_unavailable") == pytest.approx(500, rel=0.15)


@pytest.mark.parametrize("shares", [{"nonsense": 0.1}, {"hang": -0.1}, {"hang": 0.6, "internal": 0.6}])
def test_a_plan_that_cannot_be_is_refused(shares: dict[Any, float]) -> None:
    with pytest.raises(ValueError, match="not a plan"):
        FaultPlan(shares)
