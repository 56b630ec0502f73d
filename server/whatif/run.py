"""Lives a stored day through again on a changed world, and tells how it differs from what was.

The functions are those of the live pipeline (`server/turn.py`), the inputs are the day's journal: what phones
sent to the world as it was. With nothing changed every decision comes out as it is in the log. What cannot be
known is left as it was: a phone would have reported more often near a fence that is only there now, a fix in
a place that was sensitive then was never kept, and nobody tells what she would have made of another offer.
What became of offers that are not made this time is left out.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from offers.decision import Decision
from offers.learn.learner import Learner
from offers.receipt import receipt, recorded_answers, same_decision
from server.db import Database
from server.effects.states import record_wake_at_us
from server.inputs import Input, RecordOutcome, RecordRedemption, Wake
from server.journal import Entry
from server.learners import Relearned
from server.ledgers import Ledgers, scope_of
from server.line import undecided
from server.parts import WHOLE
from server.pings import Pings
from server.stored_day import StoredDay
from server.timers import Timers
from server.turn import Turn, begin, decide_all
from server.whatif.changes import BadChange, Changes
from server.whatif.ledgers import DayLedgers, WhatIfAnswers
from server.whatif.tally import EXAMPLES_MOST, Counting, Difference, Otherwise, action
from server.world import World

#: A timer that is due this long before the next batch was none then: the live engine is woken in time.
WAKE_AFTER_US = 1_000_000
Receipts = Mapping[str, dict[str, Any]]


async def what_if(
    database: Database,
    retailer_id: str,
    day: date,
    changes: Changes,
    *,
    on_batch: Callable[[int, int], None] = lambda _done, _total: None,
) -> Difference:
    """How the day (UTC) would have gone. Reads one snapshot, writes nothing. `on_batch` is told how many
    micro-batches are done, of how many.

    Raises UnknownRetailer, NothingStored, BadChange.
    """
    async with StoredDay.open(database, retailer_id, day, changes.edit) as stored:
        ledgers = await DayLedgers.at_start(stored.connection, retailer_id, day)
        again = _Again(stored, changes, ledgers)
        total = await stored.size()
        async for entry in stored.entries():
            await again.run(entry)
            on_batch(again.batches, total)
        return again.result()


class _Again:
    """The day in the making."""

    def __init__(self, day: StoredDay, changes: Changes, ledgers: DayLedgers) -> None:
        self.batches = 0
        self._day, self._changes, self._ledgers = day, changes, ledgers
        self._before, self._after = Counting(), Counting()
        self._same = self._different = self._left_out = 0
        self._examples: list[Otherwise] = []
        self._first_seq: int | None = None
        self._decided: set[str] = set()  # moments of this day
        self._unmade: set[str] = set()  # decisions whose offer is not made this time
        self._timers = Timers()
        self._learning = Relearned(day.retailer_id)
        self._learner: Learner | None = None  # as the entry finds it
        capped = {"store_per_day", "retailer_per_day"} & changes.settings.keys()
        self._quotas_otherwise = bool(capped)
        self._otherwise: set[str] = set(changes.offers)

    async def run(self, entry: Entry) -> None:
        """One micro-batch, and the timers that have become due before it."""
        self._first_seq = entry.seq if self._first_seq is None else self._first_seq
        world, told = await self._day.at(entry), await self._day.receipts(entry)
        if self._quotas_otherwise:
            self._otherwise |= {"retailer", *(f"store:{name}" for name in world.catalogue.stores)}
        made: dict[str, Decision] = {}
        self._learner = await self._learning.learner(self._day.connection, entry.seq)
        if self._learner is None and self._changes.settings.get("policy") == "learn":
            raise BadChange("settings.policy: `learn` had learned nothing by that day, so it cannot be asked")
        if self._changes.moves_fences:
            made |= await self._woken(world, entry)
        inputs = [item for item in entry.inputs if self._can_be(item)]
        self._left_out += len(entry.inputs) - len(inputs)
        made |= await self._decided_on(world, inputs, entry.pings, entry.written_at_us, told)
        self._note(told, made)
        self.batches += 1

    async def _woken(self, world: World, entry: Entry) -> dict[str, Decision]:
        """What follows from timers that were not due then, at the time they are due now."""
        made: dict[str, Decision] = {}
        until_us = entry.written_at_us - WAKE_AFTER_US
        while (due_us := self._timers.next_us()) is not None and due_us <= until_us:
            wakes: list[Input] = [
                Wake(shopper_id=name, received_at_us=due_us)
                for name in self._timers.due(due_us, lambda name: self._wake_at_us(name, world))
            ]
            made |= await self._decided_on(world, wakes, Pings.of(()), due_us, {})
        return made

    async def _decided_on(
        self, world: World, inputs: list[Input], pings: Pings, now_us: int, told: Receipts
    ) -> dict[str, Decision]:
        day, seq = self._day, self._first_seq
        assert seq is not None
        for item in inputs:
            if isinstance(item, RecordRedemption):
                self._ledgers.redeem(item.decision_id)
        turn = begin(inputs, pings, day.records, day.phones, world)
        moments = await undecided(day.connection, day.retailer_id, turn.moments, WHOLE.number, seq)
        moments = [moment for moment in moments if moment.moment_id not in self._decided]
        ledgers = self._ledgers.at(world, now_us, moments)
        recorded = {one["moment"]["id"]: recorded_answers(one) for one in told.values()}
        answers = WhatIfAnswers(recorded, ledgers, self._otherwise)
        learner = self._learner
        decisions = decide_all(turn, moments, world, answers, learner, now_us=now_us, took=ledgers.take)
        self._keep(turn, decisions, world, ledgers)
        return {decision.decision_id: decision for decision in decisions}

    def _keep(self, turn: Turn, decisions: list[Decision], world: World, ledgers: Ledgers) -> None:
        self._day.records |= turn.records
        self._decided |= {decision.moment.moment_id for decision in decisions}
        for decision in decisions:
            if decision.offer is not None and decision.chosen is not None:
                purses = ledgers.purses_of(decision.offer, decision.moment.store)
                scopes = (scope_of(store, world.catalogue) for store in (decision.moment.store, None))
                self._ledgers.issue(decision, purses, [scope for scope in scopes if scope is not None])
        if self._changes.moves_fences:
            for name in turn.timed:
                self._timers.put(name, self._wake_at_us(name, world), may_be_put_off=True)

    def _wake_at_us(self, shopper_id: str, world: World) -> int | None:
        record = self._day.records.get(shopper_id)
        return None if record is None else record_wake_at_us(record, self._day.phones, world)

    def _can_be(self, item: Input) -> bool:
        """Not what became of an offer that she did not get."""
        told_of = item.decision_id if isinstance(item, RecordOutcome | RecordRedemption) else None
        return told_of not in self._unmade

    def _note(self, told: Receipts, made: Mapping[str, Decision]) -> None:
        """Counts both, and compares."""
        receipts = {name: receipt(decision) for name, decision in made.items()}
        self._before.add(told.values())
        self._after.add(receipts.values())
        for name in {**told, **made}:
            before, after = told.get(name), receipts.get(name)
            if before is not None and name in made and same_decision(before, made[name]):
                self._same += 1
                continue
            self._different += 1
            if len(self._examples) < EXAMPLES_MOST:
                self._examples.append(Otherwise(decision=name, before=action(before), after=action(after)))
            self._diverged(name, before, after)

    def _diverged(self, name: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
        """From now on the accounts of what has gone to another moment than it did are counted."""
        both = [told for told in (before, after) if told is not None and told["outcome"] == "offer"]
        if len({told["offer"] for told in both}) == 1 and len(both) == 2:
            return
        for told in both:
            self._otherwise |= {told["offer"], "retailer", f"store:{told['moment']['store']}"}
        if before in both:
            self._unmade.add(name)

    def result(self) -> Difference:
        return Difference(
            day=self._day.day.isoformat(),
            batches=self.batches,
            same=self._same,
            different=self._different,
            before=self._before.tally(),
            after=self._after.tally(),
            left_out=self._left_out,
            examples=tuple(self._examples),
        )
