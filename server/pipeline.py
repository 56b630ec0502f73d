"""READ THIS FIRST: what happens to everything that comes in, top to bottom.

    phone -> edge -> journal -> fence engine -> moments -> decisions -> outbox -> push

A micro-batch is what one retailer's callers sent within a few milliseconds. Nobody gets an answer before it
has committed. Most batches are pings from which nothing follows but that it is known where phones are: judged
in memory, appended to the journal in one statement. Any other is one transaction. Rows that lag behind are
written in the background; memory is made again from rows and journal (`server/checkpoints.py`). After a crash
callers send again; ids are derived from what happened, so the same rows come out and nobody is pushed twice.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from offers.moment import SILENT_TRIGGERS
from server.admit import Admitted
from server.checkpoints import Checkpoints
from server.clock import Clock, from_us
from server.db import Connection, Database
from server.effects.batch import save_batch
from server.inputs import Input, RecordFixes
from server.journal import Entry, Journal, Span, split
from server.ledgers import Ledgers, places_of
from server.line import asked, lock_head, undecided
from server.memory import Memory
from server.pings import Pings
from server.privacy.erase import erase_rows
from server.redeem import Answer, Item, Redeem
from server.republished import wake_now
from server.turn import Turn, begin, decide_all
from server.worlds import Worlds


class Pipeline:
    """The flow of a part of a retailer's shoppers, whose state it keeps in memory and alone writes."""

    def __init__(
        self,
        retailer_id: str,
        database: Database,
        journal: Journal,
        clock: Clock,
        *,
        on_push: Callable[[], None],
        on_doubt: Callable[[str], None],
        on_world: Callable[[], None],
    ) -> None:
        self.retailer_id = retailer_id
        worlds = Worlds(retailer_id, database, on_made=on_world)
        self.memory = Memory(retailer_id, database, worlds, clock, journal.part)
        self.checkpoints = Checkpoints(self.memory, database, journal, clock)
        self._database, self._journal, self._clock = database, journal, clock
        self._on_push, self._on_doubt = on_push, on_doubt

    async def run(self, batch: Sequence[Item], span: Span = None) -> list[Admitted | Answer]:
        """One answer per item, in order, valid because it has committed. Raises what stopped the batch."""
        touched: set[str] = set()
        try:
            return await self._run(batch, touched, span)
        except BaseException:
            self.memory.doubt(touched)  # what they have become is for the next batch to read
            raise

    async def _run(self, batch: Sequence[Item], touched: set[str], span: Span) -> list[Admitted | Answer]:
        now_us = self._clock.now_us()
        await self._journal.prepare(self._database, from_us(now_us).date())
        inputs, pings = split([item for item in batch if not isinstance(item, Redeem)])
        turn = None
        if self.memory.settled and len(pings) == len(batch) > 0:
            # Pings alone are judged without a place in line: as a rule nothing follows from them.
            turn = await self._begin([], pings, touched)
            if turn.quiet and await self._append(turn, now_us, span):
                return [*turn.answers]
        redeemed: list[Answer] = []
        async with self._database.transaction(self.retailer_id) as connection:
            # The part's place in line: its batches are written in the order of this lock.
            head = await lock_head(connection, self.retailer_id, self.memory.part)
            if turn is None or self.memory.seq != head.journal_seq:
                await self.checkpoints.catch_up(connection, head)
                await self.memory.worlds.at(head.version, head.secret)
                # What only the database can answer: whether a coupon is good, whose a user id is.
                asks = [item for item in batch if isinstance(item, Redeem)]
                redeemed, inputs = await asked(connection, self.memory, asks, inputs)
                turn = await self._begin(inputs, pings, touched, connection)
            entry = self.memory.entry(turn, now_us, span)
            concerned = await self.memory.concerned(connection, now_us)
            pushed = await self._write(connection, turn, entry, redeemed)
            await wake_now(connection, self.retailer_id, concerned, now_us)
            erased = await erase_rows(connection, self.retailer_id, inputs)
            self.memory.hint(turn)
        self.memory.keep(turn, entry, saved=turn.told)
        self.memory.erase(erased)
        self.memory.wake(concerned, now_us)
        if pushed:
            self._on_push()
        told: dict[type, Iterator[Answer | Admitted]]
        told, others = {Redeem: iter(redeemed), RecordFixes: iter(turn.answers)}, iter(turn.admitted)
        return [next(told.get(type(item), others)) for item in batch]

    async def _begin(
        self, inputs: Sequence[Input], pings: Pings, touched: set[str], connection: Connection | None = None
    ) -> Turn:
        """Pure, but for the records it needs: consents, admission, fences; then who wants to go where."""
        touched |= {item.shopper_id for item in (*inputs, *pings.items)}
        await self.checkpoints.close_days(touched)
        before = await self.memory.load(touched, connection)
        turn = begin(inputs, pings, before, self.memory.phones, self.memory.world)
        for reason in turn.doubted:
            self._on_doubt(reason)
        return turn

    async def _append(self, turn: Turn, now_us: int, span: Span) -> bool:
        """The journal entry of a batch that led to nothing else. False where the line has moved on without
        us: nothing has happened then, and memory has to be made again.
        """
        entry = self.memory.entry(turn, now_us, span)
        appending = asyncio.create_task(self._journal.append_alone(self._database, self.retailer_id, entry))
        await asyncio.sleep(0)  # it is on its way; what phones are told is found out meanwhile
        try:
            self.memory.hint(turn)
        finally:
            appended = await appending
        if appended:
            self.memory.keep(turn, entry, saved=())
        else:
            self.memory.seq = None
        return appended

    async def _write(self, connection: Connection, turn: Turn, entry: Entry, tills: list[Answer]) -> bool:
        """Decides; writes the journal and everything that follows, or none of it. Whether a push is due."""
        retailer_id, world, now_us = self.retailer_id, self.memory.world, entry.written_at_us
        # Pure again, given what offers have left and what was learned: an offer or silence for each moment.
        moments = await undecided(connection, retailer_id, turn.moments, entry.part, entry.seq)
        places = places_of(one for one in moments if one.store and one.trigger not in SILENT_TRIGGERS)
        ledgers = await Ledgers.lock(connection, retailer_id, world.catalogue, places, tills, now_us=now_us)
        learner = await self.memory.learners.ready(connection, turn, world)
        decisions = decide_all(turn, moments, world, ledgers, learner, now_us=now_us, took=ledgers.take)
        of = (self._journal, self.memory, turn, entry, decisions, ledgers)
        return await save_batch(connection, *of, clock=self._clock)
