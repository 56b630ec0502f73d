"""A budget of 40 % of what would be spent without one, in 20,000 moments of drifting demand, by the dual
price.

Gains and costs are of UCI coupon's scenarios: accepted with the probability that a ridge regression says,
five coupons with values and discounts of their own. The baselines are the offline optimum, which knows all
moments beforehand (one price, by bisection), and "greedy until the budget is gone"."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from bench._uci import load
from offers.evaluate.pacing import Pace
from offers.learn.blr import Floats
from offers.learn.nightly import Ridge

MOMENTS, SEEDS, SHARE = 20_000, 5, 0.4
MARGIN, DISCOUNT = np.array([4.0, 5.0, 6.0, 8.0, 5.0]), np.array([1.0, 2.0, 1.5, 3.0, 2.5])


def run() -> Iterator[dict[str, Any]]:
    """Shares of the optimum, and of the budget that is spent."""
    chance = _chances()
    days = [day(np.random.default_rng(seed), chance) for seed in range(SEEDS)]
    gains, spends, greedy, over = (np.array(column) for column in zip(*days, strict=True))
    yield _figure("pacing", 100 * gains.mean(), "% of the offline optimum") | {
        "baseline": {"name": "greedy until gone", "value": round(100 * float(greedy.mean()), 2)}
    }
    yield _figure("pacing spent", 100 * spends.mean(), "% of the budget") | {
        "each": [round(100 * float(one), 2) for one in spends]
    }
    yield _figure("pacing overdrawn", float(over.sum()), f"of {SEEDS} days")


def _chances() -> Floats:
    table, happened = load()
    return 1 / (1 + np.exp(-Ridge(table, happened).logits(table)))


def day(random: np.random.Generator, chance: Floats) -> tuple[float, float, float, float]:
    """One day: gain of the optimum's, spend of the budget, greedy's gain of the optimum's, overdrawn."""
    rows = random.integers(0, len(chance), MOMENTS)
    drift = 0.7 + 0.6 * np.sin(np.linspace(0, 2 * np.pi, MOMENTS)) ** 2
    arms = np.clip(chance[rows, None] * drift[:, None] * random.uniform(0.6, 1.2, (MOMENTS, 5)), 0, 1)
    anyway = arms * random.uniform(0, 0.5, (MOMENTS, 1))
    gain, cost = arms * (MARGIN - DISCOUNT) - anyway * MARGIN, arms * DISCOUNT
    uniform = random.uniform(size=MOMENTS)
    budget = SHARE * float(cost[np.arange(MOMENTS), gain.argmax(1)].sum())
    best = _offline(gain, cost, budget)
    won, spent = _paced(gain, cost, arms, uniform, budget)
    return won / best, spent / budget, _greedy(gain, arms, uniform, budget) / best, float(spent > budget)


def _taken(gain: Floats, cost: Floats, price: float) -> tuple[float, float]:
    net = gain - price * cost
    arm, rows = net.argmax(1), np.arange(len(net))
    taken = net[rows, arm] > 0
    return float(gain[rows, arm][taken].sum()), float(cost[rows, arm][taken].sum())


def _offline(gain: Floats, cost: Floats, budget: float) -> float:
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _taken(gain, cost, middle)[1] > budget else (low, middle)
    return _taken(gain, cost, high)[0]


def _paced(gain: Floats, cost: Floats, arms: Floats, uniform: Floats, budget: float) -> tuple[float, float]:
    pace = Pace(left=budget, moments_left=len(gain), price=0.5)
    won = 0.0
    for moment in range(len(gain)):
        net = np.where(pace.left >= DISCOUNT, gain[moment] - pace.price * cost[moment], -1.0)
        arm = int(net.argmax())
        spent = 0.0
        if net[arm] > 0:
            won += float(gain[moment, arm])
            spent = float(DISCOUNT[arm]) * (uniform[moment] < arms[moment, arm])
        pace = pace.after(spent)
    return won, budget - pace.left


def _greedy(gain: Floats, arms: Floats, uniform: Floats, budget: float) -> float:
    won, left = 0.0, budget
    for moment in range(len(gain)):
        arm = int(gain[moment].argmax())
        if DISCOUNT[arm] <= left and gain[moment, arm] > 0:
            won += float(gain[moment, arm])
            left -= float(DISCOUNT[arm]) * (uniform[moment] < arms[moment, arm])
    return won


def _figure(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": round(float(value), 2), "unit": unit}
