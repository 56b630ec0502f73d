"""Intent with its reasons, the kinds of moments, and the smallest discount."""

import numpy as np
import pytest

from offers.learn.arms import Scene, arms_of
from offers.learn.intent import intent
from offers.learn.kinds import helps_only, kind_of
from offers.learn.learner import Learner
from offers.learn.minimise import minimised
from offers.moment import MomentKind


def level(**told: float) -> int:
    learner = Learner()
    arms = arms_of(["offer"], ["store"], ["shoes"], distance_m=100.0, **told)
    option = learner.decide(Scene(moment_id="m", shopper="s", hour=12.0), arms).option(0)
    return intent(learner.heads["organic"], np.array(option.row), option.keys).level


def test_intent_grows_with_what_speaks_for_it_and_stays_within_0_and_100() -> None:
    levels = [
        level(),
        level(interest=1.0),
        level(interest=1.0, bought=3.0),
        level(interest=60.0, bought=500.0),
    ]
    assert levels == sorted(levels)
    assert 0 <= levels[0] < 20 < levels[2] <= levels[3] <= 100


def test_the_reasons_are_the_strongest_parts_of_it() -> None:
    learner = Learner()
    arms = arms_of(["offer"], ["store"], ["shoes"], interest=4.0, distance_m=250.0)
    option = learner.decide(Scene(moment_id="m", shopper="s", hour=12.0), arms).option(0)
    told = intent(learner.heads["organic"], np.array(option.row), option.keys)
    weights = [abs(reason.weight) for reason in told.reasons]
    assert weights == sorted(weights, reverse=True)
    assert {"interest", "interested"} <= {reason.name for reason in told.reasons}


STORY = {"inside": True, "cart": True, "repeated": True, "in_stock": True}


@pytest.mark.parametrize(
    ("trigger", "otherwise", "kind"),
    [
        ("how_to", {}, "do"),
        ("review", {}, "know"),
        ("share", {}, "know"),
        ("directions", {}, "go"),
        ("enter", {"repeated": False}, "buy"),
        ("dwell", {"cart": False}, "buy"),
        ("view", {"cart": False}, "buy"),
        ("enter", {"in_stock": False}, "go"),
        ("enter", {"inside": False}, "go"),
        ("enter", {"cart": False, "repeated": False}, "go"),
    ],
)
def test_the_kind_of_a_moment(trigger: str, otherwise: dict[str, bool], kind: MomentKind) -> None:
    assert kind_of(trigger, **(STORY | otherwise)) == kind


def test_no_discount_is_pushed_to_who_wants_to_know_or_to_do() -> None:
    assert [trigger for trigger in ("view", "how_to", "review", "enter") if helps_only(trigger)] == [
        "how_to",
        "review",
    ]


def left(scores: list[float], **more: float) -> list[float]:
    depths = [0.0, 0.1, 0.2, 0.3]
    arms = arms_of(list("abcd"), ["store"] * 4, ["shoes"] * 4, depth=np.array(depths))
    kept = minimised(arms, np.array(scores), np.ones(4, dtype=bool), **more)
    return [depth for depth, one in zip(depths, kept, strict=True) if one]


def test_a_reminder_is_enough_where_a_discount_changes_no_more() -> None:
    assert left([0.5, 0.5, 0.4, 0.5]) == [0.0]


def test_a_deeper_discount_stays_only_where_it_is_worth_more() -> None:
    assert left([0.1, 0.3, 0.2, 0.35]) == [0.0, 0.1, 0.3]
    assert left([0.1, 0.3, 0.2, 0.35], indifference=0.1) == [0.0, 0.1]


def test_nothing_is_offered_below_her_own_minimum() -> None:
    assert left([0.9, 0.8, 0.7, 0.6], minimum_depth=0.15) == [0.2]


def test_other_stores_do_not_matter() -> None:
    arms = arms_of(["a", "b"], ["one", "other"], ["shoes"] * 2, depth=np.array([0.0, 0.3]))
    assert minimised(arms, np.array([1.0, 0.1]), np.ones(2, dtype=bool)).all()
