"""Policies to run in a simulated town: the learning one, those it is compared with, and the oracle."""

import numpy as np

from offers.decide import in_holdout
from offers.evaluate.lift import Side
from offers.learn.arms import Arms, Scene
from offers.learn.blr import Floats
from offers.learn.learner import Judged, Learner
from offers.simulator.hidden import OFFERS
from offers.simulator.run import Outcome, Score, World, run

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
        return int(np.lexsort((arms.column("distance_m"), -arms.column("depth")))[0])


class Nearest(Never):
    """The middle offer of the nearest store."""

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        del scene
        return int(np.argmin(arms.column("distance_m"))) // ARMS * ARMS + 2


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
        if arms.column("interest").max() <= 0.0:
            return None
        best = int(np.lexsort((arms.column("distance_m"), -arms.column("interest")))[0])
        return best // ARMS * ARMS + 2


class Learning:
    """The learning policy, fed as it would be live."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.waiting: dict[str, Judged] = {}

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        judged = self.learner.decide(scene, arms)
        self.waiting[scene.moment_id] = judged
        return judged.chosen

    def learn(self, outcome: Outcome) -> None:
        if (judged := self.waiting.pop(outcome.moment_id, None)) is None:
            return  # told before
        learner = self.learner
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
        score = self.learner.decide(scene, arms).worth.score
        best = int(np.argmax(score))
        return best if score[best] > 0 else None

    def learn(self, outcome: Outcome) -> None:
        del outcome


class Response(Learning):
    """Learns as the learning policy does, and maximises expected response in the place of profit."""

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        judged = self.learner.decide(scene, arms)
        self.waiting[scene.moment_id] = judged
        value = judged.worth
        kept = (arms.column("margin") - arms.column("depth")) * arms.column("price")
        margin = value.term("opens") * value.term("buys") * kept - value.term("push")
        best = int(np.argmax(margin))
        return best if margin[best] > 0 else None


class HeldOut(Learning):
    """The learning policy with a holdout: some shoppers are kept in silence, and what they would have had is
    noted beside what came of the moment, as the decision log notes it.
    """

    def __init__(self, learner: Learner, share: float, seed: int) -> None:
        super().__init__(learner)
        self.share, self.salt = share, f"held {seed}".encode()
        self.noted: dict[str, tuple[str, bool, int]] = {}  # by moment: whose, held, the arm
        self.rows: list[tuple[str, bool, bool]] = []  #: whose, held, whether she bought there; in their order

    def choose(self, scene: Scene, arms: Arms) -> int | None:
        chosen, held = super().choose(scene, arms), in_holdout(self.salt, scene.shopper, self.share)
        if chosen is not None:
            self.noted[scene.moment_id] = (scene.shopper, held, chosen)
        return None if held else chosen

    def learn(self, outcome: Outcome) -> None:
        if (noted := self.noted.pop(outcome.moment_id, None)) is not None:
            shopper, held, arm = noted
            self.rows.append((shopper, held, outcome.bought == arm - arm % ARMS))
        super().learn(outcome)

    def sides(self) -> tuple[Side, Side]:
        """Those spoken to and those held back, by shopper."""
        who = np.unique([shopper for shopper, _, _ in self.rows], return_inverse=True)[1]
        held = np.array([row[1] for row in self.rows])
        bought = np.array([row[2] for row in self.rows], dtype=np.float64)
        spoken, kept = (
            Side(
                moments=np.bincount(who[rows]).astype(np.float64),
                outcome=np.bincount(who[rows], bought[rows]).astype(np.float64),
            )
            for rows in (~held, held)
        )
        return spoken, kept


def oracle(world: World) -> Score:
    """What whoever sees the truth gets, one moment at a time."""

    def best(nothing: float, pushed: Floats) -> int | None:
        place = int(np.argmax(pushed))
        return place if pushed.flat[place] > nothing else None

    return run(world, Never(), see=best)


def capture(score: Score, never: Score, best: Score, *, last_quarter: bool = False) -> float:
    """Which share of the oracle's gain over saying nothing a policy has."""
    name = "last_quarter" if last_quarter else "profit"
    nothing = getattr(never, name)
    return float((getattr(score, name) - nothing) / (getattr(best, name) - nothing))
