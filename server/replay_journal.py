"""Replays a stored day from its journal and compares every decision with the one that was made.

The same functions that run live (`server/turn.py`) run here: on the states as they stood when the day began,
on the published versions that the journal names, with the answers that the receipts recorded. With nothing
changed the decisions come out the same; where they do not, that is a defect or a changed program.
"""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

import msgspec

from offers.decision import AnswerMissing, RecordedAnswers
from offers.receipt import recorded_answers, same_decision
from server.db import Database
from server.journal import Entry, Journal
from server.learners import Relearned
from server.line import undecided
from server.records import same_state
from server.sql import queries
from server.stored_day import StoredDay
from server.turn import begin, decide_all

SQL = queries("engine")

DIFFERENCES_MOST = 100  #: as many are listed


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What the replay of a day showed."""

    day: date
    batches: int
    inputs: int
    decisions: int
    offers: int
    different: tuple[str, ...]  #: ids of decisions that came out otherwise, or not at all, or newly
    states: int  #: shoppers whose state at the end of the day could be compared
    different_states: tuple[str, ...]
    lessons: int  #: that the learning policy was taught
    different_lessons: tuple[int, ...]  #: journal entries that taught it otherwise


async def replay_day(
    database: Database,
    retailer_id: str,
    day: date,
    *,
    journal: Journal | None = None,
    on_batch: Callable[[int], None] = lambda _: None,
) -> Replayed:
    """Replays a retailer's day (UTC), of several parts that of the journal given. Changes nothing. Raises
    UnknownRetailer, NothingStored.
    """
    async with StoredDay.open(database, retailer_id, day, journal=journal) as stored:
        replay = _Replay(stored)
        await replay.begin()
        async for entry in stored.entries():
            await replay.run(entry)
            on_batch(replay.batches)
        return replay.result()


class _Replay:
    def __init__(self, day: StoredDay) -> None:
        self.batches = 0
        self._day = day
        self._inputs = self._decisions = self._offers = 0
        self._different: list[str] = []
        self._stored: dict[int, dict[str, bytes]] = {}  # by the entry as of which they hold
        self._states = 0
        self._different_states: list[str] = []
        self._learning = Relearned(day.retailer_id)
        self._different_lessons: list[int] = []

    async def begin(self) -> None:
        """Reads the states to compare with. A row holds as of some entry of the day, or of a later day's: the
        shopper's state is compared there.
        """
        day = self._day
        rows = await day.connection.fetch(SQL["states_of_day"], day.retailer_id, day.day)
        for row in rows:
            if not day.journal.part.holds(day.retailer_id, row["shopper_id"]):
                continue
            self._stored.setdefault(row["state_seq"], {})[row["shopper_id"]] = row["state"]

    async def run(self, entry: Entry) -> None:
        """One micro-batch: the same turn, the same answers, and then the comparison."""
        day = self._day
        world, told = await day.at(entry), await day.receipts(entry)
        answers = _Answers({one["moment"]["id"]: recorded_answers(one) for one in told.values()})
        turn = begin(entry.inputs, entry.pings, day.records, day.phones, world)
        moments = await undecided(day.connection, day.retailer_id, turn.moments, entry.part, entry.seq)
        learner = await self._learning.learner(day.connection, entry.seq)
        decisions = decide_all(turn, moments, world, answers, learner, now_us=entry.written_at_us)
        day.records |= turn.records
        if not self._learning.same(turn.lessons):
            self._different_lessons.append(entry.seq)
        made = {decision.decision_id: decision for decision in decisions}
        self._different += sorted(made.keys() ^ told.keys())
        self._different += [
            name for name in made if name in told and not same_decision(told[name], made[name])
        ]
        self._compare(self._stored.pop(entry.seq, {}))
        self.batches += 1
        self._inputs += len(entry.inputs) + len(entry.pings)
        self._decisions += len(decisions)
        self._offers += sum(1 for decision in decisions if decision.chosen is not None)

    def result(self) -> Replayed:
        for stored in self._stored.values():
            self._compare(stored)
        return Replayed(
            day=self._day.day,
            batches=self.batches,
            inputs=self._inputs,
            decisions=self._decisions,
            offers=self._offers,
            different=tuple(self._different[:DIFFERENCES_MOST]),
            states=self._states,
            different_states=tuple(self._different_states[:DIFFERENCES_MOST]),
            lessons=self._learning.lessons,
            different_lessons=tuple(self._different_lessons[:DIFFERENCES_MOST]),
        )

    def _compare(self, stored: Mapping[str, bytes]) -> None:
        """Compares states as they are now with rows that hold as of now."""
        day, world = self._day, self._day.world
        known = [name for name in stored if name in day.records]
        self._states += len(known)
        assert world is not None, "there was a batch"
        self._different_states += [
            name for name in known if not same_state(stored[name], day.records[name], day.phones, world)
        ]


class _Answers:
    """The answers of the day, by moment. A question that was not asked then is granted: the receipt, which
    lists the answers, then differs, and so is told.
    """

    def __init__(self, by_moment: Mapping[str, RecordedAnswers]) -> None:
        self._by_moment = by_moment

    def quota(self, moment_id: str, scope: str) -> bool:
        try:
            return self._by_moment[moment_id].quota(moment_id, scope)
        except (KeyError, AnswerMissing):
            return True

    def budget(self, moment_id: str, offer: str, spend: Decimal) -> bool:
        try:
            return self._by_moment[moment_id].budget(moment_id, offer, spend)
        except (KeyError, AnswerMissing):
            return True
