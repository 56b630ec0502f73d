"""Off-policy estimates against closed forms, refusals, the confidence sequence, and a budget's pace."""

import msgspec
import numpy as np
import pytest

from offers.evaluate.lift import Side, half_width, lift
from offers.evaluate.ope import Estimate, Log, Refused, evaluate
from offers.evaluate.pacing import Pace


def log(**changes: object) -> Log:
    random = np.random.default_rng(1)
    told = Log(
        reward=(random.uniform(size=900) < 0.3).astype(float),
        propensity=np.tile([0.5, 0.3, 0.2], 300),
        target=np.tile([0.2, 0.5, 0.3], 300),
        shopper=np.arange(900) // 9,
        supported=np.ones(900),
        predicted=np.full(900, 0.25),
        predicted_target=np.full(900, 0.3),
    )
    return msgspec.structs.replace(told, **changes)


def estimates(told: Log) -> dict[str, Estimate]:
    found = evaluate(told)
    assert not isinstance(found, Refused)
    return {one.method: one for one in found}


def test_the_three_estimates_are_their_formulas() -> None:
    told = log()
    weight = told.target / told.propensity
    found = estimates(told)
    assert found["ips"].value == pytest.approx((weight * told.reward).mean(), abs=1e-12)
    assert found["snips"].value == pytest.approx((weight * told.reward).sum() / weight.sum(), abs=1e-12)
    assert found["dr"].value == pytest.approx((0.3 + weight * (told.reward - 0.25)).mean(), abs=1e-12)
    assert found["ips"].effective_share == pytest.approx(weight.sum() ** 2 / (weight**2).sum() / 900)


def test_the_logs_own_policy_is_estimated_as_what_was_earned() -> None:
    told = log(target=log().propensity)
    assert estimates(told)["snips"].value == pytest.approx(told.reward.mean(), abs=1e-12)


def test_an_interval_is_around_its_estimate_and_the_same_every_time() -> None:
    found = estimates(log())
    assert all(one.low < one.value < one.high for one in found.values())
    assert found == estimates(log())


def test_moments_of_one_shopper_count_as_what_they_are() -> None:
    same = np.repeat(np.random.default_rng(2).uniform(size=100) < 0.3, 9).astype(float)
    wide, narrow = estimates(log(reward=same)), estimates(log(reward=same, shopper=np.arange(900)))
    assert wide["snips"].high - wide["snips"].low > 2 * (narrow["snips"].high - narrow["snips"].low)


def test_without_a_model_there_is_no_doubly_robust_estimate() -> None:
    assert set(estimates(log(predicted=None))) == {"ips", "snips"}


def test_few_effective_moments_are_refused() -> None:
    propensity = np.full(900, 1.0)
    propensity[0] = 1e-4
    refused = evaluate(log(propensity=propensity))
    assert isinstance(refused, Refused)
    assert refused.reason == "effective_sample"


def test_a_policy_that_does_what_was_never_done_is_refused() -> None:
    refused = evaluate(log(supported=np.full(900, 0.98)))
    assert isinstance(refused, Refused)
    assert refused.reason == "support"


def side(rate: float, shoppers: int, seed: int) -> Side:
    random = np.random.default_rng(seed)
    return Side(moments=np.full(shoppers, 10.0), outcome=random.binomial(10, rate, shoppers).astype(float))


def test_a_large_lift_is_seen_and_none_is_not() -> None:
    seen, none = lift(side(0.2, 2000, 1), side(0.1, 500, 2)), lift(side(0.1, 2000, 3), side(0.1, 500, 4))
    assert seen is not None
    assert none is not None
    assert seen.low > 0.05
    assert (seen.certain, none.certain) == (True, False)


def test_little_says_nothing() -> None:
    assert lift(side(0.2, 2000, 1), side(0.1, 20, 2)) is None
    assert lift(side(0.2, 2000, 1), side(0.0, 500, 2)) is None


def test_the_interval_is_wider_than_an_ordinary_one_but_not_by_much() -> None:
    half = half_width(1.0 / 10_000, 10_000, tight_at=10_000)
    assert 1.96 / 100 < half < 1.8 * 1.96 / 100


def test_spending_ahead_of_time_raises_the_price_and_behind_it_lowers_it() -> None:
    pace = Pace(left=100.0, moments_left=100.0, price=0.5)
    assert pace.after(3.0).price > 0.5 > pace.after(0.0).price
    assert Pace(left=100.0, moments_left=100.0).after(0.0).price == 0.0


def test_a_budget_is_never_overdrawn() -> None:
    pace = Pace(left=2.5, moments_left=10.0)
    assert pace.affords(2.5)
    assert not pace.after(1.0).affords(2.0)
