"""Runs policies in simulated towns, and tells what share of the oracle's gain each has."""

from collections.abc import Callable, Iterator
from typing import Any

from bench._learning import SHORT
from offers.learn.heads import Priors
from offers.learn.learner import Learner
from offers.simulator.policies import (
    Deepest,
    LastBrowsed,
    Learning,
    Nearest,
    Never,
    Random,
    Response,
    Scorecard,
    capture,
    oracle,
)
from offers.simulator.run import Conditions, Policy, Score, World
from offers.simulator.run import run as run_policy

WORLDS, MOMENTS = (2, 4_000) if SHORT else (4, 20_000)
POLICIES: dict[str, Callable[[], Policy]] = {
    "capture": lambda: Learning(Learner()),
    "capture static scorecard": lambda: Scorecard(Learner()),
    "capture response only": lambda: Response(Learner()),
    "capture last browsed": LastBrowsed,
    "capture nearest": Nearest,
    "capture deepest discount": Deepest,
    "capture random": lambda: Random(0),
}


def flat(seed: int) -> dict[str, dict[str, Any]]:
    return world(seed, {"capture_flat": lambda: Learning(Learner(Priors(informed=False)))})


def world(seed: int, policies: dict[str, Callable[[], Policy]] | None = None) -> dict[str, dict[str, Any]]:
    """All policies in one town."""
    place = World(seed, Conditions(moments=MOMENTS))
    never, best = run_policy(place, Never()), oracle(place)
    gain = {"oracle": round(100 * (best.profit / never.profit - 1), 2)}
    return {
        name: _told(run_policy(place, make()), never, best) | gain
        for name, make in (policies or POLICIES).items()
    }


def _told(score: Score, never: Score, best: Score) -> dict[str, Any]:
    return {
        "value": capture(score, never, best),
        "last": capture(score, never, best, last_quarter=True),
        "sent": score.sent / MOMENTS,
        "opted_out": score.opted_out,
        "profit": 100 * (score.profit / never.profit - 1),
    }


def told(worlds: list[dict[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for name in worlds[0]:
        of = [one[name] for one in worlds]
        yield {
            "name": name,
            "value": round(sum(one["value"] for one in of) / len(of), 3),
            "unit": "of the oracle's gain",
            "each": [round(one["value"], 3) for one in of],
            "last_quarter": round(sum(one["last"] for one in of) / len(of), 3),
            "sent": round(sum(one["sent"] for one in of) / len(of), 3),
            "opted_out": sum(one["opted_out"] for one in of),
            "profit_percent": round(sum(one["profit"] for one in of) / len(of), 2),
            "oracle_percent": [one["oracle"] for one in of],
        }
