"""A learner fitted anew from all its lessons: what the nightly models know, as beliefs of the online heads.

Trees are too slow for a decision, so what they say is distilled. On every lesson's row the nightly model
(`offers.learn.nightly`) gives a logit; the head's weights are those that come nearest to these logits, given
what was believed beforehand, and as certain as so many outcomes make them:

    A = Λ + Xᵀ W X        mean = A⁻¹ (Λ prior + Xᵀ W t)        cov = A⁻¹        W = p (1 − p)

with t the logits less what others account for (an offset, a shopper's own effects), and likewise one by one
for the effects of offers and stores. The learner goes on learning from there.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from offers.learn.blr import Floats, Head, sigmoid
from offers.learn.features import COLUMNS, WIDTH
from offers.learn.heads import Priors, heads
from offers.learn.hers import TASTE
from offers.learn.learner import Learner
from offers.learn.lesson import Outcome
from offers.learn.nightly import fit
from offers.learn.stored import restored, stored
from offers.learn.table import Table

#: A head with fewer lessons, or fewer of either outcome, stays as it has learned online.
ROWS_LEAST, EITHER_LEAST = 400, 30
#: The share of the lessons, the newest, that the figures are measured on.
TESTED = 0.2
FITTED = ("open", "organic", "uplift")


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """The lessons of one head, as columns of n."""

    matrix: Floats
    happened: Floats
    known: Floats  #: the part of the logit that others account for
    offers: tuple[str, ...]
    stores: tuple[str, ...]
    categories: tuple[str, ...]
    shoppers: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.happened)

    def take(self, few: slice) -> "Rows":
        """Some of them."""
        return Rows(**{name: getattr(self, name)[few] for name in self.__struct_fields__})

    @property
    def enough(self) -> bool:
        happened = int(self.happened.sum())
        return len(self) >= ROWS_LEAST and min(happened, len(self) - happened) >= EITHER_LEAST

    def table(self) -> Table:
        """As the nightly model reads them."""
        numbers = {c.name: self.matrix[:, i] for i, c in enumerate(COLUMNS) if np.ptp(self.matrix[:, i]) > 0}
        categories = {"offer": self.offers, "store": self.stores, "category": self.categories}
        return Table.of(categories, shopper=self.shoppers, context=["offer"], numbers=numbers)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a fit of one head is worth: on the newest lessons, of models that have not seen them."""

    rows: int
    happened: int
    fitted: bool  #: whether there were enough
    auc: dict[str, float] = {}
    log_loss: dict[str, float] = {}


def rows_of(head: str, lessons: Sequence[tuple[str, Outcome]]) -> Rows:
    """The lessons of one head, each with the shopper it is of."""
    mine = [(who, one) for who, one in lessons if one.head == head and len(one.row) == 8 * WIDTH]
    matrix = np.frombuffer(b"".join(one.row for _, one in mine), "<f8").reshape(len(mine), WIDTH)
    return Rows(
        matrix=matrix,
        happened=np.array([float(one.happened) for _, one in mine]),
        known=np.array([one.offset + _hers(head, one) for _, one in mine]),
        offers=tuple(one.offer for _, one in mine),
        stores=tuple(one.store for _, one in mine),
        categories=tuple(one.category for _, one in mine),
        shoppers=tuple(who for who, _ in mine),
    )


def _hers(head: str, lesson: Outcome) -> float:
    taste = lesson.effects.get(TASTE + lesson.category, (0.0, 0.0))[0] if head == "organic" else 0.0
    return lesson.effects.get(head, (0.0, 0.0))[0] + taste


def refitted(learner: Learner, fits: Mapping[str, Head | None]) -> Learner:
    """The learner with these heads in the place of its own; one that could not be fitted stays."""
    anew = restored(stored(learner))
    anew.heads |= {name: head for name, head in fits.items() if head is not None}
    return anew


