"""The demo's shoppers: drawn from a seed, varied, and plausible."""

from collections import Counter
from datetime import UTC, datetime
from functools import cache

from server.clock import to_us
from server.demo.cast import NEXT_ERRAND_MOST_M, Habit, Role, cast_role, consents_of, preferences_of, spot_of
from server.demo.helsinki import read_shops
from server.demo.plane import distance_m
from server.demo.retail import Bargain, found_retail

EVENING_US = to_us(datetime(2026, 1, 15, 21, 30, tzinfo=UTC))  # 23:30 in Helsinki


@cache
def bargains() -> tuple[Bargain, ...]:
    return found_retail(read_shops()).bargains


@cache
def roles() -> tuple[Role, ...]:
    return tuple(cast_role(number, bargains(), 1) for number in range(1, 501))


def the_first(habit: Habit) -> Role:
    return next(role for role in roles() if role.habit is habit)


def test_a_shopper_is_the_same_for_the_same_seed() -> None:
    assert cast_role(77, bargains(), 1) == roles()[76]


def test_another_seed_gives_other_shoppers() -> None:
    assert cast_role(77, bargains(), 2) != roles()[76]


def test_the_first_shopper_stands_at_a_shelf_so_that_a_push_comes_at_once() -> None:
    assert roles()[0].habit is Habit.LOOKS


def test_every_habit_occurs_and_most_walk() -> None:
    counted = Counter(role.habit for role in roles())
    assert set(counted) == set(Habit)
    assert counted[Habit.WALKS] > len(roles()) / 2


def test_walkers_walk_and_trams_ride() -> None:
    for role in roles():
        fast = role.habit is Habit.RIDES
        assert (11.0 <= role.speed_mps <= 13.0) if fast else (1.0 <= role.speed_mps <= 1.7)


def test_errands_differ_and_lie_near_each_other() -> None:
    for role in roles():
        assert 1 <= len(set(role.errands)) == len(role.errands) <= 3
        for one, other in zip(role.errands, role.errands[1:], strict=False):
            assert distance_m(spot_of(one), spot_of(other)) <= NEXT_ERRAND_MOST_M


def test_all_consent_but_one_habit_refuses_pushes() -> None:
    for role in roles():
        granted = {purpose for purpose, consent in consents_of(role).items() if consent["granted"]}
        assert ("push" in granted) == (role.habit is not Habit.MUTED)
        assert "nearby_offers" in granted


def test_quiet_hours_hold_now_also_across_midnight() -> None:
    preferences = preferences_of(the_first(Habit.RESTS), EVENING_US)
    assert preferences is not None
    assert preferences["quiet_hours"] == {"from": "22:30", "until": "02:30"}


def test_the_choosy_want_half_off() -> None:
    assert preferences_of(the_first(Habit.CHOOSY), EVENING_US) == {"minimum_percent": 50}


def test_walkers_have_set_no_preferences() -> None:
    assert preferences_of(the_first(Habit.WALKS), EVENING_US) is None
