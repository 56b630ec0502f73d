"""One outcome learned by one head: processor time in microseconds."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.nbo_latency import figure, scenario, took_us
from offers.learn.arms import Scene

ROUNDS, WARM = 5000, 200


def run() -> Iterator[dict[str, Any]]:
    """Median and 99th percentile over all three heads in turn."""
    learner, arms, _ = scenario()
    scene = Scene(moment_id="m", shopper="s1", hour=12.0)
    judged = learner.decide(scene, arms)
    options = [judged.option(number) for number in range(len(arms))]
    took = []
    for number in range(ROUNDS + WARM):
        option, happened = options[number % len(options)], number % 17 == 0
        learn = (
            lambda o=option, h=happened: learner.learn_open(o, h),
            lambda o=option, h=happened: learner.learn_offer(o, h),
            lambda o=option, h=happened: learner.learn_organic([o], [h]),
        )[number % 3]
        took.append(took_us(learn))
    yield figure("nbo_update", float(np.median(took[WARM:])), "us p50")
    yield figure("nbo_update p99", float(np.quantile(took[WARM:], 0.99)), "us p99")
