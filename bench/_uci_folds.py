"""The nightly model as it is shipped, on five folds of UCI coupon, beside models that are not shipped."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench._learning import side_by_side
from bench._uci import load
from offers.learn.blr import Floats, sigmoid
from offers.learn.nightly import fit
from offers.learn.table import Coder, Table

FOLDS = 5


def figures(name: str, *, by_shopper: bool) -> Iterator[dict[str, Any]]:
    """AUC, log-loss and calibration error over all folds, the best of all models beside."""
    folds = side_by_side(_fold, [(number, by_shopper) for number in range(FOLDS)])
    happened = load()[1]
    logits = {model: np.empty(len(happened)) for model in folds[0][1]}
    for rows, of in folds:
        for model, values in of.items():
            logits[model][rows] = values
    scores = {model: auc(happened, values) for model, values in logits.items()}
    best = max(scores, key=lambda model: scores[model])
    shipped = sigmoid(logits["shipped"])
    yield {
        "name": name,
        "value": round(scores["shipped"], 4),
        "unit": "AUC",
        "baseline": {"name": best, "value": round(scores[best], 4)},
        "each": {model: round(score, 4) for model, score in scores.items()},
        "ece": round(calibration_error(happened, shipped), 4),
        "log_loss": round(log_loss(happened, shipped), 4),
    }


def parts(shopper: NDArray[np.str_], *, by_shopper: bool) -> NDArray[np.intp]:
    """The fold of each row."""
    random = np.random.default_rng(0)
    if by_shopper:
        who, number = np.unique(shopper, return_inverse=True)
        return (random.permutation(len(who)) % FOLDS)[number]
    return random.permutation(len(shopper)) % FOLDS


def _fold(of: tuple[int, bool]) -> tuple[NDArray[np.intp], dict[str, Floats]]:
    number, by_shopper = of
    table, happened = load()
    part = parts(table.shopper, by_shopper=by_shopper)
    rest, out = np.flatnonzero(part != number), np.flatnonzero(part == number)
    model, rows = fit(table.take(rest), happened[rest]), table.take(out)
    ridge, trees, forest = (member.logits(rows) for member in model.members)
    others = _others(table, happened, rest, out)
    return out, {
        "shipped": model.logits(rows),
        "ridge": ridge,
        "trees": trees,
        "forest": forest,
        **others,
        "ridge + trees + forest + SVC": ridge + trees + forest + others["SVC"],
        "ridge + trees + extra trees + SVC": ridge + trees + others["extra trees"] + others["SVC"],
    }


def _others(
    table: Table, happened: Floats, rest: NDArray[np.intp], out: NDArray[np.intp]
) -> dict[str, Floats]:
    from sklearn.ensemble import ExtraTreesClassifier  # noqa: PLC0415 - nothing else here needs it
    from sklearn.svm import SVC  # noqa: PLC0415

    coder = Coder(table)
    codes = coder.codes(table)
    columns = [np.eye(len(coder.levels[name]))[codes[name]] for name in table.categories]
    matrix = np.concatenate(columns, axis=1)
    forest = ExtraTreesClassifier(300, min_samples_leaf=2, max_features=0.3, random_state=0)
    chance = np.clip(
        forest.fit(matrix[rest], happened[rest]).predict_proba(matrix[out])[:, 1], 1e-3, 1 - 1e-3
    )
    machine = SVC(C=1.5, gamma=0.03).fit(matrix[rest], happened[rest])
    return {
        "extra trees": np.log(chance / (1 - chance)),
        "SVC": 1.5 * machine.decision_function(matrix[out]),
    }


def auc(happened: Floats, score: Floats) -> float:
    """Area under the ROC curve (the share of pairs in the right order)."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415

    return float(roc_auc_score(happened, score))


def calibration_error(happened: Floats, chance: Floats, bins: int = 15) -> float:
    """Mean distance between predicted and observed shares, over bins of equal count."""
    groups = np.array_split(np.argsort(chance, kind="stable"), bins)
    off = [len(rows) * abs(float(chance[rows].mean() - happened[rows].mean())) for rows in groups]
    return sum(off) / len(chance)


def log_loss(happened: Floats, chance: Floats) -> float:
    """Mean negative log-likelihood, in nats."""
    likely = np.where(happened == 1.0, chance, 1.0 - chance)
    return float(-np.log(np.maximum(likely, 1e-12)).mean())
