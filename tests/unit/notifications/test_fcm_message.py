"""A push as the body of FCM's messages:send."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from notifications.fcm_message import PAYLOAD_BYTES, collapse_id, fcm_message, is_reserved, topic
from notifications.push import AddressKind, Push, PushAddress, PushInvalid

NOW_US = 1_800_000_000_000_000
ITEM = {
    "id": "psh_1",
    "decision_id": "dec_1",
    "offer": "summer",
    "title": "Trainers",
    "body": "15% off the trainers you looked at, at 40 m, until 12:30",
    "code": "K7QF-2M9X-WTRA-5HNB",
    "expires_at": "2027-01-15T08:15:00Z",
    "store": "helsinki-1",
    "deep_link": "vicino://offers/psh_1",
}


def push(
    kind: AddressKind = "fcm_token", *, life_s: float = 900, collapse: str = "psh_1", **item: str
) -> Push:
    return Push(
        push_id="psh_1",
        item={**ITEM, **item},
        address=PushAddress(kind=kind, value="phone-1", platform="android"),
        expires_at_us=NOW_US + round(life_s * 1e6),
        collapse=collapse,
    )


def message(one: Push) -> dict[str, Any]:
    body = fcm_message(one, now_us=NOW_US)
    assert isinstance(body, dict)
    content: dict[str, Any] = body["message"]
    return content


@pytest.mark.parametrize(("kind", "field"), [("fcm_token", "token"), ("fcm_fid", "fid")])
def test_the_target_is_named_by_its_kind_alone(kind: AddressKind, field: str) -> None:
    targets = {"token", "fid", "topic", "condition"} & message(push(kind)).keys()
    assert targets == {field}
    assert message(push(kind))[field] == "phone-1"


def test_the_notification_shows_title_and_body() -> None:
    assert message(push())["notification"] == {"title": ITEM["title"], "body": ITEM["body"]}


def test_the_data_map_is_the_inbox_item_with_the_push_id() -> None:
    assert message(push())["data"] == {**ITEM, "push_id": "psh_1"}


def test_android_lives_as_long_as_the_offer() -> None:
    assert message(push(life_s=900.9))["android"]["ttl"] == "900s"


def test_an_offer_that_is_over_is_now_or_never() -> None:
    assert message(push(life_s=-5))["android"]["ttl"] == "0s"


def test_a_life_beyond_four_weeks_is_cut_to_what_fcm_takes() -> None:
    assert message(push(life_s=9_999_999))["android"]["ttl"] == "2419200s"


def test_android_wakes_the_phone_and_a_second_copy_replaces_the_first() -> None:
    android = message(push())["android"]
    assert android["priority"] == "HIGH"
    assert android["collapse_key"] == "psh_1"
    assert android["notification"]["tag"] == "psh_1"


def test_apns_gets_an_alert_that_ends_with_the_offer() -> None:
    apns = message(push())["apns"]
    assert apns["headers"] == {
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": str(NOW_US // 1_000_000 + 900),
        "apns-collapse-id": "psh_1",
    }
    assert apns["payload"]["aps"]["alert"] == {"title": ITEM["title"], "body": ITEM["body"]}
    assert apns["payload"]["aps"]["interruption-level"] == "active"


def test_a_long_collapse_value_fits_into_apns() -> None:
    headers = message(push(collapse="ä" * 60))["apns"]["headers"]
    assert len(headers["apns-collapse-id"].encode()) <= 64


@given(st.text(), st.text())
def test_collapse_ids_fit_and_differ_where_their_values_do(first: str, second: str) -> None:
    assert len(collapse_id(first).encode()) <= 64
    assert (collapse_id(first) == collapse_id(second)) == (first == second)


@pytest.mark.parametrize("key", ["from", "message_type", "google.x", "gcm.notification.title"])
def test_a_key_that_fcm_keeps_for_itself_is_refused(key: str) -> None:
    assert is_reserved(key)
    assert fcm_message(push(**{key: "x"}), now_us=NOW_US) == PushInvalid(reason=f"reserved_key:{key}")


def test_a_payload_too_big_is_shortened_in_its_body_alone() -> None:
    data = message(push(body="word " * 2000))["data"]
    assert data["body"].endswith("word…")
    assert {**data, "body": ""} == {**ITEM, "push_id": "psh_1", "body": ""}
    assert size(data) <= PAYLOAD_BYTES


def test_notification_alert_and_data_stay_the_same_text_when_shortened() -> None:
    content = message(push(body="мир " * 2000))
    assert content["notification"]["body"] == content["data"]["body"]
    assert content["apns"]["payload"]["aps"]["alert"] == content["notification"]


def test_the_code_is_never_shortened() -> None:
    refused = fcm_message(push(code="K" * 5000), now_us=NOW_US)
    assert refused == PushInvalid(reason="too_big")


@given(st.text(max_size=4000), st.text(max_size=4000), st.text(max_size=1000))
def test_whatever_the_texts_the_data_map_fits(title: str, body: str, link: str) -> None:
    outcome = fcm_message(push(title=title, body=body, deep_link=link), now_us=NOW_US)
    if isinstance(outcome, dict):
        content = outcome["message"]
        assert size(content["data"]) <= 4096
        assert content["data"]["code"] == ITEM["code"]
        assert content["data"]["deep_link"] == link
        assert json.loads(json.dumps(outcome)) == outcome
    else:
        assert len(link.encode()) > 2000


def test_neither_address_nor_code_shows_in_what_a_log_would_print() -> None:
    assert "phone-1" not in repr(push())
    assert ITEM["code"] not in repr(push())


def size(data: dict[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in data.items())


def test_a_picture_shows_on_both_platforms() -> None:
    built = message(push(image="https://shop.example/t-1.jpg"))
    assert built["notification"]["image"] == "https://shop.example/t-1.jpg"
    assert built["apns"]["fcm_options"]["image"] == "https://shop.example/t-1.jpg"
    assert built["apns"]["payload"]["aps"]["mutable-content"] == 1


def test_a_picture_that_is_not_fetched_safely_is_left_out() -> None:
    assert "image" not in message(push(image="http://shop.example/t-1.jpg"))["notification"]


def test_actions_are_those_of_the_apps_category() -> None:
    assert message(push())["apns"]["payload"]["aps"]["category"] == "vicino_offer"


class TestWebPush:
    def test_a_web_app_is_reached_by_web_push_alone(self) -> None:
        built = message(push("fcm_web"))
        assert built["token"] == "phone-1"
        assert built.keys() == {"token", "data", "notification", "webpush"}
        assert built["webpush"]["headers"] == {"TTL": "900", "Urgency": "high", "Topic": "psh_1"}

    def test_a_link_leads_there_where_it_is_one_for_browsers(self) -> None:
        link = "https://shop.example/offers/psh_1"
        assert message(push("fcm_web", deep_link=link))["webpush"]["fcm_options"] == {"link": link}
        assert "fcm_options" not in message(push("fcm_web"))["webpush"]

    def test_a_topic_that_push_services_would_refuse_is_hashed(self) -> None:
        assert len(topic("x" * 33)) == 32
        assert topic("a b") != "a b"


class TestRecall:
    def test_it_shows_nothing_and_takes_the_place_of_its_push(self) -> None:
        built = message(replace(push(), push_id="rcl_1", kind="recall", item={"recalls": "psh_1"}))
        assert "notification" not in built
        assert built["data"] == {"recalls": "psh_1", "push_id": "rcl_1"}
        assert built["android"] == {"ttl": "900s", "priority": "NORMAL", "collapse_key": "psh_1"}
        assert built["apns"]["headers"]["apns-collapse-id"] == "psh_1"

    def test_on_ios_it_is_a_background_push_of_the_priority_that_apns_asks_for(self) -> None:
        apns = message(replace(push(), kind="recall", item={"recalls": "psh_1"}))["apns"]
        assert apns["headers"]["apns-push-type"] == "background"
        assert apns["headers"]["apns-priority"] == "5"
        assert apns["payload"] == {"aps": {"content-available": 1}}
