"""The published bodies: what is taken, and what is refused under which name."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.bodies import product_from_body, store_body, store_from_body
from offers.consent import consents_from_body
from offers.event import event_from_body
from offers.offer_body import offer_from_body
from offers.preferences import preferences_from_body
from offers.problem import BodyRejected
from offers.settings import settings_from_body
from tests.support import shared_data
from tests.unit.offers.scene import NOON_US

STORE_BODY = {"external_id": "mall", "name": "Mall", "lat": 60.17, "lon": 24.94}
PRODUCT_BODY = {
    "sku": "t",
    "name": "Trainers",
    "category": "Shoes > Trainers",
    "price": 89.9,
    "currency": "EUR",
}
OFFER_BODY = {
    "external_id": "o",
    "name": "Trainers week",
    "discount": {"kind": "percent", "value": 15},
    "applies_to": {"skus": ["t"]},
    "valid": {"from": "2026-11-01T00:00:00Z", "until": "2026-12-01T02:00:00+02:00"},
    "message": {
        "en": {"title": "{discount} off {product}", "body": "{store}, at {distance_m} m, until {until}"}
    },
}
EVENT_BODY = {"kind": "view", "at": "2026-11-20T10:00:00Z", "sku": "t"}

TAKERS: dict[str, tuple[Callable[[Any], object], dict[str, Any]]] = {
    "store": (store_from_body, STORE_BODY),
    "product": (product_from_body, PRODUCT_BODY),
    "offer": (offer_from_body, OFFER_BODY),
    "event": (event_from_body, EVENT_BODY),
    "settings": (settings_from_body, {}),
    "preferences": (preferences_from_body, {}),
    "consents": (lambda body: consents_from_body(body, at_us=NOON_US), {}),
}


def refusals(which: str, /, **changes: Any) -> list[tuple[str, str]]:
    """The fields and codes for which the valid body of that kind, so changed, is refused."""
    take, body = TAKERS[which]
    with pytest.raises(BodyRejected) as refused:
        take({name: value for name, value in (body | changes).items() if value is not ...})
    return [(problem.field, problem.code) for problem in refused.value.problems]


@pytest.mark.parametrize("kind", TAKERS)
def test_a_valid_body_is_taken(kind: str) -> None:
    take, body = TAKERS[kind]
    take(body)


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("store", {"colour": "red"}, "colour", "unknown_field"),
    ("store", {"name": ...}, "name", "missing"),
    ("store", {"name": "  "}, "name", "empty"),
    ("store", {"external_id": "x" * 201}, "external_id", "too_long"),
    ("store", {"external_id": "a\0b"}, "external_id", "bad_character"),
    ("store", {"external_id": "a\ud800b"}, "external_id", "bad_character"),
    ("store", {"name": "bell\x07"}, "name", "bad_character"),
    ("store", {"lat": 90.1}, "lat", "out_of_range"),
    ("store", {"lat": float("nan")}, "lat", "out_of_range"),
    ("store", {"lat": "60"}, "lat", "invalid"),
    ("store", {"lon": -180.1}, "lon", "out_of_range"),
    ("store", {"timezone": "Mars/Olympus"}, "timezone", "unknown_timezone"),
    ("store", {"opening_hours": "always"}, "opening_hours", "bad_opening_hours"),
    ("product", {"price": -1}, "price", "out_of_range"),
    ("product", {"price": "NaN"}, "price", "out_of_range"),
    ("product", {"price": "1e400"}, "price", "out_of_range"),
    ("product", {"price": "1.00001"}, "price", "too_fine"),
    ("product", {"currency": "euro"}, "currency", "bad_currency"),
    ("product", {"currency": ...}, "currency", "missing"),
    ("product", {"category": " > "}, "category", "empty"),
    ("product", {"stock": -1}, "stock", "out_of_range"),
    ("product", {"image_url": "javascript:alert(1)"}, "image_url", "bad_url"),
    ("offer", {"discount": {"kind": "percent", "value": 0}}, "discount.value", "out_of_range"),
    ("offer", {"discount": {"kind": "percent", "value": 100.5}}, "discount.value", "out_of_range"),
    ("offer", {"discount": {"kind": "amount", "value": 0}}, "discount.value", "out_of_range"),
    ("offer", {"discount": {"kind": "price", "value": -1}}, "discount.value", "out_of_range"),
    ("offer", {"discount": {"kind": "points", "value": 1}}, "discount.kind", "unknown"),
    ("offer", {"discount": {"kind": "price", "value": 1, "x": 1}}, "discount.x", "unknown_field"),
    (
        "offer",
        {"valid": {"from": "2026-12-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}},
        "valid",
        "bad_interval",
    ),
    (
        "offer",
        {"valid": {"from": "2026-11-01T00:00:00", "until": "2026-12-01T00:00:00Z"}},
        "valid.from",
        "invalid",
    ),
    ("offer", {"valid": {"from": "2026-11-01T00:00:00Z"}}, "valid.until", "missing"),
    ("offer", {"applies_to": {"skus": []}}, "applies_to.skus", "empty"),
    ("offer", {"applies_to": {"brands": ["x"]}}, "applies_to.brands", "unknown_field"),
    ("offer", {"stores": []}, "stores", "empty"),
    ("offer", {"schedule": "happy hour"}, "schedule", "bad_opening_hours"),
    ("offer", {"limits": {"per_shopper": -1}}, "limits.per_shopper", "out_of_range"),
    ("offer", {"budget": {"spend": -1}}, "budget.spend", "out_of_range"),
    ("offer", {"prior_response": 0}, "prior_response", "out_of_range"),
    ("offer", {"lever": 2.5}, "lever", "out_of_range"),
    ("offer", {"message": {}}, "message", "empty"),
    ("offer", {"message": {"e n": {"title": "t", "body": "b"}}}, "message.e n", "bad_locale"),
    ("offer", {"message": {"en": {"title": "", "body": "b"}}}, "message.en.title", "empty"),
    ("offer", {"message": {"en": {"title": "t"}}}, "message[...].body", "missing"),
    (
        "offer",
        {"message": {"en": {"title": "{name}", "body": "b"}}},
        "message.en.title",
        "unknown_placeholder",
    ),
    ("offer", {"message": {"en": {"title": "{}", "body": "b"}}}, "message.en.title", "unknown_placeholder"),
    (
        "offer",
        {"message": {"en": {"title": "{store!r}", "body": "b"}}},
        "message.en.title",
        "unknown_placeholder",
    ),
    ("offer", {"message": {"en": {"title": "t", "body": "{store"}}}, "message.en.body", "unbalanced_brace"),
    (
        "offer",
        {"message": {"en": {"title": "t", "body": "{{store}}"}}},
        "message.en.body",
        "unbalanced_brace",
    ),
    ("event", {"kind": "stare"}, "kind", "invalid"),
    ("event", {"at": "yesterday"}, "at", "invalid"),
    ("event", {"sku": ""}, "sku", "empty"),
    ("event", {"price": 3}, "price", "unknown_field"),
    ("settings", {"holdout": 1.1}, "holdout", "out_of_range"),
    ("settings", {"shopper_per_day": -1}, "shopper_per_day", "out_of_range"),
    ("settings", {"quiet_hours": {"from": "21", "until": "08:00"}}, "quiet_hours.from", "bad_time"),
    ("settings", {"timezone": "Utopia"}, "timezone", "unknown_timezone"),
    ("settings", {"policy": "greed"}, "policy", "unknown"),
    ("settings", {"coupon_ttl_s": 0}, "coupon_ttl_s", "out_of_range"),
    ("settings", {"drive_by_mps": float("nan")}, "drive_by_mps", "out_of_range"),
    ("settings", {"cap": 1}, "cap", "unknown_field"),
    ("settings", {"lateness_s": -1}, "lateness_s", "out_of_range"),
    ("settings", {"lateness_s": 3601}, "lateness_s", "out_of_range"),
    ("settings", {"lateness_s": "600"}, "lateness_s", "invalid"),
    ("settings", {"presence_timeout_s": 59}, "presence_timeout_s", "out_of_range"),
    ("settings", {"presence_timeout_s": 86_401}, "presence_timeout_s", "out_of_range"),
    ("settings", {"default_accuracy_m": 0.5}, "default_accuracy_m", "out_of_range"),
    ("settings", {"default_accuracy_m": float("nan")}, "default_accuracy_m", "out_of_range"),
    ("settings", {"safe_region": 1}, "safe_region", "invalid"),
    ("settings", {"approach_s": 601}, "approach_s", "out_of_range"),
    ("settings", {"approach_s": -1}, "approach_s", "out_of_range"),
    ("preferences", {"max_per_day": -1}, "max_per_day", "out_of_range"),
    ("preferences", {"quiet_hours": {"from": "20:00", "until": "8"}}, "quiet_hours.until", "bad_time"),
    ("preferences", {"timezone": "Utopia"}, "timezone", "unknown_timezone"),
    ("preferences", {"minimum_percent": 101}, "minimum_percent", "out_of_range"),
    ("preferences", {"maximum_distance_m": float("inf")}, "maximum_distance_m", "out_of_range"),
    ("preferences", {"muted_stores": ["s"] * 201}, "muted_stores", "too_many"),
    ("preferences", {"paused_until": "2026-11-20"}, "paused_until", "invalid"),
    ("preferences", {"shopper_per_day": 9}, "shopper_per_day", "unknown_field"),
    ("consents", {"tracking": {"granted": True}}, "tracking", "unknown_field"),
    ("consents", {"push": {"granted": "yes"}}, "push.granted", "invalid"),
    ("consents", {"push": {"granted": True, "locale": "?"}}, "push.locale", "bad_locale"),
]


@pytest.mark.parametrize(("kind", "changes", "field", "code"), REFUSED)
def test_what_is_wrong_is_refused_by_its_field(
    kind: str, changes: dict[str, Any], field: str, code: str
) -> None:
    assert refusals(kind, **changes) == [(field, code)]


@pytest.mark.parametrize("kind", TAKERS)
def test_a_body_however_deep_is_refused(kind: str) -> None:
    deep: Any = "bottom"
    for _ in range(5_000):
        deep = {"a": [deep]}
    assert refusals(kind, colour=deep)


@pytest.mark.parametrize("number", [10**400, -(10**400), 1e308, -0.0])
def test_numbers_of_any_size_are_taken_or_refused(number: float) -> None:
    for field in ("lat", "lon"):
        taken_or_refused(store_from_body, STORE_BODY | {field: number})
    for field in ("price", "stock"):
        taken_or_refused(product_from_body, PRODUCT_BODY | {field: number})
    taken_or_refused(settings_from_body, {"shopper_per_day": number})
    taken_or_refused(preferences_from_body, {"max_per_day": number, "minimum_percent": number})


def test_every_problem_of_a_body_is_told() -> None:
    assert refusals("store", lat=91, lon=181, timezone="Utopia", name="") == [
        ("name", "empty"),
        ("lat", "out_of_range"),
        ("lon", "out_of_range"),
        ("timezone", "unknown_timezone"),
    ]


@pytest.mark.parametrize("kind", TAKERS)
@pytest.mark.parametrize("body", [None, [], "text", 3, {"": 1}])
def test_what_is_no_such_object_is_refused(kind: str, body: Any) -> None:
    with pytest.raises(BodyRejected):
        TAKERS[kind][0](body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def taken_or_refused(take: Callable[[Any], Any], body: Any) -> Any:
    """What was made of the body, or None where it was refused with problems to mend."""
    try:
        return take(body)
    except BodyRejected as refused:
        assert refused.problems  # noqa: PT017 - taking it is as right
        return None


@given(st.sampled_from(sorted(TAKERS)), st.data())
def test_whatever_a_field_holds_it_is_taken_or_refused(kind: str, data: st.DataObject) -> None:
    take, body = TAKERS[kind]
    field = data.draw(st.sampled_from([*body, "quiet_hours", "push", "stores", "message"]))
    taken_or_refused(take, body | {field: data.draw(JSON)})


def test_strings_that_break_programs_are_taken_or_refused() -> None:
    for text in json.loads(shared_data("badinput", "blns", "blns.json").read_text(encoding="utf-8")):
        store = taken_or_refused(store_from_body, STORE_BODY | {"name": text})
        assert store is None or store_body(store)["name"] == text
