"""What holds of every way in which the learning policy can be set up."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from offers.learn.arms import Arms, Consents, Scene, arms_of
from offers.learn.explore import FLOOR, Exploration
from offers.learn.features import COLUMNS, features
from offers.learn.heads import Priors
from offers.learn.learner import Learner
from offers.learn.objective import Economics, total
from offers.learn.stored import restored, stored

LEARNERS: dict[str, Callable[[], Learner]] = {
    "informed": lambda: Learner(salt=b"salt"),
    "flat": lambda: Learner(Priors(informed=False), salt=b"salt"),
    "shortlist of eight": lambda: Learner(exploration=Exploration(shortlist=8, gamma=10.0), salt=b"salt"),
    "saving counts": lambda: Learner(money=Economics(saving_weight=0.3, rescale=0.8), salt=b"salt"),
}


@pytest.fixture(params=LEARNERS)
def learner(request: pytest.FixtureRequest) -> Learner:
    return LEARNERS[request.param]()


def arms(count: int = 12, **given: Any) -> Arms:
    random = np.random.default_rng(count)
    return arms_of(
        [f"offer-{number}" for number in range(count)],
        [f"store-{number // 4}" for number in range(count)],
        [f"category-{number % 3}" for number in range(count)],
        **{
            "depth": random.choice([0.0, 0.1, 0.3], count),
            "interest": random.exponential(1.0, count),
            "distance_m": random.uniform(10, 290, count),
            **given,
        },
    )


def scene(number: int = 0, **given: Any) -> Scene:
    return Scene(moment_id=f"mom_{number}", shopper=f"shp_{number % 5}", hour=14.5, **given)


def lived(learner: Learner, moments: int = 30) -> list[tuple[float, ...]]:
    """Lets it decide and learn; what it drew from, moment by moment."""
    drawn = []
    for number in range(moments):
        judged = learner.decide(scene(number, pushes_7d=number % 3), arms())
        drawn.append((*judged.draw.propensities, judged.draw.drawn))
        option = judged.option(judged.draw.shortlist[0])
        learner.learn_open(option, number % 2 == 0)
        learner.learn_offer(option, number % 7 == 0)
        learner.learn_organic([judged.option(3)], [number % 11 == 0])
        learner.learn_opt_out(0, number % 3, number % 20 == 19)
    return drawn


def test_propensities_sum_to_1_and_none_is_below_the_floor(learner: Learner) -> None:
    for *propensities, _ in lived(learner):
        assert sum(propensities) == pytest.approx(1.0, abs=1e-12)
        assert min(propensities) >= FLOOR - 1e-12


def test_seeded_runs_repeat_to_the_last_bit(learner: Learner) -> None:
    twin = restored(stored(learner))
    assert lived(learner) == lived(twin)
    assert stored(learner) == stored(twin)


def test_what_is_stored_midway_goes_on_as_if_nothing_had_been(learner: Learner) -> None:
    lived(learner)
    again = restored(stored(learner))
    assert lived(again) == lived(learner)


def test_a_pickle_goes_on_as_well(learner: Learner) -> None:
    lived(learner)
    again = pickle.loads(pickle.dumps(learner))
    assert lived(again) == lived(learner)


def test_a_feature_that_a_stored_learner_lacks_starts_from_its_prior(learner: Learner) -> None:
    lived(learner)
    state = stored(learner)
    older = restored(state, lacking={"dwell", "interest"})
    fresh = restored(stored(LEARNERS["informed"]()))
    index = [column.name for column in COLUMNS].index("interest")
    assert older.heads["organic"].mean[index] != learner.heads["organic"].mean[index]
    assert np.count_nonzero(older.heads["organic"].cov[index]) <= 1
    assert older.heads["organic"].mean[0] == learner.heads["organic"].mean[0]
    assert fresh.decide(scene(), arms()).draw is not None
    assert lived(older)


def test_a_shopper_an_offer_and_a_store_never_seen_get_a_decision(learner: Learner) -> None:
    lived(learner)
    strange = arms_of(["new"], ["nowhere"], ["nothing"])
    judged = learner.decide(Scene(moment_id="m", shopper="unknown", hour=3.0), strange)
    assert np.isfinite(judged.worth.score).all()
    assert sum(judged.draw.propensities) == pytest.approx(1.0)


def test_deciding_changes_nothing(learner: Learner) -> None:
    before = stored(learner)
    learner.decide(scene(), arms())
    assert stored(learner) == before


def test_an_arm_that_a_gate_removed_is_never_drawn(learner: Learner) -> None:
    allowed = np.array([number == 5 for number in range(12)])
    for number in range(100):
        draw = learner.decide(scene(number), arms(), allowed).draw
        assert draw.shortlist == (5,)
        assert draw.chosen in (None, 5)


def test_with_every_arm_removed_nothing_is_said_for_certain(learner: Learner) -> None:
    draw = learner.decide(scene(), arms(), np.zeros(12, dtype=bool)).draw
    assert (draw.chosen, draw.propensities) == (None, (1.0,))


def test_the_draw_follows_from_the_moment_and_the_secret_alone(learner: Learner) -> None:
    first, same, other = (learner.decide(scene(number), arms()).draw.uniform for number in (1, 1, 2))
    assert first == same != other


def test_the_shares_drawn_are_the_propensities() -> None:
    learner = Learner(exploration=Exploration(gamma=20.0), salt=b"salt")
    shares = np.zeros(5)
    for number in range(1000):
        drawn = learner.decide(Scene(moment_id=str(number), shopper="s", hour=9.0), arms()).draw
        shares[drawn.drawn] += 1 / 1000
    expected = np.array(drawn.propensities)
    assert np.abs(shares - expected).max() < 4 * np.sqrt(0.25 / 1000)


def test_the_terms_of_a_receipt_give_its_score_again(learner: Learner) -> None:
    lived(learner)
    judged = learner.decide(scene(), arms())
    for index in judged.draw.shortlist:
        terms = judged.worth.terms(index)
        assert total(terms, learner.money.rescale) == terms["score"]


@pytest.mark.parametrize("block", ["relational", "personal", "realtime"])
def test_without_consent_a_block_says_what_it_says_of_a_stranger(block: str) -> None:
    told = arms(bought=3.0, visits=2.0, favourite=1.0)
    who = scene(pushes_7d=3, redeemed=2, opened=1, pushed=4, consents=Consents(**{block: False}))
    matrix = features(who, told)
    silent = [column.block == block for column in COLUMNS]
    assert not matrix[:, silent].any()
    assert matrix[:, [not one for one in silent]].any()


def test_it_learns_what_is_so() -> None:
    learner, chosen = Learner(salt=b"salt"), arms(1, depth=0.2)
    before = learner.decide(scene(), chosen).worth
    option = learner.decide(scene(), chosen).option(0)
    for number in range(200):
        learner.learn_open(option, number % 10 == 0)
        learner.learn_offer(option, number % 3 == 0)
    after = learner.decide(scene(), chosen).worth
    assert after.term("opens")[0] == pytest.approx(0.1, abs=0.05)
    assert before.term("buys")[0] < after.term("buys")[0] < 0.4
