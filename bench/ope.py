"""Off-policy evaluation on made-up logs whose truth is known: how often a 95 % interval holds it.

Logs of 5,000 moments by 500 shoppers who differ, eight actions, propensities at least 1 %; the target is
greedier than the log's policy. Where `obp` is installed (it is not required), IPS, SNIPS and DR are
compared with its own."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bench._learning import SHORT
from offers.evaluate.ope import Estimate, Log, Refused, evaluate
from offers.learn.blr import Floats, sigmoid

LOGS, MOMENTS, SHOPPERS, ACTIONS = (60 if SHORT else 400), 5_000, 500, 8


def run() -> Iterator[dict[str, Any]]:
    """Coverage by method, the effective share, and the largest difference from obp's estimates."""
    random = np.random.default_rng(11)
    hits: dict[str, list[bool]] = {"ips": [], "snips": [], "dr": []}
    shares, off = [], []
    for number in range(LOGS):
        log, truth, whole = made(random)
        told = evaluate(log, seed=number)
        if isinstance(told, Refused):
            raise SystemExit(f"refused: {told.detail}")
        for one in told:
            hits[one.method].append(one.low <= truth <= one.high)
        shares.append(told[0].effective_share)
        if number < 20:
            off += compared(log, told, whole)
    for method, held in hits.items():
        yield figure(f"ope coverage {method}", 100 * float(np.mean(held)), "% of 95 % intervals")
    yield figure("ope effective share", float(np.mean(shares)), "of the moments")
    if off:
        yield {"name": "ope against obp", "value": float(f"{max(off):.1e}"), "unit": "largest difference"}


#: What was done; of every action the target's probability, and what the model predicts.
Whole = tuple[NDArray[np.intp], Floats, Floats]


def made(random: Generator) -> tuple[Log, float, Whole]:
    """A log, the target's true value on those contexts, and the same by action."""
    shopper = random.integers(0, SHOPPERS, MOMENTS)
    liking = random.normal(0, 1.0, (SHOPPERS, ACTIONS))[shopper]
    seen = liking + random.normal(0, 1.0, liking.shape)
    luck = random.normal(0, 0.5, SHOPPERS)[shopper]
    chance = sigmoid(liking - 1.5 + luck[:, None])
    logged, target = policy(seen, 1.0), policy(seen, 2.5)
    action = (logged.cumsum(1) < random.uniform(size=(MOMENTS, 1))).sum(1).clip(0, ACTIONS - 1)
    rows = np.arange(MOMENTS)
    predicted = sigmoid(0.5 * seen - 1.3)
    log = Log(
        reward=(random.uniform(size=MOMENTS) < chance[rows, action]).astype(float),
        propensity=logged[rows, action],
        target=target[rows, action],
        shopper=shopper,
        supported=np.ones(MOMENTS),
        predicted=predicted[rows, action],
        predicted_target=(predicted * target).sum(1),
    )
    return log, expected_value(random), (action, target, predicted)


def policy(seen: Floats, sharpness: float) -> Floats:
    """A soft choice with a floor of 1 %."""
    weight = np.exp(sharpness * seen)
    soft: Floats = 0.01 + (1 - 0.01 * ACTIONS) * weight / weight.sum(1, keepdims=True)
    return soft


_TRUTH: dict[str, float] = {}


def expected_value(random: Generator) -> float:
    """The target's value over all shoppers there could be: by a very long log, once."""
    del random
    if not _TRUTH:
        own = np.random.default_rng(12)
        liking = own.normal(0, 1.0, (1_000_000, ACTIONS))
        target = policy(liking + own.normal(0, 1.0, liking.shape), 2.5)
        chance = sigmoid(liking - 1.5 + own.normal(0, 0.5, (len(liking), 1)))
        _TRUTH["value"] = float((target * chance).sum(1).mean())
    return _TRUTH["value"]


def compared(log: Log, told: list[Estimate], whole: Whole) -> list[float]:
    """How far each estimate is from obp's; none where obp is not installed."""
    try:
        from obp.ope import (  # noqa: PLC0415 - need not be installed
            DoublyRobust,
            InverseProbabilityWeighting,
            SelfNormalizedInverseProbabilityWeighting,
        )
    except ImportError:
        return []
    action, target, predicted = whole
    known = {
        "reward": log.reward,
        "action": action,
        "position": np.zeros(len(action), dtype=int),
        "pscore": log.propensity,
        "action_dist": target[:, :, None],
    }
    values = {
        "ips": InverseProbabilityWeighting().estimate_policy_value(**known),
        "snips": SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**known),
        "dr": DoublyRobust().estimate_policy_value(
            estimated_rewards_by_reg_model=predicted[:, :, None], **known
        ),
    }
    return [abs(one.value - values[one.method]) for one in told]


def figure(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit}
