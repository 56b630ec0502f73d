"""The nightly model: what all outcomes say together, as a logit that the online heads start from.

Three models that err differently are stacked by a logistic regression on logits of rows they had not seen:

    ridge     logistic regression on every category, pairs of what tells of the moment, pairs of that with
              what tells of her, and each shopper's own effects: alone, and with each thing of the moment
    trees     HistGradientBoosting on the categories and numbers, and on each shopper's shrunk rate of others'
              rows (never of her own row); without the rates for shoppers who were not there
    forest    extremely randomised trees on every category's values, each by itself (Geurts, Ernst & Wehenkel
              2006); with the rates likewise

The same regression calibrates. A model that is calibrated on known shoppers is not calibrated for
strangers, so there is one stack for each: half of the shoppers are held out as strangers, the others row by
row. Folds are shuffled: files come sorted by shopper. scikit-learn is imported when a model is fitted,
never for a decision."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offers.learn.blr import Floats
from offers.learn.table import SHOPPER, Coder, Levels, Table

FOLDS = 3
MEMBERS = 3
BOOSTED, GROWN = 250, 200  #: trees, of gradient boosting and of the forest
PAIR_WEIGHT, SHOPPER_WEIGHT = 0.7, 0.6
#: So many offers (stores, …) are told apart, those of most outcomes: by gradient boosting, whose bins have 8
#: bits, and by the forest, to which each is a column.
BOOSTED_MOST, GROWN_MOST = 250, 32
#: Each of the forest's trees sees so many rows at the most.
SEEN_MOST = 20_000
#: A shopper's rate is shrunk as if there were so many average outcomes more.
SHRUNK_BY = 4.0


class Nightly:
    """A fitted model. `logits` of rows of known and new shoppers alike."""

    def __init__(self, members: list["Member"], known: Levels, weights: tuple[Floats, Floats]) -> None:
        """`weights`: of the constant and of each member, for strangers and for known shoppers."""
        self.members, self.known, self.weights = members, known, weights

    def logits(self, table: Table) -> Floats:
        columns = np.column_stack([np.ones(len(table)), *(member.logits(table) for member in self.members)])
        strange, familiar = (columns @ weights for weights in self.weights)
        return np.where(self.known.codes(table.shopper) >= 0, familiar, strange)


class Member:
    """One fitted model of the stack."""

    def logits(self, table: Table) -> Floats:
        raise NotImplementedError


def fit(table: Table, happened: Floats, *, seed: int = 0) -> Nightly:
    """Fits on all rows."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - never for a decision

    fold, strangers = folds(table.shopper, seed)
    held = np.empty((len(table), MEMBERS))
    for number in range(FOLDS):
        rest, out = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        held[out] = np.column_stack(
            [member.logits(table.take(out)) for member in _fitted(table.take(rest), happened[rest])]
        )
    weights = []
    for rows in (strangers, ~strangers):
        stack = LogisticRegression(C=10.0).fit(held[rows], happened[rows])
        weights.append(np.append(stack.intercept_, stack.coef_[0]))
    return Nightly(_fitted(table, happened), Levels(table.shopper), (weights[0], weights[1]))


