"""What the learning policy learns in a micro-batch: outcomes, then each decision as it is made. No I/O."""

from collections.abc import Iterable

import msgspec

from offers.decision import Decision
from offers.learn.hers import Known, with_effects
from offers.learn.learner import Learner
from offers.learn.lesson import Lesson, Settled, outcome, taught
from server.records import Record


def learn(
    learner: Learner,
    outcomes: Iterable[tuple[str, Known]],
    records: dict[str, Record],
    lessons: list[tuple[str, Lesson]],
    now_us: int,
) -> None:
    """Learns what became known of earlier decisions; how the shoppers differ goes into their records."""
    for shopper_id, (trial, head, did) in outcomes:
        record = records.get(shopper_id)
        insight = record is not None and record.shopper.permits("insight", now_us)
        lesson: Lesson
        if head == "budget":
            if not trial.cost:
                continue
            lesson = Settled(offer=trial.offer, cost=trial.cost, spent=trial.spend if did else 0.0)
        else:
            effects = record.shopper.hers.effects if record is not None and insight else {}
            lesson = outcome(learner, trial, effects, head, did)
        after = taught(learner, lesson)
        lessons.append((shopper_id, lesson))
        if record is not None and insight and after:
            shopper = msgspec.structs.replace(record.shopper, hers=with_effects(record.shopper.hers, after))
            records[shopper_id] = record.with_shopper(shopper)


def learn_decision(learner: Learner, decision: Decision, lessons: list[tuple[str, Lesson]]) -> None:
    """Lets budgets' prices and stores' shares know of a decision."""
    paced = decision.paced
    if paced is not None and (paced.costs or paced.store is not None):
        taught(learner, paced)
        lessons.append((decision.moment.shopper_id, paced))
