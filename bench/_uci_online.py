"""New shoppers, of whom the online head learns one outcome after the other; the nightly model is its offset.

Five folds of UCI coupon's respondents. Each outcome is predicted before it is learned.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench._learning import side_by_side
from bench._uci import SCENARIO, load
from bench._uci_folds import FOLDS, auc, calibration_error, log_loss, parts
from offers.learn.blr import Floats, Head, Keys, sigmoid
from offers.learn.nightly import fit
from offers.learn.table import Table

#: What kind of coupon it is tells most of a shopper's taste: alone, and with where and with whom she goes.
PAIRS = {
    ("couponType", "expiration"): 0.5,
    ("couponType", "destination"): 0.5,
    ("couponType", "time"): 0.4,
    ("couponType", "passanger"): 0.4,
}
EFFECTS = {"shopper": 0.8, **dict.fromkeys(SCENARIO, 0.3), "couponType": 0.8} | {
    " ".join(pair): sd for pair, sd in PAIRS.items()
}
BY_OUTCOMES = ((0, 0), (1, 2), (3, 5), (6, 10), (11, 1000))


def figures() -> Iterator[dict[str, Any]]:
    """AUC by how many outcomes of hers were known; calibration over all."""
    happened = load()[1]
    frozen, online, earlier = (np.empty(len(happened)) for _ in range(3))
    for rows, *columns in side_by_side(of_fold, range(FOLDS)):
        frozen[rows], online[rows], earlier[rows] = columns
    for least, most in BY_OUTCOMES:
        rows = np.flatnonzero((earlier >= least) & (earlier <= most))
        told = figure(f"uci_online {least}{'+' if most > 99 else f'-{most}'}", happened[rows], online[rows])
        yield told | {"baseline": {"name": "frozen", "value": round(auc(happened[rows], frozen[rows]), 4)}}
    told = figure("uci_online", happened, online)
    yield told | {"baseline": {"name": "frozen", "value": round(auc(happened, frozen), 4)}}
    yield told | {"name": "uci_online ECE", "value": told["ece"], "unit": "mean error of probabilities"}


def figure(name: str, happened: Floats, chance: Floats) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(auc(happened, chance), 4),
        "unit": "AUC",
        "ece": round(calibration_error(happened, chance), 4),
        "log_loss": round(log_loss(happened, chance), 4),
    }


def of_fold(number: int) -> tuple[NDArray[np.intp], Floats, Floats, Floats]:
    """The rows of one fold: nightly logit, probability by the online head, earlier outcomes of hers."""
    table, happened = load()
    part = parts(table.shopper, by_shopper=True)
    rest, out = np.flatnonzero(part != number), np.flatnonzero(part == number)
    rows = table.take(out)
    offset = fit(table.take(rest), happened[rest]).logits(rows)
    # Dense: a constant, and what is to be added to the offset's own weight of 1.
    head = Head(np.zeros(2), np.array([0.1, 0.1]), EFFECTS)
    chance, earlier, count = np.empty(len(out)), np.empty(len(out)), dict[str, int]()
    for place in range(len(out)):
        shopper, row = str(rows.shopper[place]), np.array([1.0, offset[place]])
        keys = _keys(rows, place, shopper)
        chance[place] = sigmoid(np.array(head.eta(row, keys) + offset[place]))
        earlier[place] = count.get(shopper, 0)
        count[shopper] = count.get(shopper, 0) + 1
        head.learn(row, keys, bool(happened[out[place]]), offset=float(offset[place]))
    return out, offset, chance, earlier


def _keys(rows: Table, place: int, shopper: str) -> Keys:
    """Her effects: her own, and those with each thing of the scenario."""
    of = {name: str(rows.categories[name][place]) for name in SCENARIO}
    pairs = {f"{one} {other}": f"{shopper} {of[one]} {of[other]}" for one, other in PAIRS}
    return {"shopper": shopper} | {name: f"{shopper} {value}" for name, value in of.items()} | pairs
