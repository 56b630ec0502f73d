from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.event import Event
from offers.hours import DAY_US, HOUR_US, SECOND_US
from offers.interest import NAMES_MAX, TRACES_MAX, WEIGHTS, Interests, noted
from offers.relevance import Interest
from tests.unit.offers.scene import NOON_US, catalogue, interests_in


def hours_ago(hours: float) -> int:
    return NOON_US - round(hours * HOUR_US)


def event(kind: str = "view", hours: float = 0.0, **about: object) -> Event:
    return msgspec.convert({"kind": kind, "at_us": hours_ago(hours), **(about or {"sku": "trainers"})}, Event)


def after(*events: Event) -> Interests:
    interests = Interests()
    for one in events:
        interests = noted(interests, one, now_us=max(one.at_us, hours_ago(24)))
    return interests


def interest(*events: Event, now_us: int = NOON_US) -> Interest:
    return interests_in(after(*events), catalogue(), "mall", now_us).get("trainers-15", Interest())


def level(*events: Event, now_us: int = NOON_US) -> float:
    return interest(*events, now_us=now_us).level


@pytest.mark.parametrize(
    ("kind", "weight", "half_life_h"), [(k, *v) for k, v in WEIGHTS.items() if k != "purchase"]
)
def test_a_weight_is_halved_after_its_half_life(kind: str, weight: float, half_life_h: float) -> None:
    assert level(event(kind)) == pytest.approx(weight)
    later_us = NOON_US + round(half_life_h * HOUR_US)
    assert level(event(kind), now_us=later_us) == pytest.approx(weight / 2)


@pytest.mark.parametrize(("kind", "hours"), [("view", 6), ("cart", 72), ("search", 12)])
def test_one_event_is_interest_enough_for_so_long(kind: str, hours: float) -> None:
    just_us = NOON_US + round(hours * HOUR_US)
    assert interest(event(kind), now_us=just_us).interested
    assert not interest(event(kind), now_us=just_us + SECOND_US).interested


def test_events_add_up() -> None:
    assert level(event("view", 6), event("view"), event("cart", 24)) == pytest.approx(0.5 + 1 + 2)


def test_two_views_within_a_day_are_interest_enough_however_faint() -> None:
    found = interest(event(hours=23.9), event(hours=20))
    assert found.level < 0.5
    assert found.interested


def test_two_views_of_which_one_is_over_a_day_old_are_not() -> None:
    twice = after(event(hours=23.9), event(hours=20))
    found = interests_in(twice, catalogue(), "mall", NOON_US + HOUR_US)["trainers-15"]
    assert not found.interested


def test_views_of_two_products_are_not_two_views_of_one() -> None:
    assert not interest(event(hours=20, sku="trainers"), event(hours=19, sku="hat")).interested


def test_an_event_in_the_near_future_counts_as_now() -> None:
    assert level(event(hours=-0.01)) == 1.0


def test_a_purchase_ends_the_interest_in_the_product() -> None:
    assert not interest(event("view", 2), event("cart", 1), event("purchase", 0.5)).interested


def test_interest_may_begin_anew_after_a_purchase() -> None:
    assert level(event("cart", 2), event("purchase", 1), event("view")) == 1.0


def test_a_late_view_from_before_the_purchase_does_not_count() -> None:
    assert level(event("purchase", 1), event("view", 2)) == 0.0


def test_a_late_purchase_leaves_what_came_after_it() -> None:
    assert level(event("view", 3), event("view"), event("purchase", 1)) == 1.0


def test_the_same_event_twice_counts_once() -> None:
    assert level(event(), event()) == 1.0


def test_the_same_id_twice_counts_once_whatever_it_says() -> None:
    assert level(event(sku="trainers", id="e1"), event("cart", 1, sku="trainers", id="e1")) == 1.0


def test_the_same_content_under_two_ids_counts_once() -> None:
    assert level(event(sku="trainers", id="e1"), event(sku="trainers", id="e2")) == 1.0


def test_two_views_a_moment_apart_are_two() -> None:
    assert level(event(), event(hours=0.001)) == pytest.approx(2.0, abs=1e-3)


def test_an_event_that_names_nothing_leaves_no_trace() -> None:
    nothing = msgspec.convert({"kind": "store_locator", "at_us": NOON_US}, Event)
    assert after(nothing).traces == ()


@given(
    st.permutations(
        [
            event("view", 5),
            event("view", 1),
            event("cart", 20),
            event("view", 3),
            event("search", 2, query="trainers"),
        ]
    )
)
def test_the_order_of_arrival_makes_no_difference(events: list[Event]) -> None:
    in_order = interest(*sorted(events, key=lambda one: one.at_us))
    found = interest(*events)
    assert found.level == pytest.approx(in_order.level)
    assert found.repeated == in_order.repeated


def test_a_purchase_ends_the_interest_in_whatever_order_it_is_told() -> None:
    events = (event("view", 3), event("purchase", 2), event("cart", 1))
    assert {round(level(*order), 9) for order in permutations(events)} == {round(level(*events), 9)}


def test_memory_is_bounded_and_keeps_the_strongest() -> None:
    busy = [event("view", 23 - number / 20, sku=f"sku-{number}") for number in range(400)]
    interests = after(event("cart", 23.5), *busy)
    assert len(interests.traces) == TRACES_MAX
    assert len(interests.names) == NAMES_MAX
    assert "trainers" in {trace.key for trace in interests.traces}
    assert len(msgspec.msgpack.encode(interests)) < 8_000


def test_names_of_events_are_forgotten_after_a_day() -> None:
    interests = noted(after(event()), event(hours=-25), now_us=NOON_US + DAY_US + HOUR_US)
    assert len(interests.names) == 1
