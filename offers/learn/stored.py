"""A learner as bytes and back: exact to the last bit, and by names, so that features may come and go.

A weight of a feature that the bytes do not have starts from its prior, independent of the others; one of a
feature that is gone is left out. Bytes of a later format are refused.
"""

from collections.abc import Set as AbstractSet

import msgspec
import numpy as np

from offers.learn.blr import Floats, Head
from offers.learn.explore import Exploration
from offers.learn.fairness import Budgets, Shares
from offers.learn.features import NAMES
from offers.learn.heads import OPT_OUT, Priors
from offers.learn.learner import Learner
from offers.learn.objective import Economics
from offers.problem import OffersError

FORMAT = 1


class UnknownFormat(OffersError):  # noqa: N818 - named for what is wrong with the bytes
    """Stored by a later Vicino."""


class StoredHead(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A head's weights, float64 little-endian, in the order of `features`."""

    features: tuple[str, ...]
    mean: bytes
    cov: bytes
    effects: dict[str, dict[str, tuple[float, float]]]


class StoredLearner(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything that a learner is."""

    format: int
    priors: Priors
    money: Economics
    exploration: Exploration
    salt: bytes
    heads: dict[str, StoredHead]
    model: str = ""
    lessons: int = 0
    reported: bool = False
    budgets: Budgets = msgspec.field(default_factory=Budgets)
    shares: Shares = msgspec.field(default_factory=Shares)


_ENCODER = msgspec.msgpack.Encoder(order="sorted")


def stored(learner: Learner) -> bytes:
    """The learner as bytes; equal learners give equal bytes."""
    return _ENCODER.encode(
        StoredLearner(
            format=FORMAT,
            priors=learner.priors,
            money=learner.money,
            exploration=learner.exploration,
            salt=learner.salt,
            heads={name: _stored(name, head) for name, head in learner.heads.items()},
            model=learner.model,
            lessons=learner.lessons,
            reported=learner.reported,
            budgets=learner.budgets,
            shares=learner.shares,
        )
    )


def restored(data: bytes, *, lacking: AbstractSet[str] = frozenset()) -> Learner:
    """The learner of the bytes; `lacking` are features to be taken as if the bytes did not have them."""
    told = msgspec.msgpack.decode(data, type=StoredLearner)
    if told.format > FORMAT:
        raise UnknownFormat(f"learner of format {told.format}, known are those up to {FORMAT}")
    learner = Learner(told.priors, told.money, told.exploration, salt=told.salt)
    learner.model, learner.lessons, learner.reported = told.model, told.lessons, told.reported
    learner.budgets, learner.shares = told.budgets, told.shares
    for name, head in learner.heads.items():
        if name in told.heads:
            _fill(head, told.heads[name], _features(name), lacking)
    return learner


def _features(name: str) -> tuple[str, ...]:
    return OPT_OUT if name == "optout" else NAMES


def _stored(name: str, head: Head) -> StoredHead:
    return StoredHead(
        features=_features(name),
        mean=head.mean.astype("<f8").tobytes(),
        cov=head.cov.astype("<f8").tobytes(),
        effects={kind: effects.learned for kind, effects in head.effects.items()},
    )


def _fill(head: Head, told: StoredHead, names: tuple[str, ...], lacking: AbstractSet[str]) -> None:
    """Puts what was stored over the priors."""
    mean: Floats = np.frombuffer(told.mean, dtype="<f8")
    cov: Floats = np.frombuffer(told.cov, dtype="<f8").reshape(len(mean), len(mean))
    kept = [name for name in names if name in told.features and name not in lacking]
    new, old = [names.index(name) for name in kept], [told.features.index(name) for name in kept]
    head.mean[new] = mean[old]
    head.cov[np.ix_(new, new)] = cov[np.ix_(old, old)]
    for kind, learned in told.effects.items():
        if kind in head.effects:
            for key, moments in learned.items():
                head.effects[kind].put(key, moments)
