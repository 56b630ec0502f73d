"""Budgets are spread over their time, and stores that speak too little speak sooner."""

import numpy as np
import pytest

from offers.learn.fairness import DECISIONS_LEAST, Budgets, Shares

HOUR_US = 3_600_000_000


def spent(budget: float, *, steady: bool = True) -> tuple[float, float, float]:
    """A day of 2,000 decisions that gain more or less than they cost: gained, spent, gained if unpaced."""
    random = np.random.default_rng(3)
    budgets, gained, used, unpaced, greedy = Budgets(), 0.0, 0.0, 0.0, budget
    for number in range(2000):
        now_us = number * 24 * HOUR_US // 2000
        cost = float(random.uniform(0.5, 1.5))
        gain = cost * float(random.exponential(1.0 if steady else 0.3 + 1.4 * number / 2000))
        due = budgets.due("offer", budget, now_us, 24 * HOUR_US)
        made = gain > budgets.price("offer") * cost and used + cost <= budget
        budgets.decided({"offer": (cost if made else 0.0, due)}, now_us)
        if made:
            gained, used = gained + gain, used + cost
            budgets.settled("offer", cost, cost)
        if greedy >= cost:
            unpaced, greedy = unpaced + gain, greedy - cost
    return gained, used, unpaced


@pytest.mark.parametrize("steady", [True, False])
def test_a_budget_of_two_fifths_is_all_spent_never_overdrawn_and_on_what_is_worth_more(steady: bool) -> None:
    gained, used, unpaced = spent(800.0, steady=steady)
    assert 0.97 * 800.0 < used <= 800.0
    assert gained > 1.4 * unpaced


def test_a_budget_that_is_not_short_has_no_price() -> None:
    budgets = Budgets()
    for number in range(100):
        due = budgets.due("offer", 1e6, number * HOUR_US, 200 * HOUR_US)
        budgets.decided({"offer": (1.0, due)}, number * HOUR_US)
    assert budgets.price("offer") == 0.0


def test_the_first_decisions_tell_no_rate() -> None:
    budgets = Budgets()
    for number in range(DECISIONS_LEAST - 1):
        budgets.decided({"offer": (1.0, float("inf"))}, number)
        assert budgets.due("offer", 10.0, number, HOUR_US) == float("inf")


def test_a_coupon_that_ran_out_gives_back_what_was_expected_of_it() -> None:
    budgets = Budgets()
    budgets.decided({"offer": (2.0, float("inf"))}, 0)
    budgets.settled("offer", 2.0, 0.0)
    assert (budgets.paces["offer"].pending, budgets.paces["offer"].spent) == (0.0, 0.0)


def test_a_store_behind_its_share_has_a_bonus_until_it_has_caught_up() -> None:
    shares = Shares()
    for _ in range(50):
        shares.spoken("loud")
    assert shares.bonus("quiet", 0.1) == pytest.approx(0.1)
    assert shares.bonus("loud", 0.1) == 0.0
    for _ in range(6):
        shares.spoken("quiet")
    assert shares.bonus("quiet", 0.1) == 0.0


def test_what_was_long_ago_counts_for_less() -> None:
    shares = Shares()
    for _ in range(5000):
        shares.spoken("loud")
    assert shares.offers < 1000
    assert shares.bonus("new", 0.05) <= 1.0
