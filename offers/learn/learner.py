"""The learning policy: scores the arms of a moment, draws one, and learns from what became of it.

Deterministic: the same outcomes in the same order give the same weights to the last bit, and the same moment
the same draw. `decide` changes nothing; only the `learn_*` functions do.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from offers.learn.arms import Arms, Scene
from offers.learn.blr import Floats, Head, Keys, sigmoid_of
from offers.learn.explore import Draw, Exploration, draw, uniform_of
from offers.learn.fairness import Budgets, Shares
from offers.learn.features import features
from offers.learn.heads import Priors, heads
from offers.learn.objective import Economics, Worth, worth


class Option(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An arm as it was when it was judged: what learning from its outcome takes. Kept with the decision."""

    row: tuple[float, ...]
    keys: dict[str, str]


class Judged(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that the policy said of a moment."""

    scene: Scene
    arms: Arms
    matrix: Floats
    worth: Worth
    draw: Draw

    @property
    def chosen(self) -> int | None:
        return self.draw.chosen

    def option(self, index: int) -> Option:
        return Option(
            row=tuple(self.matrix[index].tolist()), keys=dict(self.arms.keys(index, self.scene.shopper))
        )


class Learner:
    """The heads and what they are used for."""

    def __init__(
        self,
        priors: Priors = Priors(),  # noqa: B008 - frozen
        money: Economics = Economics(),  # noqa: B008 - frozen
        exploration: Exploration = Exploration(),  # noqa: B008 - frozen
        *,
        salt: bytes = b"",
    ) -> None:
        self.priors = priors
        self.heads: dict[str, Head] = heads(priors)
        self.model = ""  #: the fitted model it began from; empty: the priors
        self.lessons = 0  #: learned since (`offers.learn.lesson`)
        self.reported = False  #: whether purchases are told at all: an organic one was
        self.budgets = Budgets()
        self.shares = Shares()
        self.money = money
        self.exploration = exploration
        self.salt = salt

    def decide(self, scene: Scene, arms: Arms, allowed: Floats | None = None) -> Judged:
        """Judges and draws. `allowed` is False for an arm that a gate removed."""
        matrix = features(scene, arms)
        value = self.worth(scene, arms, matrix, self.money)
        scores = value.score if allowed is None else np.where(allowed, value.score, -np.inf)
        drawn = draw(scores, self.exploration, uniform_of(self.salt, scene.moment_id))
        return Judged(scene=scene, arms=arms, matrix=matrix, worth=value, draw=drawn)

    def worth(self, scene: Scene, arms: Arms, matrix: Floats, money: Economics) -> Worth:
        """What every arm is worth, by its terms."""
        opening, organic, uplift = self.heads["open"], self.heads["organic"], self.heads["uplift"]
        eta = np.empty((3, len(arms)))
        for row, head in enumerate((opening, organic, uplift)):
            np.dot(matrix, head.mean, out=eta[row])
            eta[row] += head.effects["shopper"].mean(scene.shopper)
        for row, head in ((0, opening), (2, uplift)):
            eta[row] += head.effects["offer"].means(arms.offers)[arms.offer]
        for row, head in ((1, organic), (2, uplift)):
            eta[row] += head.effects["store"].means(arms.stores)[arms.store]
        if organic.effects["taste"].learned:
            tastes = tuple(f"{scene.shopper} {category}" for category in arms.kinds)
            eta[1] += organic.effects["taste"].means(tastes)[arms.kind]
        eta[2] += eta[1]
        return worth(arms, eta, self.opt_out(scene), money)

    def opt_out(self, scene: Scene) -> float:
        """The probability that one more push makes her turn pushes off."""
        return sigmoid_of(float(self.heads["optout"].mean @ _pressure(scene.pushes_24h, scene.pushes_7d)))

    def learn_open(self, option: Option, opened: bool) -> None:
        """At once when the phone reports it; False when the offer has ended unopened."""
        self.heads["open"].learn(np.array(option.row), option.keys, opened)

    def learn_offer(self, option: Option, bought: bool) -> None:
        """Of an offer that was opened: on its redemption, else at its end."""
        row = np.array(option.row)
        organic = self.heads["organic"].eta(row, option.keys)
        self.heads["uplift"].learn(row, option.keys, bought, offset=organic)

    def learn_organic(self, rows: Sequence[Option], bought: Sequence[bool]) -> None:
        """Of stores that she was near without an opened offer of theirs."""
        for option, happened in zip(rows, bought, strict=True):
            self.heads["organic"].learn(np.array(option.row), option.keys, happened)

    def learn_opt_out(self, pushes_24h: int, pushes_7d: int, opted_out: bool) -> None:
        """After a push that was the latest of so many."""
        self.heads["optout"].learn(_pressure(pushes_24h, pushes_7d), _NO_KEYS, opted_out)


_NO_KEYS: Keys = {}


def _pressure(pushes_24h: int, pushes_7d: int) -> Floats:
    return np.array([1.0, float(min(pushes_24h, 5)), float(np.log1p(pushes_7d))])
