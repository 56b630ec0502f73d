"""Policies to run in a simulated town: the learning one, those it is compared with, and the oracle."""

from collections import deque

import msgspec
import numpy as np

from offers.learn.arms import Arms, Scene
from offers.learn.learner import Judged, Learner
from offers.simulator.hidden import OFFERS, expected
from offers.simulator.run import Outcome, Score, World, may_push, run

ARMS = 1 + OFFERS


class Never:
    """Says nothing."""

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        del scene, arms
        return None

    def learn(self, outcome: Outcome) -> None:
        del outcome


class Deepest(Never):
    """The deepest discount, the nearest of equals."""

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        del scene
        return int(np.lexsort((arms.distance_m, -arms.depth))[0])


class Nearest(Never):
    """The middle offer of the nearest store."""

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        del scene
        return int(np.argmin(arms.distance_m)) // ARMS * ARMS + 2


class Random(Never):
    """Any offer."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng((seed, 3))

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        del scene
        return int(self.random.integers(len(arms)))


class LastBrowsed(Never):
    """The middle offer of the nearest store of the category that she looked at most today."""

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        del scene
        if arms.interest.max() <= 0.0:
            return None
        best = int(np.lexsort((arms.distance_m, -arms.interest))[0])
        return best // ARMS * ARMS + 2


class Learning:
    """The learning policy, fed as it would be live."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.waiting: deque[Judged] = deque()

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        judged = self.learner.decide(scene, arms)
        self.waiting.append(judged)
        return judged.chosen

    def learn(self, outcome: Outcome) -> None:
        judged, learner = self.waiting.popleft(), self.learner
        own = None if outcome.pushed is None else outcome.pushed // ARMS
        if outcome.pushed is not None:
            option = judged.option(outcome.pushed)
            learner.learn_open(option, outcome.opened)
            if outcome.opened:
                learner.learn_offer(option, outcome.bought == outcome.pushed // ARMS * ARMS)
            scene = judged.scene
            learner.learn_opt_out(scene.pushes_24h, scene.pushes_7d, outcome.opted_out)
        stores = range(0, len(judged.arms), ARMS)
        silent = [first for first in stores if not (outcome.opened and first // ARMS == own)]
        learner.learn_organic([judged.option(i) for i in silent], [i == outcome.bought for i in silent])


class Scorecard(Learning):
    """The priors alone, never learning: what a marketer's scorecard would do."""

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        score = self.learner.worth(scene, arms, self.learner.decide(scene, arms).matrix).score
        best = int(np.argmax(score))
        return best if score[best] > 0 else None

    def learn(self, outcome: Outcome) -> None:
        del outcome


class Response(Learning):
    """Learns as the learning policy does, and maximises expected response in the place of profit."""

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        judged = self.learner.decide(scene, arms)
        self.waiting.append(judged)
        value = judged.worth
        margin = (value.opens * value.buys * (arms.margin - arms.depth) * arms.price) - value.push
        best = int(np.argmax(margin))
        return best if margin[best] > 0 else None


class Oracle:
    """Sees the truth, one moment at a time."""

    def __init__(self, world: World) -> None:
        self.world, self.index = world, -1

    def score(self) -> Score:
        """Runs itself: it needs more than a policy is told."""
        chosen = _Oracle()
        return run(_watched(self.world, chosen), chosen)


class _Oracle(Never):
    """Takes the best of the last truth that its world has told."""

    best: int | None = None

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        del scene, arms
        return self.best


def _watched(world: World, oracle: _Oracle) -> World:
    """The same world, which whispers to the oracle."""
    watched = object.__new__(World)
    watched.__dict__ |= world.__dict__
    plain = world.truth

    def truth(index: int, seen):  # noqa: ANN001, ANN202
        told = plain(index, seen)
        nothing, pushed = expected(told)
        best = int(np.argmax(pushed))
        oracle.best = best if pushed.flat[best] > nothing else None
        return told

    watched.truth = truth
    return watched
