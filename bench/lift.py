"""The lift detector: false alarms in null worlds that are looked at every day, and how soon it sees a real
lift.

A tenth of 3,000 shoppers is held out; 27 % of the moments have something to say (ghosts in the holdout); 3
% of these end in a purchase, shoppers differ. 120 looks. The lift is one of +20 % over *all* moments, which
is +74 % over those with something to say."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bench._learning import SHORT
from offers.evaluate.lift import Side, lift

WORLDS, POWER_WORLDS, LOOKS = (100 if SHORT else 1000), (20 if SHORT else 200), 120
SHOPPERS, HELD, TO_SAY, BASE, DILUTED = 3_000, 0.1, 0.27, 0.03, 0.20
MOMENTS = 72_000


def run() -> Iterator[dict[str, Any]]:
    """Percent of null worlds with an alarm at any look, and the moments at which 80 % have seen the lift."""
    random = np.random.default_rng(17)
    alarms = [first_alarm(random, 0.0) is not None for _ in range(WORLDS)]
    yield figure(
        "lift false alarms", 100 * float(np.mean(alarms)), f"% of {WORLDS} null worlds, {LOOKS} looks"
    )
    found = sorted(first_alarm(random, DILUTED / TO_SAY) or np.inf for _ in range(POWER_WORLDS))
    yield figure(
        "lift moments to detect", found[int(0.8 * len(found)) - 1] / 1000, "k moments, all of them, 80 %"
    )
    yield figure(
        "lift found by then", 100 * float(np.mean(np.isfinite(found))), f"% within {MOMENTS:,} moments"
    )


def first_alarm(random: Generator, gain: float) -> float | None:
    """The moments until the interval first leaves out nothing; None if it never does."""
    count = int(MOMENTS * TO_SAY)
    held = random.permutation(SHOPPERS) < HELD * SHOPPERS
    chance = BASE * random.gamma(4.0, 0.25, SHOPPERS)
    shopper = random.integers(0, SHOPPERS, count)
    happened = random.uniform(size=count) < chance[shopper] * np.where(held[shopper], 1.0, 1.0 + gain)
    moments, outcome = np.zeros(SHOPPERS), np.zeros(SHOPPERS)
    for look, part in enumerate(np.array_split(np.arange(count), LOOKS), start=1):
        add(moments, shopper[part], None)
        add(outcome, shopper[part], happened[part])
        told = lift(
            Side(moments=moments[~held], outcome=outcome[~held]),
            Side(moments=moments[held], outcome=outcome[held]),
        )
        if told is not None and told.certain:
            return look * MOMENTS / LOOKS
    return None


def add(to: NDArray[np.float64], where: NDArray[np.intp], weight: NDArray[np.bool_] | None) -> None:
    to += np.bincount(where, weight, minlength=SHOPPERS)


def figure(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit}
