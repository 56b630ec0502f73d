"""Decides a simulated journal again, with the answers of then, as `server/replay_journal.py` does."""

from collections.abc import Mapping
from decimal import Decimal

from offers.decision import RecordedAnswers
from offers.learn.learner import Learner
from offers.learn.stored import restored, stored
from offers.receipt import recorded_answers, same_decision
from server.journal import Entry
from server.phones import Phones
from server.records import Record, pack_record, take_record
from server.simulation.durable import Durable
from server.simulation.promises import PromiseBroken
from server.turn import begin, decide_all
from server.world import World


class Replay:
    """From a checkpoint to the journal's end."""

    def __init__(self, world: World, durable: Durable) -> None:
        self.phones = Phones(world.fences.roll)
        self.records: dict[str, Record] = {}
        self.learner: Learner | None = None
        self._world = world
        self._durable = durable

    def run(self, checkpoint: Mapping[str, bytes], learner: bytes, seq: int) -> None:
        """All entries after `seq`, on the states of then and what was learned. Raises PromiseBroken."""
        if self._world.catalogue.settings.policy == "learn":
            self.learner = restored(learner) if learner else Learner()
        self.records = {name: take_record(state, self.phones) for name, state in checkpoint.items()}
        for entry in self._durable.journal[seq:]:
            self._entry(entry)

    def packed(self) -> dict[str, bytes]:
        """Everybody's state, as it would be stored."""
        return {name: pack_record(record, self.phones) for name, record in self.records.items()}

    def learned(self) -> bytes:
        """All that was learned, as it would be stored."""
        return b"" if self.learner is None else stored(self.learner)

    def _entry(self, entry: Entry) -> None:
        names = {item.shopper_id for item in (*entry.inputs, *entry.pings.items)}
        known = {name: self.records[name] for name in names if name in self.records}
        turn = begin(entry.inputs, entry.pings, known, self.phones, self._world)
        told = {one.moment_id: self._durable.receipts.get(one.moment_id) for one in turn.moments}
        receipts = {name: of[1] for name, of in told.items() if of is not None and of[0] == entry.seq}
        # What an earlier batch has decided is left out; what none has is asked, and told as missing.
        moments = [one for one in turn.moments if one.moment_id in receipts or told[one.moment_id] is None]
        answers = _Recorded({name: recorded_answers(of) for name, of in receipts.items()})
        decisions = decide_all(turn, moments, self._world, answers, self.learner, now_us=entry.written_at_us)
        for decision in decisions:
            of = receipts.get(decision.moment.moment_id)
            if of is None or not same_decision(of, decision):
                raise PromiseBroken(f"I5: {decision.decision_id} comes out otherwise in batch {entry.seq}")
        self.records |= turn.records


class _Recorded:
    """The answers of then, by moment."""

    def __init__(self, by_moment: Mapping[str, RecordedAnswers]) -> None:
        self._by_moment = by_moment

    def quota(self, moment_id: str, scope: str) -> bool:
        return moment_id not in self._by_moment or self._by_moment[moment_id].quota(moment_id, scope)

    def budget(self, moment_id: str, offer: str, spend: Decimal) -> bool:
        return moment_id not in self._by_moment or self._by_moment[moment_id].budget(moment_id, offer, spend)
