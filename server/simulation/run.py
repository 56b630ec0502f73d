"""Puts a simulation together, runs it to its end, and says what happened."""

from datetime import UTC, datetime

from server.clock import to_us
from server.simulation.durable import Durable
from server.simulation.loop import Loop
from server.simulation.node import Node
from server.simulation.plan import Outcome, Plan
from server.simulation.postman import Fcm, Postman
from server.simulation.promises import PromiseBroken, Promises
from server.simulation.replay import Replay
from server.simulation.shopper import App, Shopper
from server.simulation.town import build_town

#: A Monday, at midnight.
BEGINS = datetime(2026, 11, 16, tzinfo=UTC)
RELAYS = 2


def simulate(plan: Plan) -> Outcome:
    """Runs one simulation. Raises PromiseBroken with the command that does the same again."""
    try:
        return _simulate(plan)
    except PromiseBroken as broken:
        raise PromiseBroken(f"seed {plan.seed}: {broken} (again: {plan.again})") from broken


def _simulate(plan: Plan) -> Outcome:
    loop = Loop(plan.seed, to_us(BEGINS))
    world, durable = build_town(plan.policy), Durable()
    promises = Promises(durable, world.catalogue)
    fcm = Fcm(loop, durable, promises, plan.rates)
    postmen = [Postman(loop, durable, fcm, plan.rates) for _ in range(RELAYS)]

    def on_push() -> None:
        for postman in postmen:
            postman.wake()

    node = Node(loop, world, durable, promises, plan.rates, on_push=on_push)
    app = App(loop, node, plan.rates)
    for number in range(plan.shoppers):
        Shopper(number, loop, app, durable, promises).live(plan.days)
    loop.run()
    promises.at_the_end()
    whole = Replay(world, durable)
    whole.run({}, b"", 0)
    promises.recovered(whole.packed(), whole.learned())
    return Outcome(
        seed=plan.seed,
        shopper_days=plan.shoppers * plan.days,
        steps=loop.steps,
        fixes=promises.acknowledged,
        batches=node.batches,
        crashes=node.crashes,
        relay_deaths=sum(postman.deaths for postman in postmen),
        decisions=len(durable.receipts),
        offers=len(durable.outbox),
        attempts=fcm.attempts,
        accepted=fcm.accepted,
        shown=promises.screens,
        redeemed=durable.redeemed_count,
        lessons=0 if whole.learner is None else whole.learner.lessons,
    )
