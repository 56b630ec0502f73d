"""What is learned of a decision follows from its lessons alone, and names no shopper."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.decision import Decision
from offers.event import Event
from offers.hours import DAY_US, HOUR_US, SECOND_US
from offers.learn.hers import GRACE_US, Hers, Known, joined, with_effects
from offers.learn.learner import Learner
from offers.learn.lesson import Lesson, Outcome, outcome, taught
from offers.learn.objective import Economics
from offers.learn.setup import Learning
from offers.learn.stored import restored, stored
from offers.remember import after_event, after_redemption, after_report, after_stop, after_time, remembered
from offers.shopper import Shopper, with_consents
from tests.unit.offers.scene import MOMENT, NOON_US, SALT, Granting, catalogue, changed, decide, shopper

#: Margins so wide, and pushes so cheap, that an offer is all but certain.
LEARNING = Learning(margin=0.9, money=Economics(push_cost=0.0, lifetime_value=0.0))


def judged(learner: Learner | None = None, who: Shopper | None = None, number: int = 1) -> Decision:
    """A decision of somebody with trainers in her cart."""
    known = who or shopper(Event(kind="cart", at_us=NOON_US - HOUR_US, sku="trainers"))
    return decide(
        changed(MOMENT, moment_id=f"mom_{number}"),
        known,
        catalogue(policy="learn", learning=LEARNING),
        Granting(),
        salt=SALT,
        now_us=NOON_US,
        learner=learner or Learner(),
    )


@pytest.fixture
def offered() -> Shopper:
    """Her, after an offer was made."""
    decision = judged()
    assert decision.outcome == "offer"
    known = shopper(Event(kind="cart", at_us=NOON_US - HOUR_US, sku="trainers"))
    return remembered(known, decision)


def heads(known: list[Known]) -> list[tuple[str, bool]]:
    return [(head, did) for _, head, did in known]


def decision_of(who: Shopper) -> str:
    return who.hers.trials[0].decision_id


def test_an_open_is_known_at_once_and_only_once(offered: Shopper) -> None:
    who, known = after_report(offered, decision_of(offered), "opened")
    assert heads(known) == [("open", True)]
    assert (who.hers.pushed, who.hers.opened) == (1, 1)
    assert after_report(who, decision_of(who), "opened")[1] == []


def test_a_dismissal_is_a_push_that_was_not_opened(offered: Shopper) -> None:
    assert heads(after_report(offered, decision_of(offered), "dismissed")[1]) == [("open", False)]


def test_a_used_coupon_was_opened_and_bought(offered: Shopper) -> None:
    who, known = after_redemption(offered, decision_of(offered))
    assert heads(known) == [("open", True), ("uplift", True), ("optout", False), ("budget", True)]
    assert who.hers.trials == ()


def test_what_has_not_happened_by_the_end_has_not_happened(offered: Shopper) -> None:
    end_us = offered.hers.trials[0].until_us + GRACE_US
    assert after_time(offered, end_us - 1)[1] == []
    who, known = after_time(offered, end_us)
    assert heads(known) == [("open", False), ("organic", False), ("optout", False), ("budget", False)]
    assert who.hers.ends_us is None


def test_of_an_opened_offer_the_end_tells_what_the_offer_did(offered: Shopper) -> None:
    who, _ = after_report(offered, decision_of(offered), "opened")
    assert heads(after_time(who, NOON_US + DAY_US)[1]) == [
        ("uplift", False),
        ("optout", False),
        ("budget", False),
    ]


def purchase(**about: Any) -> Event:
    return Event(kind="purchase", at_us=NOON_US + 60 * SECOND_US, **about)


def test_a_purchase_at_the_store_without_the_offer_is_organic(offered: Shopper) -> None:
    _, known = after_event(offered, purchase(sku="anything", store="mall"), NOON_US + 61 * SECOND_US)
    assert ("organic", True) in heads(known)


@pytest.mark.parametrize("about", [{"sku": "trainers"}, {"category": ("Shoes", "Trainers")}])
def test_a_purchase_that_names_no_store_counts_by_what_was_bought(
    offered: Shopper, about: dict[str, Any]
) -> None:
    assert ("organic", True) in heads(after_event(offered, purchase(**about), NOON_US + HOUR_US)[1])


@pytest.mark.parametrize("about", [{"sku": "hat"}, {"sku": "trainers", "store": "elsewhere"}])
def test_another_purchase_teaches_nothing(offered: Shopper, about: dict[str, Any]) -> None:
    assert after_event(offered, purchase(**about), NOON_US + HOUR_US)[1] == []


def test_turning_pushes_off_is_learned_of_the_newest_push(offered: Shopper) -> None:
    who, known = after_stop(offered)
    assert heads(known) == [("optout", True)]
    assert ("optout", False) not in heads(after_time(who, NOON_US + DAY_US)[1])


def test_withdrawing_personalisation_forgets_trials_and_what_was_learned_of_her(offered: Shopper) -> None:
    withdrawn = {"personalisation": msgspec.structs.replace(offered.consents["push"], granted=False)}
    assert with_consents(offered, withdrawn).hers == Hers()  # type: ignore[arg-type]


def test_withdrawing_insight_forgets_her_habits_and_leaves_her_trials(offered: Shopper) -> None:
    hers = msgspec.structs.replace(offered.hers, visits={"mall": 3}, effects={"open": (0.1, 0.2)})
    withdrawn = {"insight": msgspec.structs.replace(offered.consents["push"], granted=False)}
    left = with_consents(changed(offered, hers=hers), withdrawn).hers  # type: ignore[arg-type]
    assert left == Hers(trials=hers.trials)


def lived(learner: Learner, count: int, effects: dict[str, Any] | None = None) -> list[Lesson]:
    """Teaches it what came of so many decisions; the lessons."""
    lessons: list[Lesson] = []
    effects = {} if effects is None else effects
    who = remembered(shopper(Event(kind="cart", at_us=NOON_US - HOUR_US, sku="trainers")), judged(learner))
    for number in range(count):
        for head in ("open", "uplift", "organic", "optout"):
            lesson = outcome(learner, who.hers.trials[0], effects, head, number % 3 == 0)
            effects |= taught(learner, lesson)
            lessons.append(lesson)
    return lessons


@given(st.integers(0, 12))
def test_the_same_lessons_make_the_same_learner_wherever_they_are_taken_up(split: int) -> None:
    learner = Learner()
    lessons = lived(learner, 3)
    again = Learner()
    for lesson in lessons[:split]:
        taught(again, lesson)
    again = restored(stored(again))
    for lesson in lessons[split:]:
        taught(again, msgspec.msgpack.decode(msgspec.msgpack.encode(lesson), type=Outcome))
    assert stored(again) == stored(learner)


def test_neither_lessons_nor_the_learner_name_the_shopper() -> None:
    learner = Learner()
    lessons = lived(learner, 2)
    assert b"shp_1" not in msgspec.msgpack.encode(lessons)
    kinds = [effects for head in learner.heads.values() for effects in head.effects.values()]
    assert {key for effects in kinds for key in effects.learned} == {"trainers-15", "mall"}


def test_how_she_differs_from_others_comes_back_to_her() -> None:
    effects: dict[str, Any] = {}
    learner = Learner()
    lived(learner, 2, effects)
    assert {"open", "uplift"} <= effects.keys()
    hers = with_effects(Hers(), effects)
    who = changed(shopper(Event(kind="cart", at_us=NOON_US - HOUR_US, sku="trainers")), hers=hers)
    known, stranger = judged(learner, who), judged(learner)
    assert known.judgement is not None
    assert stranger.judgement is not None
    assert known.judgement.terms["opens"] != stranger.judgement.terms["opens"]


def test_without_insight_she_is_a_stranger() -> None:
    hers = Hers(effects={"open": (3.0, 0.1)}, visits={"mall": 9}, pushed=9, opened=9)
    cart = Event(kind="cart", at_us=NOON_US - HOUR_US, sku="trainers")
    known = changed(shopper(cart, insight=False), hers=hers)
    plain = shopper(cart, insight=False)
    told = [judged(who=who).judgement for who in (known, plain)]
    assert told[0] == told[1]


def test_organic_keeps_to_what_is_believed_until_a_purchase_is_told() -> None:
    learner = Learner()
    before = stored(learner)
    trial = remembered(shopper(), judged(learner)).hers.trials[0]
    taught(learner, outcome(learner, trial, {}, "organic", False))
    assert restored(before).heads["organic"].mean.tolist() == learner.heads["organic"].mean.tolist()
    taught(learner, outcome(learner, trial, {}, "organic", True))
    assert restored(before).heads["organic"].mean.tolist() != learner.heads["organic"].mean.tolist()


def test_two_who_are_one_keep_all_trials_and_add_their_habits_up(offered: Shopper) -> None:
    one = msgspec.structs.replace(offered.hers, visits={"mall": 2}, pushed=3)
    other = Hers(visits={"mall": 1, "shop": 1}, pushed=1, opened=1, effects={"open": (0.5, 0.1)})
    both = joined(one, other)
    assert both.trials == offered.hers.trials
    assert both.visits == {"mall": 3, "shop": 1}
    assert (both.pushed, both.opened, both.effects) == (4, 1, {"open": (0.5, 0.1)})
