"""Simulates a town in which the learning policy decides, beside simpler ones, in a world as it is wanted."""

import msgspec

from offers.evaluate.lift import lift
from offers.learn.heads import Priors
from offers.learn.learner import Learner
from offers.simulator.policies import HeldOut, Learning, Never, Scorecard, capture, oracle
from offers.simulator.run import Conditions, World
from offers.simulator.run import run as run_policy

#: What a world can be like.
WORLDS: dict[str, Conditions] = {
    "plain": Conditions(),
    "drift": Conditions(drift_day=14.0),
    "gps": Conditions(gps_noise_m=60.0),
    "late": Conditions(delay=500, repeated=0.2, shuffled=0.2),
    "new-store": Conditions(new_store_day=14.0),
    "null": Conditions(effect=0.0),
}
HELD_OUT = 0.2


class DecisionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One simulation."""

    seed: int
    world: str
    moments: int
    flat: bool = False  #: without any belief about features


class DecisionOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it. Captures are shares of what an oracle gains over silence; None in a null world."""

    seed: int
    world: str
    moments: int
    sent: int
    opted_out: int
    profit_percent: float  #: over silence
    capture: float | None
    capture_static: float | None  #: of the same beliefs, never learning
    lift: float | None  #: of purchases a moment, with a holdout of a fifth; None: too little to say
    lift_low: float | None
    lift_high: float | None
    alarm: bool  #: whether the interval leaves out 0


def simulate_decisions(plan: DecisionPlan) -> DecisionOutcome:
    """Runs one."""
    world = World(plan.seed, msgspec.structs.replace(WORLDS[plan.world], moments=plan.moments))
    priors = Priors(informed=not plan.flat)
    never, best = run_policy(world, Never()), oracle(world)
    score = run_policy(world, Learning(Learner(priors)))
    static = run_policy(world, Scorecard(Learner(priors)))
    held = HeldOut(Learner(priors), HELD_OUT, plan.seed)
    run_policy(world, held)
    known = lift(*held.sides())
    null = best.profit == never.profit
    return DecisionOutcome(
        seed=plan.seed,
        world=plan.world,
        moments=plan.moments,
        sent=score.sent,
        opted_out=score.opted_out,
        profit_percent=100 * (score.profit / never.profit - 1),
        capture=None if null else capture(score, never, best),
        capture_static=None if null else capture(static, never, best),
        lift=None if known is None else known.difference,
        lift_low=None if known is None else known.low,
        lift_high=None if known is None else known.high,
        alarm=known is not None and known.certain,
    )