def folds(shopper: NDArray[np.str_], seed: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """A fold for each row, and whether it is a stranger's: all rows of one are in one fold."""
    random = np.random.default_rng(seed)
    who, number = np.unique(shopper, return_inverse=True)
    strange = (random.permutation(len(who)) % 2 == 0)[number]
    together = (random.permutation(len(who)) % FOLDS)[number]
    return np.where(strange, together, random.permutation(len(shopper)) % FOLDS), strange


def _fitted(table: Table, happened: Floats) -> list[Member]:
    rates = OwnRates(table, happened)
    return [Ridge(table, happened), Trees(table, happened, rates), Forest(table, happened, rates)]


class Ridge(Member):
    """Logistic regression with crosses and shopper effects."""

    def __init__(self, table: Table, happened: Floats, strength: float = 0.1) -> None:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

        self.coder = Coder(table)
        self.levels = [Levels(values[values >= 0]) for values, _ in self._blocks(table)]
        self.centre = {name: (column.mean(), column.std() or 1.0) for name, column in table.numbers.items()}
        self.model = LogisticRegression(C=strength, max_iter=400).fit(self._matrix(table), happened)

    def logits(self, table: Table) -> Floats:
        return np.asarray(self.model.decision_function(self._matrix(table)), dtype=np.float64)

    def _matrix(self, table: Table) -> Any:
        """One-hot columns, as a sparse matrix; a level never seen has none."""
        from scipy import sparse  # noqa: PLC0415

        parts = []
        for levels, (values, weight) in zip(self.levels, self._blocks(table), strict=True):
            codes = levels.codes(values)
            seen = np.flatnonzero(codes >= 0)
            shape = (len(table), len(levels))
            parts.append(sparse.csr_matrix((np.full(len(seen), weight), (seen, codes[seen])), shape=shape))
        for name, column in table.numbers.items():
            mean, spread = self.centre[name]
            parts.append(sparse.csr_matrix(((column - mean) / spread)[:, None]))
        return sparse.hstack(parts).tocsr()

    def _blocks(self, table: Table) -> Iterator[tuple[NDArray[np.intp], float]]:
        """Every category and pair, with the weight of its columns: a smaller one is shrunk more."""
        codes = self.coder.codes(table)
        of_her = [name for name in table.categories if name not in table.context]
        for name in (*table.categories, SHOPPER):
            yield codes[name], 1.0
        pairs = [
            *combinations(table.context, 2),
            *((one, other) for one in table.context for other in of_her),
        ]
        for one, other in pairs:
            yield self.coder.crossed(codes, one, other), PAIR_WEIGHT
        for name in table.context:
            yield self.coder.crossed(codes, SHOPPER, name), SHOPPER_WEIGHT


class Trees(Member):
    """Gradient boosting on histograms, once with the shoppers' rates and once without."""

    def __init__(self, table: Table, happened: Floats, rates: "OwnRates") -> None:
        self.rates, self.coder = rates, Coder(table, BOOSTED_MOST)
        plain = self._matrix(table)
        self.strange = self._boosted(plain, happened)
        self.familiar = self._boosted(np.column_stack([plain, rates.others]), happened)

    def logits(self, table: Table) -> Floats:
        plain = self._matrix(table)
        strange: Floats = self.strange.decision_function(plain)
        familiar: Floats = self.familiar.decision_function(np.column_stack([plain, self.rates.of(table)]))
        return np.where(self.rates.knows(table), familiar, strange)

    def _boosted(self, matrix: Floats, happened: Floats) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

        return HistGradientBoostingClassifier(
            max_iter=BOOSTED,
            learning_rate=0.06,
            max_leaf_nodes=24,
            l2_regularization=3.0,
            max_features=0.4,
            categorical_features=[*range(len(self.coder.levels) - 1)],
            early_stopping=False,
            random_state=0,
        ).fit(matrix, happened)

    def _matrix(self, table: Table) -> Floats:
        codes = self.coder.codes(table)
        coded = [np.where(codes[name] >= 0, codes[name], np.nan) for name in table.categories]
        return np.column_stack([*coded, *table.numbers.values()])


class Forest(Member):
    """Extremely randomised trees, once with the shoppers' rates and once without."""

    def __init__(self, table: Table, happened: Floats, rates: "OwnRates") -> None:
        self.rates, self.coder = rates, Coder(table, GROWN_MOST)
        plain = self._matrix(table)
        self.strange = self._grown(plain, happened)
        self.familiar = self._grown(np.column_stack([plain, rates.others]), happened)

    def logits(self, table: Table) -> Floats:
        plain = self._matrix(table)
        chances = np.where(
            self.rates.knows(table),
            self.familiar.predict_proba(np.column_stack([plain, self.rates.of(table)]))[:, 1],
            self.strange.predict_proba(plain)[:, 1],
        )
        likely = np.clip(chances, 1e-3, 1 - 1e-3)
        logits: Floats = np.log(likely / (1 - likely))
        return logits

    def _grown(self, matrix: Floats, happened: Floats) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier  # noqa: PLC0415

        many = len(matrix) > SEEN_MOST
        forest = ExtraTreesClassifier(
            GROWN,
            min_samples_leaf=2,
            max_features=0.3,
            bootstrap=many,
            max_samples=SEEN_MOST if many else None,
            random_state=0,
        )
        return forest.fit(matrix, happened)

    def _matrix(self, table: Table) -> Floats:
        codes, levels = self.coder.codes(table), self.coder.levels
        columns = [codes[name][:, None] == np.arange(len(levels[name])) for name in table.categories]
        return np.column_stack([*columns, *table.numbers.values()]).astype(np.float32)


class OwnRates:
    """Each shopper's shrunk rates: alone, and by each thing of the moment."""

    def __init__(self, table: Table, happened: Floats) -> None:
        self.coder = Coder(table)
        keys = self._keys(table)
        self.rates = [Rates(of, happened) for of in keys]
        #: Of the rows that it is fitted on, each without itself.
        self.others = np.column_stack(
            [rates.without(of, happened) for rates, of in zip(self.rates, keys, strict=True)]
        )

    def of(self, table: Table) -> Floats:
        """Of other rows."""
        return np.column_stack(
            [rates.of(keys) for rates, keys in zip(self.rates, self._keys(table), strict=True)]
        )

    def knows(self, table: Table) -> NDArray[np.bool_]:
        """Whether a row's shopper was there."""
        return self.coder.codes(table)[SHOPPER] >= 0

    def _keys(self, table: Table) -> list[NDArray[np.intp]]:
        codes = self.coder.codes(table)
        return [codes[SHOPPER], *(self.coder.crossed(codes, SHOPPER, name) for name in table.context)]


class Rates:
    """Shrunk rates by key."""

    def __init__(self, keys: NDArray[np.intp], happened: Floats) -> None:
        self.levels, self.mean = Levels(keys), float(happened.mean())
        codes = self.levels.codes(keys)
        self.count = np.bincount(codes).astype(float)
        self.sum = np.bincount(codes, happened)

    def of(self, keys: NDArray[np.intp]) -> Floats:
        """The rate of each key; the mean of one never seen."""
        codes = self.levels.codes(keys)
        rates = (self.sum + SHRUNK_BY * self.mean) / (self.count + SHRUNK_BY)
        return np.where(codes >= 0, rates[codes], self.mean)

    def without(self, keys: NDArray[np.intp], happened: Floats) -> Floats:
        """Of each row the rate without that row."""
        codes = self.levels.codes(keys)
        total = self.sum[codes] - happened + SHRUNK_BY * self.mean
        rates: Floats = total / (self.count[codes] - 1 + SHRUNK_BY)
        return rates
