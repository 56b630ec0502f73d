"""Replays a stored day from its journal and compares every decision with the one that was made.

The same functions that run live (`server/turn.py`) run here: on the states as they stood when the day began,
on the published versions that the journal names, with the answers that the receipts recorded. With nothing
changed the decisions come out the same; where they do not, that is a defect or a changed program.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from decimal import Decimal

import msgspec

from geo.fences.roll import Roll
from offers.decision import AnswerMissing, RecordedAnswers
from offers.receipt import recorded_answers, same_decision
from server.db import Connection, Database
from server.errors import VicinoError
from server.journal import Entry, PostgresJournal
from server.line import undecided
from server.phones import Phones
from server.publish import UnknownRetailer, load_published
from server.records import Record, same_state, take_record
from server.sql import queries
from server.turn import begin, decide_all
from server.world import World

SQL = queries("engine")

DIFFERENCES_MOST = 100  #: as many are listed


class NothingStored(VicinoError):  # noqa: N818 - it names what was found
    """There is no journal of that day."""


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


async def replay_day(
    database: Database, retailer_id: str, day: date, *, on_batch: Callable[[int], None] = lambda _: None
) -> Replayed:
    """Replays a retailer's day (UTC). Changes nothing. Raises UnknownRetailer, NothingStored."""
    async with database.transaction(retailer_id, snapshot=True) as connection:
        secret = await connection.fetchval(SQL["secret"], retailer_id)
        if secret is None:
            raise UnknownRetailer(f"no retailer {retailer_id}")
        replay = _Replay(connection, retailer_id, day, secret)
        await replay.begin()
        async for entry in PostgresJournal().day(connection, retailer_id, day):
            await replay.run(entry)
            on_batch(replay.batches)
        if not replay.batches:
            raise NothingStored(f"nothing is stored of {day}: that day had no input, or its journal is gone")
        return replay.result()


class _Replay:
    def __init__(self, connection: Connection, retailer_id: str, day: date, secret: bytes) -> None:
        self.batches = 0
        self._connection = connection
        self._retailer_id = retailer_id
        self._day = day
        self._secret = secret
        self._records: dict[str, Record] = {}
        self._roll = Roll()
        self._phones = Phones(self._roll)
        self._asked: set[str] = set()
        self._world: World | None = None
        self._inputs = self._decisions = self._offers = 0
        self._different: list[str] = []
        self._stored: dict[int, dict[str, bytes]] = {}  # by the entry as of which they hold
        self._states = 0
        self._different_states: list[str] = []

    async def begin(self) -> None:
        """Reads the states to compare with. A row holds as of some entry of the day, or of a later day's: the
        shopper's state is compared there.
        """
        rows = await self._connection.fetch(SQL["states_of_day"], self._retailer_id, self._day)
        for row in rows:
            self._stored.setdefault(row["state_seq"], {})[row["shopper_id"]] = row["state"]

    async def run(self, entry: Entry) -> None:
        """One micro-batch: the same turn, the same answers, and then the comparison."""
        world = await self._world_at(entry.version)
        await self._load({item.shopper_id for item in (*entry.inputs, *entry.pings.items)})
        rows = await self._connection.fetch(
            SQL["receipts_of_batch"], self._retailer_id, entry.part, entry.seq
        )
        told = {row["decision_id"]: row["receipt"] for row in rows}
        answers = _Answers({row["moment_id"]: recorded_answers(row["receipt"]) for row in rows})
        turn = begin(entry.inputs, entry.pings, self._records, self._phones, world)
        moments = await undecided(self._connection, self._retailer_id, turn.moments, entry.part, entry.seq)
        decisions = decide_all(turn, moments, world, answers, now_us=entry.written_at_us)
        self._records |= turn.records
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
            day=self._day,
            batches=self.batches,
            inputs=self._inputs,
            decisions=self._decisions,
            offers=self._offers,
            different=tuple(self._different[:DIFFERENCES_MOST]),
            states=self._states,
            different_states=tuple(self._different_states[:DIFFERENCES_MOST]),
        )

    def _compare(self, stored: Mapping[str, bytes]) -> None:
        """Compares states as they are now with rows that hold as of now."""
        known = [name for name in stored if name in self._records]
        self._states += len(known)
        assert self._world is not None, "there was a batch"
        self._different_states += [
            name
            for name in known
            if not same_state(stored[name], self._records[name], self._phones, self._world)
        ]

    async def _world_at(self, version: int) -> World:
        if self._world is None or self._world.version != version:
            bodies = await load_published(self._connection, self._retailer_id, version)
            self._world = World.build(self._retailer_id, self._secret, version, bodies, roll=self._roll)
        return self._world

    async def _load(self, shopper_ids: Collection[str]) -> None:
        missing = [name for name in shopper_ids if name not in self._asked]
        self._asked.update(missing)
        rows = await self._connection.fetch(
            SQL["records_at_day_start"], self._retailer_id, self._day, missing
        )
        self._records |= {
            row["shopper_id"]: take_record(row["state"], self._phones)
            for row in rows
            if row["state"] is not None
        }


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
