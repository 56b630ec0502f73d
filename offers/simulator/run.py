"""Runs a policy through a simulated town and scores it by the exact expected profit of what it did."""

import heapq
from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec
import numpy as np

from offers.learn.arms import Arms, Consents, Scene
from offers.learn.blr import Floats
from offers.simulator.hidden import (
    CATEGORIES,
    OFFERS,
    REACH_M,
    SHOPPERS,
    SIDE_M,
    Outside,
    Still,
    Town,
    Truth,
    expected,
    purchase,
    still,
    town,
    truth,
)
from offers.simulator.seen import Seen, arms_near, browsing

DAYS, PER_DAY, PER_WEEK = 28.0, 2, 5
NEW_STORE = 0  #: of which nothing is known when it opens
LATER = 50  #: moments by which a shuffled outcome comes later


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is learned later of a moment."""

    moment_id: str
    pushed: int | None  #: the arm
    opened: bool
    bought: int | None  #: the first arm of the store at which she bought
    opted_out: bool


class Policy(Protocol):
    """Whoever decides. It is told observations and outcomes, and nothing else."""

    def choose(self, scene: Scene, arms: Arms) -> int | None: ...
    def learn(self, outcome: Outcome) -> None:
        """Of every moment; some later than others, some more than once, and not in their order."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is otherwise than in the plain town."""

    moments: int = 20_000
    gps_noise_m: float = 15.0
    delay: int = 0  #: moments until an outcome is told
    effect: float = 1.0  #: 0: offers change nothing (a null world)
    drift_day: float | None = None  #: tastes turn on this day
    new_store_day: float | None = None  #: until then `NEW_STORE` is not there
    repeated: float = 0.0  #: share of the outcomes that are told twice
    shuffled: float = 0.0  #: share of the outcomes that come later than those after them
    consents: Consents = Consents()


