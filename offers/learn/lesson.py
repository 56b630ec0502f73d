"""Lessons: all that the policy ever learns, one after the other. What it is follows from them alone.

The same lessons in the same order make the same learner to the last bit, wherever it begins: at the priors,
at a fitted model, or at any state stored on the way. So they are written down with what they follow from, a
restart learns again what came after the newest stored state, and a nightly fit reads what has happened.
A lesson names no shopper: how she differs goes in as it was then, and comes out as it is.
"""

from typing import Self

import msgspec
import numpy as np

from offers.learn.blr import Keys, Moments
from offers.learn.features import WIDTH
from offers.learn.heads import Priors
from offers.learn.hers import TASTE, Trial
from offers.learn.learner import Learner

#: The shopper a lesson or decision is about, in the effects of the heads, while it lasts.
HER = "her"


class Began(msgspec.Struct, frozen=True, kw_only=True, tag="began", gc=False):
    """Learning begins anew: from priors, or from a fitted model."""

    model: str  #: empty: the priors
    priors: Priors


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag="outcome", gc=False):
    """Something did or did not happen after a decision."""

    head: str  #: `open`, `organic`, `uplift` or `optout`
    row: bytes  #: features, float64, little-endian
    offer: str
    store: str
    category: str
    effects: dict[str, Moments]  #: how she differed from others then
    happened: bool
    offset: float = 0.0  #: of `uplift`: the logit of buying anyway
    pressure: tuple[int, int] = (0, 0)  #: of `optout`
    at_us: int = 0  #: when it was decided


class Paced(msgspec.Struct, frozen=True, kw_only=True, tag="paced", gc=False):
    """A decision in which offers with a budget could have been made; and where an offer was made."""

    at_us: int
    store: str | None  #: that made an offer
    costs: dict[str, tuple[float, float]]  #: by offer: what it is expected to cost now, and what is due


class Settled(msgspec.Struct, frozen=True, kw_only=True, tag="settled", gc=False):
    """A coupon was used, or its time is over."""

    offer: str
    cost: float  #: as it was expected
    spent: float


Lesson = Began | Outcome | Paced | Settled


def taught(learner: Learner, lesson: Lesson) -> dict[str, Moments]:
    """Learns one lesson; how she differs from others after it, as far as that has changed.

    `Began` is not learned but begun from: see `begun`.
    """
    learner.lessons += 1
    if isinstance(lesson, Outcome):
        return _outcome(learner, lesson)
    if isinstance(lesson, Paced):
        learner.budgets.decided(lesson.costs, lesson.at_us)
        learner.shares.spoken(lesson.store)
    elif isinstance(lesson, Settled):
        learner.budgets.settled(lesson.offer, lesson.cost, lesson.spent)
    else:
        raise TypeError("a learner is begun, not taught to begin")
    return {}


def outcome(learner: Learner, trial: Trial, effects: dict[str, Moments], head: str, did: bool) -> Outcome:
    """What a trial teaches a head, given how she differs from others by now."""
    names = {"open": ("open",), "uplift": ("uplift",), "organic": ("organic", TASTE + trial.category)}
    offset = 0.0
    if (
        head == "uplift" and len(trial.row) == 8 * WIDTH
    ):  # what would have happened anyway is not the offer's merit
        with Lent(learner, effects):
            keys = _keys(trial.offer, trial.store, trial.category)
            offset = learner.heads["organic"].eta(np.frombuffer(trial.row, "<f8"), keys)
    return Outcome(
        head=head,
        row=trial.row,
        offer=trial.offer,
        store=trial.store,
        category=trial.category,
        effects={name: effects[name] for name in names.get(head, ()) if name in effects},
        happened=did,
        offset=offset,
        pressure=trial.pressure,
        at_us=trial.at_us,
    )


def _outcome(learner: Learner, lesson: Outcome) -> dict[str, Moments]:
    if lesson.head == "optout":
        learner.learn_opt_out(*lesson.pressure, lesson.happened)
        return {}
    if lesson.head == "organic":
        learner.reported |= lesson.happened
        if not learner.reported:
            return {}  # of a retailer who tells no purchases nobody knows who bought nothing
    if len(lesson.row) != 8 * WIDTH:
        return {}  # written down by a version with other features
    keys = _keys(lesson.offer, lesson.store, lesson.category)
    with Lent(learner, lesson.effects) as lent:
        row = np.frombuffer(lesson.row, "<f8")
        learner.heads[lesson.head].learn(row, keys, lesson.happened, offset=lesson.offset)
    return lent.after


def _keys(offer: str, store: str, category: str) -> Keys:
    return {"shopper": HER, "offer": offer, "store": store, "taste": f"{HER} {category}"}


class Lent:
    """A shopper's effects, lent to the heads as those of `HER` for as long as it is about her."""

    def __init__(self, learner: Learner, effects: dict[str, Moments]) -> None:
        self.after: dict[str, Moments] = {}  #: as they are when she has them back
        self._learner, self._effects = learner, effects

    def __enter__(self) -> Self:
        heads = self._learner.heads
        for name, moments in self._effects.items():
            if name.startswith(TASTE):
                heads["organic"].effects["taste"].put(f"{HER} {name[len(TASTE) :]}", moments)
            else:
                heads[name].effects["shopper"].put(HER, moments)
        return self

    def __exit__(self, *_: object) -> None:
        heads = self._learner.heads
        for name in ("open", "organic", "uplift"):
            if (moments := heads[name].effects["shopper"].take(HER)) is not None:
                self.after[name] = moments
        tastes = heads["organic"].effects["taste"]
        for key, moments in [*tastes.learned.items()]:
            self.after[TASTE + key[len(HER) + 1 :]] = moments
            tastes.take(key)
