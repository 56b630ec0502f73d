"""READ THIS FIRST: what happens to everything that comes in, top to bottom.

    phone -> edge -> journal -> fence engine -> moments -> decisions -> outbox -> push

A micro-batch is what one retailer's callers sent within a few milliseconds: fixes, browse events, consents,
what became of pushes, coupons at tills, timers that are due. It is processed in one transaction, and nobody
gets an answer before that has committed. After a crash anywhere the callers send it again; ids are derived
from what happened, so the same rows come out and nobody is pushed twice.
"""

from collections.abc import Callable, Mapping, Sequence

from offers.moment import SILENT_TRIGGERS
from server import crash
from server.admit import Admitted
from server.clock import Clock, from_us
from server.db import Connection, Database
from server.effects.offers import save_decisions
from server.effects.places import save_transitions
from server.effects.states import record_wake_at_us, save_devices, save_records, save_wakes
from server.inputs import Input, RegisterDevice, Wake
from server.journal import Entry, Journal
from server.ledgers import Ledgers
from server.memory import Memory, find_users, lock_head, undecided
from server.records import Record
from server.redeem import Answer, Redeem, redeem
from server.republished import wake_now
from server.turn import begin, decide_all


class Pipeline:
    """One retailer's flow. The only writer of its shoppers' state, so it keeps what it used in memory."""

    def __init__(
        self,
        retailer_id: str,
        database: Database,
        journal: Journal,
        clock: Clock,
        *,
        on_push: Callable[[], None],
        on_doubt: Callable[[str], None],
    ) -> None:
        self.retailer_id = retailer_id
        self.memory = Memory(retailer_id)
        self._database = database
        self._journal = journal
        self._clock = clock
        self._on_push = on_push
        self._on_doubt = on_doubt

    async def run(self, batch: Sequence[Input | Redeem]) -> list[Admitted | Answer]:
        """Processes a micro-batch; one answer per item, in order, valid because it has committed.

        Raises whatever stopped the transaction. If that came during the commit, the batch may have happened.
        """
        try:
            return await self._run(batch)
        except BaseException:
            self.memory.forget()  # what is in the database now is for the next batch to read
            raise

    async def _run(self, batch: Sequence[Input | Redeem]) -> list[Admitted | Answer]:
        await self._journal.prepare(self._database, from_us(self._clock.now_us()).date())
        async with self._database.transaction(self.retailer_id) as connection:
            # The retailer's place in line: its batches are written in the order of this lock.
            head = await lock_head(connection, self.retailer_id)
            await self.memory.catch_up(connection, head)
            world = await self.memory.world(connection, head.version, head.secret)
            now_us = self._clock.now_us()
            concerned = await self.memory.concerned(connection, world, now_us)

            # What only the database can answer: whether a coupon is good, whose a user id is.
            answers, inputs = await self._ask(connection, batch)
            before = await self.memory.load(connection, {item.shopper_id for item in inputs})

            # Pure: consents and preferences, admission, fences, interests; then who wants to go where.
            turn = begin(inputs, before, self.memory.fleet, world)
            entry = Entry(
                seq=head.journal_seq + 1, written_at_us=now_us, version=world.version, inputs=turn.inputs
            )

            # Pure again, given what the offers have left: an offer or silence for each moment.
            moments = await undecided(connection, self.retailer_id, turn.moments, entry.seq)
            stores = {one.store for one in moments if one.store and one.trigger not in SILENT_TRIGGERS}
            ledgers = await Ledgers.lock(connection, self.retailer_id, world.catalogue, stores, entry.day)
            decisions = decide_all(turn, moments, world, ledgers, now_us=now_us, took=ledgers.take)

            # The journal and everything that follows from it, or none of it.
            changed = {
                name: record
                for name, record in turn.records.items()
                if record is not before.get(name) or name in turn.moved
            }
            timed = changed.keys() | {item.shopper_id for item in entry.inputs if isinstance(item, Wake)}
            wakes = {name: record_wake_at_us(turn.records[name], turn.fleet, world) for name in timed}
            if entry.inputs:
                await self._journal.append(connection, self.retailer_id, entry)
            await self._save_state(connection, entry, changed, wakes)
            await wake_now(connection, self.retailer_id, concerned, now_us)
            await save_devices(connection, self.retailer_id, entry.inputs, now_us)
            await save_transitions(connection, self.retailer_id, turn)
            pushed = await save_decisions(connection, world, entry, decisions, turn.records)
            await ledgers.write(connection, self.retailer_id, entry.day)
            crash.passing("before_commit")

        crash.passing("after_commit")
        self.memory.keep(changed, wakes, entry.day, entry.seq if entry.inputs else head.journal_seq)
        self.memory.wake(concerned, now_us, world)
        if pushed:
            self._on_push()
        for reason in turn.doubted:
            self._on_doubt(reason)
        admitted = iter(turn.admitted)
        return [answer if answer is not None else next(admitted) for answer in answers]

    async def _ask(
        self, connection: Connection, batch: Sequence[Input | Redeem]
    ) -> tuple[list[Answer | None], list[Input]]:
        """Answers the tills; of the rest (answer None) makes inputs, the granted redemptions after them."""
        answers = [
            await redeem(connection, self.retailer_id, item) if isinstance(item, Redeem) else None
            for item in batch
        ]
        inputs = [item for item in batch if not isinstance(item, Redeem)]
        inputs = await find_users(connection, self.retailer_id, inputs)
        granted = [answer.granted for answer in answers if answer is not None and answer.granted is not None]
        return answers, [*inputs, *granted]

    async def _save_state(
        self,
        connection: Connection,
        entry: Entry,
        changed: Mapping[str, Record],
        wakes: Mapping[str, int | None],
    ) -> None:
        await save_records(
            connection,
            self.retailer_id,
            changed,
            self.memory.fleet,
            wakes,
            day=entry.day,
            first_today=self.memory.first_on(entry.day, changed),
            users={i.shopper_id: i.user_hash for i in entry.inputs if isinstance(i, RegisterDevice)},
        )
        idle = {name: at_us for name, at_us in wakes.items() if name not in changed}
        await save_wakes(connection, self.retailer_id, idle)