class Score(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a policy did."""

    profit: float
    last_quarter: float  #: profit in it
    sent: int
    opted_out: int


class World:
    """A town and all that happens in it from outside: the same for each policy that is run in it."""

    def __init__(self, seed: int, conditions: Conditions = Conditions()) -> None:  # noqa: B008 - frozen
        self.seed, self.conditions = seed, conditions
        random = np.random.default_rng((seed, 1))
        self.town = town(random)
        self.events = list(_events(self.town, conditions, random))
        self.interest = [browsing(self.town, now.shopper, now.need, random) for now in self.events]
        self.noise_m = random.normal(0, conditions.gps_noise_m, size=(conditions.moments, 2))
        self.still = [self._still(now) for now in self.events]
        self.arms = [
            arms_near(self.town, of.near, now.at_m + noise_m, interest)
            for of, now, noise_m, interest in zip(
                self.still, self.events, self.noise_m, self.interest, strict=True
            )
        ]

    def seen(self) -> Seen:
        return Seen(self.town, np.random.default_rng((self.seed, 2)))

    def _still(self, now: Outside) -> Still:
        drift_day = self.conditions.drift_day
        turned = 0.5 if drift_day is not None and now.day >= drift_day else 0.0
        opens = self.conditions.new_store_day
        closed = NEW_STORE if opens is not None and now.day < opens else None
        return still(self.town, now, effect=self.conditions.effect, turned=turned, closed=closed)


def _events(of: Town, conditions: Conditions, random: np.random.Generator) -> Iterator[Outside]:
    count, always = conditions.moments, of.place_m
    if conditions.new_store_day is not None:
        always = np.delete(of.place_m, NEW_STORE, axis=0)
    days = np.sort(np.floor(random.uniform(0, DAYS, count)) + random.uniform(0.4, 0.88, count))
    shoppers = random.choice(SHOPPERS, size=count, p=of.activity)
    for day, shopper in zip(days.tolist(), shoppers.tolist(), strict=True):
        at_m = random.uniform(0, SIDE_M, 2)
        while np.hypot(*(always - at_m).T).min() >= REACH_M:
            at_m = random.uniform(0, SIDE_M, 2)
        yield Outside(
            shopper=shopper,
            day=day,
            at_m=at_m,
            need=_need(of, shopper, random),
            uniforms=random.uniform(size=3),
        )


def _need(of: Town, shopper: int, random: np.random.Generator) -> int:
    """A category in 35 % of moments: by taste, or (2 in 5) any."""
    if random.uniform() >= 0.35:
        return -1
    chance: Floats = np.exp(of.taste[shopper])
    chance = 0.6 * chance / chance.sum() + 0.4 / CATEGORIES
    return int(random.choice(CATEGORIES, p=chance))


def run(world: World, policy: Policy, see: Callable[[float, Floats], int | None] | None = None) -> Score:
    """One policy from the first moment to the last. `see` chooses in its place, knowing the truth."""
    seen, told_late = world.seen(), _Late(world)
    profits = np.empty(len(world.events))
    sent = opted_out = 0
    for index, now in enumerate(world.events):
        told = truth(world.still[index], *seen.pressure(now.shopper, now.day))
        nothing, pushed = expected(told)
        chosen, reachable = None, may_push(seen, now)
        if reachable:
            scene = seen.scene(moment_id(world, index), now, world.conditions.consents)
            arms = seen.arms(world.arms[index], world.town, now, told.still.near)
            chosen = policy.choose(scene, arms) if see is None else see(nothing, pushed)
        outcome = _happens(moment_id(world, index), told, now, chosen)
        profits[index] = nothing if chosen is None else pushed[divmod(chosen, 1 + OFFERS)]
        _record(world.town, seen, now, told, outcome)
        sent += outcome.pushed is not None
        opted_out += outcome.opted_out
        for due in told_late.due(index, outcome if reachable else None):
            policy.learn(due)
    quarter = 3 * len(profits) // 4
    return Score(
        profit=float(profits.sum()),
        last_quarter=float(profits[quarter:].sum()),
        sent=sent,
        opted_out=opted_out,
    )


class _Late:
    """Tells outcomes as late, as often and in such an order as the world's conditions say."""

    def __init__(self, world: World) -> None:
        self._random = np.random.default_rng((world.seed, 4))
        self._conditions = world.conditions
        self._waiting: list[tuple[int, int, Outcome]] = []

    def due(self, index: int, outcome: Outcome | None) -> Iterator[Outcome]:
        """Those that are told after the moment of this number, whose own outcome is given."""
        of = self._conditions
        if outcome is not None:
            shuffled, repeated = self._random.uniform(size=2) < (of.shuffled, of.repeated)
            at = index + of.delay + LATER * bool(shuffled)
            for again in range(1 + bool(repeated)):
                heapq.heappush(self._waiting, (at + again * LATER, index, outcome))
        while self._waiting and self._waiting[0][0] <= index:
            yield heapq.heappop(self._waiting)[2]


def moment_id(world: World, index: int) -> str:
    return f"{world.seed}-{index}"


def may_push(seen: Seen, now: Outside) -> bool:
    """The gates of this town: she can be reached, and was not pushed too often."""
    of_day, of_week = seen.pressure(now.shopper, now.day)
    return bool(seen.reachable[now.shopper]) and of_day < PER_DAY and of_week < PER_WEEK


def _happens(name: str, told: Truth, now: Outside, chosen: int | None) -> Outcome:
    opening, buying, leaving = now.uniforms
    place = None if chosen is None else divmod(chosen, 1 + OFFERS)
    opened = place is not None and bool(opening < told.opens[place])
    store = purchase(told, float(buying), place if opened else None)
    return Outcome(
        moment_id=name,
        pushed=chosen,
        opened=opened,
        bought=None if store is None else store * (1 + OFFERS),
        opted_out=chosen is not None and bool(leaving < told.opt_out),
    )


def _record(of: Town, seen: Seen, now: Outside, told: Truth, outcome: Outcome) -> None:
    """What the retailer's own records say afterwards."""
    who = now.shopper
    if outcome.bought is not None:
        store = int(told.still.near[outcome.bought // (1 + OFFERS)])
        seen.bought[who, int(of.category[store])] += 1
        seen.visits[who, store] += 1
    if outcome.pushed is None:
        return
    seen.pushed_at[who].append(now.day)
    seen.pushed[who] += 1
    seen.opened[who] += outcome.opened
    same = outcome.bought is not None and outcome.bought == outcome.pushed - outcome.pushed % (1 + OFFERS)
    if outcome.opened and same and outcome.pushed % (1 + OFFERS):
        seen.redeemed[who] += 1
    if outcome.opted_out:
        seen.reachable[who] = False
