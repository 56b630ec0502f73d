"""A decision over 200 offers: features, mask, heads, objective, shortlist, draw. Processor time, one thread.

The baseline is one product of a 200 x 48 matrix and a vector in the same run, interleaved with the decisions.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from offers.learn.arms import Arms, Scene, arms_of
from offers.learn.learner import Judged, Learner

OFFERS, ROUNDS, WARM = 200, 3000, 200


def run() -> Iterator[dict[str, Any]]:
    """Median and 99th percentile in microseconds, and the ratio to the product."""
    learner, arms, allowed = scenario()
    random = np.random.default_rng(7)
    matrix, weights = random.normal(size=(OFFERS, 48)), random.normal(size=48)
    decided, product = [], []
    for number in range(ROUNDS + WARM):
        scene = Scene(moment_id=f"m{number}", shopper=f"s{number % 50}", hour=15.0, pushes_7d=1)
        decided.append(took_us(lambda scene=scene: complete(learner, scene, arms, allowed)))
        product.append(took_us(lambda: matrix @ weights))
    ours, theirs = np.array(decided[WARM:]), np.array(product[WARM:])
    baseline = {"name": "X @ w, 200 x 48", "value": round(float(np.median(theirs)), 2)}
    yield figure("nbo_latency", float(np.median(ours)), "us p50") | {"baseline": baseline}
    yield figure("nbo_latency p99", float(np.quantile(ours, 0.99)), "us p99")


def scenario() -> tuple[Learner, Arms, np.ndarray]:
    """A learner with effects of all kinds, 200 arms with most columns set, and one in ten gated off."""
    random = np.random.default_rng(5)
    names = [f"offer-{number}" for number in range(OFFERS)]
    arms = arms_of(
        names,
        ["store-1"] * OFFERS,
        [f"category-{number % 12}" for number in range(OFFERS)],
        depth=random.choice([0.0, 0.1, 0.2, 0.3], OFFERS),
        price=random.uniform(5, 100, OFFERS),
        interest=random.exponential(0.4, OFFERS),
        distance_m=60.0,
        bought=random.poisson(1.0, OFFERS),
        visits=2.0,
    )
    learner = Learner()
    for number in range(OFFERS):
        scene = Scene(moment_id=f"warm{number}", shopper=f"s{number % 50}", hour=12.0)
        option = learner.decide(scene, arms).option(number)
        learner.learn_open(option, number % 2 == 0)
        learner.learn_offer(option, number % 20 == 0)
        learner.learn_organic([option], [number % 30 == 0])
    return learner, arms, random.uniform(size=OFFERS) > 0.1


def complete(learner: Learner, scene: Scene, arms: Arms, allowed: np.ndarray) -> tuple[Judged, list[Any]]:
    """The decision and what its receipt keeps: the terms and variances of every arm in the draw."""
    judged = learner.decide(scene, arms, allowed)
    few = judged.draw.shortlist
    spread = learner.heads["uplift"].variances(
        judged.matrix[list(few)], [arms.keys(index, scene.shopper) for index in few]
    )
    return judged, [(judged.worth.terms(index), of) for index, of in zip(few, spread.tolist(), strict=True)]


def took_us(what: Callable[[], Any]) -> float:
    began = time.thread_time_ns()
    what()
    return (time.thread_time_ns() - began) / 1000


def figure(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 1), "unit": unit}
