"""A bandit on real contexts: the learning policy's regret beside Vowpal Wabbit's best of seven settings.

Contexts are UCI coupon's respondents and scenarios; ten coupons (type and expiry) and nothing are the arms;
whether one is accepted is decided by gradient boosting fitted on all of the data, which neither learner
sees. Vowpal Wabbit runs in the Python that BENCH_VW_PYTHON names (one with `vowpalwabbit` installed);
without it only ours is told."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench._learning import SHORT
from bench._uci import PERSON, SCENARIO, load
from offers.learn.blr import Floats, Head, sigmoid
from offers.learn.explore import Exploration, draw
from offers.learn.table import Coder, Table

ROUNDS, SEEDS = (2_000, 1) if SHORT else (20_000, 3)
VALUES = {
    "Bar": 1.6,
    "Coffee House": 1.0,
    "Carry out & Take away": 1.2,
    "Restaurant(<20)": 1.1,
    "Restaurant(20-50)": 2.0,
}
EXPIRIES = {"1d": 0.9, "2h": 1.0}
COST = 0.6
SETTINGS = (
    "--squarecb",
    "--squarecb --gamma_scale 100",
    "--squarecb --gamma_scale 1000",
    "--epsilon 0.05",
    "--first 2000",
    "--bag 5",
    "--regcb",
)
CONTEXT = tuple(name for name in (*SCENARIO, *PERSON) if name not in ("couponType", "expiration"))
ARMS = [(coupon, expiry) for coupon in VALUES for expiry in EXPIRIES]
WORTH = np.array([VALUES[coupon] * EXPIRIES[expiry] for coupon, expiry in ARMS])


def run() -> Iterator[dict[str, Any]]:
    """Mean regret over the seeds, in units of reward; Vowpal Wabbit's best as the baseline."""
    table, chances = truth()
    contexts = [
        [
            f"{name}={table.categories[name][row]}".replace(" ", "_").replace("|", "_").replace(":", "_")
            for name in CONTEXT
        ]
        for row in range(len(table))
    ]
    ours: list[float] = []
    theirs: dict[str, list[float]] = {setting: [] for setting in SETTINGS}
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        rounds = list(
            zip(
                random.integers(0, len(table), ROUNDS).tolist(),
                *random.uniform(size=(2, ROUNDS)).tolist(),
                strict=True,
            )
        )
        ours.append(regret(contexts, chances, rounds))
        if "BENCH_VW_PYTHON" in os.environ:
            for setting, value in vowpal(contexts, chances, rounds).items():
                theirs[setting].append(value)
    told: dict[str, Any] = {
        "name": "regret",
        "value": round(float(np.mean(ours)), 1),
        "unit": f"reward in {ROUNDS:,} rounds",
    }
    if all(theirs.values()):
        means = {setting: round(float(np.mean(values)), 1) for setting, values in theirs.items()}
        best = min(means, key=lambda setting: means[setting])
        told |= {"baseline": {"name": f"vw {best}", "value": means[best]}, "vw": means}
    yield told


def truth() -> tuple[Table, Floats]:
    """The contexts, and of each the probability that each coupon is accepted."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

    table, happened = load()
    coder = Coder(table)

    def matrix(of: Table) -> Floats:
        codes = coder.codes(of)
        return np.column_stack([codes[name] for name in table.categories]).astype(float)

    model = HistGradientBoostingClassifier(
        max_iter=150,
        categorical_features=[*range(len(table.categories))],
        random_state=0,
        early_stopping=False,
    ).fit(matrix(table), happened)
    columns = []
    for coupon, expiry in ARMS:
        told = {"couponType": coupon, "expiration": expiry}
        asked = {
            name: np.full(len(table), told[name]) if name in told else values
            for name, values in table.categories.items()
        }
        columns.append(model.predict_proba(matrix(Table.of(asked, shopper=table.shopper)))[:, 1])
    return table, np.column_stack(columns)


def regret(contexts: list[list[str]], chances: Floats, rounds: list[tuple[int, float, float]]) -> float:
    """Ours: one head, with an effect of each thing in the context, with each coupon and with each expiry."""
    kinds = [f"{part} {number}" for number in range(len(CONTEXT)) for part in ("", "coupon", "expiry")]
    head = Head(np.zeros(len(ARMS) + 1), np.full(len(ARMS) + 1, 0.5), dict.fromkeys(kinds, 0.1))
    dense = np.column_stack([np.ones(len(ARMS)), np.eye(len(ARMS))])
    exploration = Exploration(unit=1.0)
    total = 0.0
    for row, drawn, happening in rounds:
        keys = [
            {
                f"{part} {number}": f"{of} {value}"
                for number, value in enumerate(contexts[row])
                for part, of in (("", ""), ("coupon", coupon), ("expiry", expiry))
            }
            for coupon, expiry in ARMS
        ]
        eta = np.array([head.eta(dense[arm], keys[arm]) for arm in range(len(ARMS))])
        chosen = draw(sigmoid(eta) * WORTH - COST, exploration, drawn).chosen
        worth = chances[row] * WORTH - COST
        total += max(float(worth.max()), 0.0) - (0.0 if chosen is None else float(worth[chosen]))
        if chosen is not None:
            head.learn(dense[chosen], keys[chosen], bool(happening < chances[row, chosen]))
    return total


def vowpal(
    contexts: list[list[str]], chances: Floats, rounds: list[tuple[int, float, float]]
) -> dict[str, float]:
    """The regret of each setting on the same rounds."""
    bandit = {
        "arms": [[part.replace(" ", "_") for part in arm] for arm in ARMS],
        "contexts": contexts,
        "chances": chances.tolist(),
        "worth": (chances * WORTH - COST).tolist(),
        "values": WORTH.tolist(),
        "cost": COST,
        "rounds": rounds,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bandit.json"
        path.write_text(json.dumps(bandit), encoding="utf-8")
        script = Path(__file__).with_name("_vw.py")
        return {
            setting: float(
                subprocess.run(
                    [os.environ["BENCH_VW_PYTHON"], script, path, *setting.split()],
                    check=True,
                    capture_output=True,
                ).stdout
            )
            for setting in SETTINGS
        }