def fit_head(name: str, rows: Rows, learner: bytes) -> tuple[Head | None, Figures]:
    """A head fitted from its lessons, and what that is worth. `learner` is stored, with its priors."""
    happened = int(rows.happened.sum())
    if not rows.enough:
        return None, Figures(rows=len(rows), happened=happened, fitted=False)
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - never for a decision

    with threadpool_limits(1):  # each head has a process of its own
        return _fit_head(name, rows, restored(learner).priors)


def _fit_head(name: str, rows: Rows, priors: Priors) -> tuple[Head, Figures]:
    split = round(len(rows) * (1 - TESTED))
    before, after = rows.take(slice(0, split)), rows.take(slice(split, len(rows)))
    figures = Figures(rows=len(rows), happened=int(rows.happened.sum()), fitted=True)
    if before.enough and 0 < after.happened.sum() < len(after):
        logits, head = _distilled(heads(priors)[name], before)
        told = {"nightly": logits(after), "distilled": _eta(head, after) + after.known}
        told["prior"] = _eta(heads(priors)[name], after) + after.known
        figures = msgspec.structs.replace(
            figures,
            auc={model: _auc(eta, after.happened) for model, eta in told.items()},
            log_loss={model: _log_loss(eta, after.happened) for model, eta in told.items()},
        )
    return _distilled(heads(priors)[name], rows)[1], figures


def _distilled(prior: Head, rows: Rows) -> tuple[Callable[[Rows], Floats], Head]:
    """The nightly model of the rows, as a function to logits, and a head that says nearly the same."""
    nightly = fit(rows.table(), rows.happened)

    def logits(of: Rows) -> Floats:
        wanted = rows.table().numbers
        numbers = {c.name: of.matrix[:, i] for i, c in enumerate(COLUMNS) if c.name in wanted}
        return nightly.logits(msgspec.structs.replace(of.table(), numbers=numbers))

    return logits, distilled(prior, rows, logits(rows))


def distilled(prior: Head, rows: Rows, eta: Floats) -> Head:
    """The head, which is as believed beforehand, after it was told these logits of the rows."""
    p = sigmoid(eta)
    weight, target = p * (1 - p), eta - rows.known
    active = np.flatnonzero(np.diag(prior.cov) > 0.0)
    matrix = rows.matrix[:, active]
    precision = np.linalg.inv(prior.cov[np.ix_(active, active)])
    fixed = rows.matrix @ prior.mean - matrix @ prior.mean[active]
    cov = np.linalg.inv(precision + (matrix.T * weight) @ matrix)
    mean = cov @ (precision @ prior.mean[active] + (matrix.T * weight) @ (target - fixed))
    prior.mean[active], prior.cov[np.ix_(active, active)] = mean, (cov + cov.T) / 2
    residual = target - rows.matrix @ prior.mean
    for kind, keys in (("offer", rows.offers), ("store", rows.stores)):
        if kind in prior.effects:
            _fit_effects(prior, kind, keys, weight, residual)
    return prior


def _fit_effects(head: Head, kind: str, keys: Sequence[str], weight: Floats, residual: Floats) -> None:
    """Each effect from the rows of its own; what it explains is taken out of the residual."""
    effects = head.effects[kind]
    names, codes = np.unique(np.asarray(keys), return_inverse=True)
    certainty = np.bincount(codes, weight) + 1.0 / effects.prior_variance
    mean = np.bincount(codes, weight * residual) / certainty
    for name, m, c in zip(names, mean, certainty, strict=True):
        effects.put(str(name), (float(m), float(1.0 / c)))
    residual -= mean[codes]


def _eta(head: Head, rows: Rows) -> Floats:
    eta: Floats = rows.matrix @ head.mean
    for kind, keys in (("offer", rows.offers), ("store", rows.stores)):
        if kind in head.effects:
            eta = eta + np.array([head.effects[kind].mean(key) for key in keys])
    return eta


def _auc(eta: Floats, happened: Floats) -> float:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - never for a decision

    return round(float(roc_auc_score(happened, eta)), 4)


def _log_loss(eta: Floats, happened: Floats) -> float:
    p = np.clip(sigmoid(eta), 1e-9, 1 - 1e-9)
    return round(float(-np.mean(happened * np.log(p) + (1 - happened) * np.log(1 - p))), 4)
