"""How the learning policy judges the prospects of a moment, and what it draws of them.

    features -> heads -> objective -> smallest discount that does as much -> shortlist -> draw

Only what passed every gate is judged. Pure: the draw follows from the moment's id, and judging changes
nothing of the learner.
"""

import hashlib
from collections.abc import Callable, Iterator
from math import prod

import msgspec
import numpy as np

from offers.decision import Judgement
from offers.learn.arms import Arms, Mask, Places, Scene
from offers.learn.blr import Floats
from offers.learn.explore import Draw, draw, uniform_of
from offers.learn.features import features
from offers.learn.hers import Trial
from offers.learn.intent import Intent, intent
from offers.learn.learner import Learner
from offers.learn.lesson import Lent, Paced
from offers.learn.minimise import minimised
from offers.learn.objective import Worth
from offers.learn.setup import Learning, Pilot
from offers.learn.told import arms_from, scene_of
from offers.prospects import Prospects

#: The terms of so many are kept, the best first.
TERMS_MAX = 50


def pilots(pilot: Pilot, store: str, shopper_id: str, salt: bytes) -> bool:
    """Whether the policy is tried with this shopper at this store: the same answer every time."""
    digest = hashlib.sha256(salt + b".pilot." + shopper_id.encode()).digest()
    hers = int.from_bytes(digest[:8], "big") < pilot.share * 2**64
    return hers and (pilot.stores is None or store in pilot.stores)


class Judged(msgspec.Struct, kw_only=True, gc=False):
    """The prospects that passed every gate as the policy sees them: n of them, by id."""

    scene: Scene
    arms: Arms
    matrix: Floats
    worth: Worth
    order: Places  #: the best score first, equal ones as they were given
    left: Mask  #: those for which no smaller discount does as much
    intent: Intent
    found: Prospects
    dues: dict[str, float]  #: of offers with a sum of money to spend: what is due now
    setup: Learning
    model: str
    lessons: int
    salt: bytes

    def drawn(self, allowed: Callable[[int], bool] = lambda _: True) -> Draw:
        """Draws of the best that are `allowed`, who are asked one after the other, and of nothing."""
        explore, few = self.setup.exploration, list[int]()
        for index in self.order[self.left[self.order]].tolist():
            if len(few) == explore.shortlist:
                break
            if allowed(index):
                few.append(index)
        drawn = draw(self.worth.score[few], explore, uniform_of(self.salt, self.scene.moment_id))
        return msgspec.structs.replace(drawn, shortlist=tuple(few[place] for place in drawn.shortlist))

    def told(self, drawn: Draw, *, shadow: bool) -> Judgement:
        """What is kept of it."""
        arms, best, chosen = self.arms, self.order[:TERMS_MAX], drawn.chosen
        return Judgement(
            model=self.model,
            lessons=self.lessons,
            exploration=self.setup.exploration,
            rescale=self.setup.money.rescale,
            uniform=drawn.uniform,
            propensities=tuple(
                zip([*map(arms.name, drawn.shortlist), None], drawn.propensities, strict=True)
            ),
            drawn=None if chosen is None else arms.name(chosen),
            offers=arms.names(best),
            terms=self.worth.columns(best),
            held_back=arms.names(best[~self.left[best]]),
            reasons=self.intent.reasons,
            shadow=shadow,
        )

    def trial(
        self,
        decision_id: str,
        chosen: int | None,
        *,
        at_us: int,
        until_us: int,
        pushed: bool,
        spend: float,
    ) -> Trial:
        """What will be learned from: of what was made, or of the best that could have been."""
        arms, index = self.arms, int(self.order[0]) if chosen is None else chosen
        name = arms.name(index)
        return Trial(
            decision_id=decision_id,
            at_us=at_us,
            until_us=until_us,
            store=arms.shop(index),
            offer=name,
            category=arms.category(index),
            sku=self.found.sku(int(self.found.passed[index])) or None,
            row=self.matrix[index].astype("<f8").tobytes(),
            spoken=chosen is not None,
            pushed=pushed,
            pressure=(self.scene.pushes_24h, self.scene.pushes_7d),
            cost=self._cost(chosen) if name in self.dues else 0.0,
            spend=spend,
        )

    def paced(self, chosen: int | None, at_us: int) -> Paced:
        """What the decision is to budgets and to the stores' shares."""
        made = None if chosen is None else self.arms.name(chosen)
        costs = {name: (self._cost(chosen) if name == made else 0.0, due) for name, due in self.dues.items()}
        return Paced(at_us=at_us, store=None if chosen is None else self.arms.shop(chosen), costs=costs)

    def _cost(self, index: int | None) -> float:
        """What its coupon is expected to cost."""
        if index is None:
            return 0.0
        worth, arms = self.worth, self.arms
        parts = (worth.term("opens"), worth.term("buys"), arms.column("depth"), arms.column("price"))
        return prod(float(part[index]) for part in parts)


def judged(found: Prospects, learner: Learner, salt: bytes) -> Judged:
    """Judges the prospects that passed every gate; at least one did."""
    at = found.at
    setup, hers = at.catalogue.settings.learning, at.shopper.hers
    scene = scene_of(at)
    arms = arms_from(at, found, learner)
    matrix = features(scene, arms)
    effects = hers.effects if scene.consents.relational else {}
    with Lent(learner, effects):
        worth = learner.worth(scene, arms, matrix, setup.money)
        keenest = int(np.argmax(worth.term("organic")))
        wants = intent(learner.heads["organic"], matrix[keenest], arms.keys(keenest, scene.shopper))
    every = np.ones(len(arms), dtype=np.bool_)
    return Judged(
        scene=scene,
        arms=arms,
        matrix=matrix,
        worth=worth,
        order=np.argsort(-worth.score, kind="stable"),
        left=minimised(arms, worth.score, every, indifference=setup.indifference),
        intent=wants,
        found=found,
        dues=dict(_dues(found, learner)),
        setup=setup,
        model=learner.model,
        lessons=learner.lessons,
        salt=salt,
    )


def _dues(found: Prospects, learner: Learner) -> Iterator[tuple[str, float]]:
    passed = set(found.passed.tolist()) if found.rack.budgeted else set()
    for place in found.rack.budgeted:
        offer = found.rack.offers[place]
        if place in passed and (spend := offer.budget.spend) is not None:
            name, until_us = offer.external_id, offer.valid_until_us
            yield name, learner.budgets.due(name, float(spend), found.at.now_us, until_us)
