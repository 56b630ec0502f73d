"""How rows keep up with memory, and how memory is made again from them.

A batch from which nothing follows but that it is known where devices were is in the journal, and nowhere
else. The rows of the shoppers it concerns lag behind, each by its own: `state_seq` is the entry as of which a
row holds. The oldest are written in the background, a few at a time; `checkpoints` has the entry up to which
no row lags. What follows from any other batch is in the rows with the batch itself.

So memory is, at any time, the rows and what the journal has of each shopper after her `state_seq`: pings, put
through the same functions as when they came (`server/turn.py`).
"""

import asyncio
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

import asyncpg
import msgspec
import structlog

from server import crash
from server.clock import Clock, from_us
from server.db import Connection, Database, DatabaseError
from server.journal import Entry, Journal
from server.line import Head
from server.memory import SQL, Memory, PackedState
from server.pings import Pings
from server.turn import begin
from server.unsaved import Unsaved

log = structlog.get_logger("vicino.checkpoints")

AFTER_US = 60_000_000  #: how long a row lags behind before it is written
#: … and if it lacks so many entries, how long at least: a restart has to read them all.
ENTRIES, SOONER_US = 1_000, 10_000_000
RETRY_US = 2_000_000  #: how long nothing is written after a failure
TOGETHER = 2_000  #: shoppers whose pings are made up for at once
MOST = 24  #: states written at once: packing them takes a millisecond or two, in which nothing else happens
LONGEST = timedelta(days=31)  #: nothing of the journal is older


class State(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What all that is known of a retailer's shoppers comes to, as of a journal entry."""

    seq: int
    sha256: str


class _Taken(msgspec.Struct, frozen=True, gc=False):
    """States on their way to their rows."""

    states: list[PackedState]
    seq: int  #: the entry as of which they hold
    unsaved: Unsaved


class Checkpoints:
    """Of one retailer."""

    def __init__(self, memory: Memory, database: Database, journal: Journal, clock: Clock) -> None:
        self._memory = memory
        self._database = database
        self._journal = journal
        self._clock = clock
        self._writing: asyncio.Task[None] | None = None
        self._told = (0, 0)  # the entry that was last told to the database, and when
        self._not_before_us = 0  # after a failure

    @property
    def waiting(self) -> bool:
        """Whether there is something to be written, sooner or later."""
        return bool(len(self._memory.unsaved)) or self._told[0] != self._memory.seq

    def write_some(self) -> None:
        """Begins to write the oldest, if it is time. To be called between batches."""
        now_us = self._clock.now_us()
        if self._writing is not None or self._memory.seq is None or self._memory.doubtful:
            return
        if now_us < self._not_before_us:
            return
        first = self._memory.unsaved.first()
        many = first is not None and self._memory.seq - first.seq > ENTRIES
        names = self._memory.unsaved.oldest(MOST, now_us - (SOONER_US if many else AFTER_US))
        if names or (now_us - self._told[1] >= SOONER_US and self.waiting):
            # They are packed now: when the task begins, the next batch may have changed them.
            self._writing = asyncio.create_task(self._write(self._taken(names)))
            self._writing.add_done_callback(self._wrote)

    async def write_all(self) -> None:
        """Writes everything that lags behind and is not in doubt. To be called when batches have ended."""
        await self.idle()
        memory = self._memory
        while memory.seq is not None:
            oldest = memory.unsaved.oldest(20 * MOST, self._clock.now_us())
            names = [name for name in oldest if name not in memory.doubtful]
            if names and await self._saved(self._taken(names)):
                continue
            if self._told[0] != memory.seq:  # nothing is left but what is in doubt: it says up to where
                await self._saved(self._taken([]))
            return

    async def close_days(self, shopper_ids: Collection[str], day: date | None = None) -> None:
        """Writes the states of shoppers whose newest change is of before a day (None: today), which has ended
        with these.
        """
        day = day or max(self._memory.day, from_us(self._clock.now_us()).date())
        if self._memory.unsaved.before(shopper_ids, day):
            await self.idle()
            if names := self._memory.unsaved.before(shopper_ids, day):
                await self._saved(self._taken(names))

    async def idle(self) -> None:
        """Waits until nothing is being written."""
        if self._writing is not None:
            await asyncio.wait({self._writing})

    def _wrote(self, task: asyncio.Task[None]) -> None:
        self._writing = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("checkpoint_failed", exc_info=error)

    async def _write(self, taken: _Taken) -> None:
        try:
            await self._saved(taken)
        except (DatabaseError, asyncpg.PostgresError) as error:  # they lag behind a little longer
            self._not_before_us = self._clock.now_us() + RETRY_US
            log.warning("checkpoint_put_off", error=type(error).__name__, detail=str(error))

    def _taken(self, names: Collection[str]) -> _Taken:
        """These states as they are now, on their way. Not in the midst of a batch."""
        memory = self._memory
        taken = _Taken(memory.packed(names), memory.seq or 0, memory.unsaved)
        memory.unsaved.write(names)
        return taken

    async def _saved(self, taken: _Taken) -> set[str]:
        """Writes states to their rows; whose rows have them."""
        saved: set[str] = set()
        try:
            saved = await self._rows(taken.states, taken.seq)
        finally:
            if self._memory.unsaved is taken.unsaved:
                taken.unsaved.written(saved)
                self._memory.in_rows({name: day for name, _, day, _ in taken.states if name in saved})
        return saved

    async def _rows(self, states: Sequence[PackedState], seq: int) -> set[str]:
        memory = self._memory
        async with self._database.transaction(memory.retailer_id) as connection:
            names = [name for name, *_ in states]
            packed, days = [state for _, state, *_ in states], [day for *_, day, _ in states]
            times = [None if at_us is None else from_us(at_us) for *_, at_us in states]
            arguments = (memory.retailer_id, names, packed, days, times, seq)
            saved = {row["shopper_id"] for row in await connection.fetch(SQL["save_checkpoint"], *arguments)}
            if len(saved) < len(names):  # those whose rows are gone have been erased
                rows = await connection.fetch(SQL["load_records"], memory.retailer_id, names)
                gone = set(names) - {row["shopper_id"] for row in rows}
                memory.unsaved.drop(gone)
                memory.drop(gone)
            first = memory.unsaved.first(without=saved)
            if first is None:
                # Nothing lags behind the newest entry; a batch under way has a later one.
                done = memory.seq or 0, from_us(self._clock.now_us()).date() - timedelta(days=1)
            else:
                done = first.seq - 1, first.day - timedelta(days=1)
            await connection.execute(SQL["set_checkpoint"], memory.retailer_id, memory.part.number, *done)
            if saved:
                crash.passing("checkpoint")
        self._told = done[0], self._clock.now_us()
        return saved

    async def catch_up(self, connection: Connection, head: Head) -> None:
        """Makes memory hold as of the journal's newest entry: after a start, after a batch that failed, or
        where another engine was at work.
        """
        memory = self._memory
        if memory.seq == head.journal_seq and not memory.doubtful:
            return
        await self.idle()
        newest = (
            await connection.fetchval(SQL["newest_day"], memory.retailer_id, memory.part.number) or date.min
        )
        today = max(newest, from_us(self._clock.now_us()).date())
        lacking: set[str] = set()
        if memory.seq != head.journal_seq:
            memory.clear()
            await memory.load_timers(connection)
            row = await connection.fetchrow(SQL["checkpoint"], memory.retailer_id, memory.part.number)
            seq, day = (0, today - LONGEST) if row is None else (row["seq"], row["day"])
            await self._read_on(connection, head, None, (seq, day, today))
        else:
            memory.drop(memory.doubtful)  # what their rows lack is as it was
            lacking = {name for name in memory.doubtful if name in memory.unsaved}
            if (first := memory.unsaved.first_of(lacking)) is not None:
                await self._read_on(connection, head, lacking, (first.seq - 1, first.day, today))
        memory.seq, memory.day, memory.doubtful = head.journal_seq, newest, set()
        # A batch that is halved again and again to find what is wrong with it reads the journal once: from
        # then on the rows have everything.
        known = [name for name in lacking if memory.known(name) is not None and name in memory.unsaved]
        memory.unsaved.drop(lacking.difference(known))
        if known:
            await self._saved(self._taken(known))

    async def _read_on(
        self, connection: Connection, head: Head, names: set[str] | None, since: tuple[int, date, date]
    ) -> None:
        """Reads rows and what the journal has beyond them: of these shoppers, or of all who lag behind.
        `since`: the entry after which to begin, the day of the first and that of the last.
        """
        memory, (seq, first, last) = self._memory, since
        reading = self._journal.since(connection, memory.retailer_id, seq, first, last + timedelta(days=1))
        entries = [entry async for entry in reading if len(entry.pings)]
        concerned = {item.shopper_id for entry in entries for item in entry.pings.items}
        if names is not None:
            concerned &= names
        rows = await connection.fetch(SQL["load_records"], memory.retailer_id, list(concerned))
        memory.take(rows)
        behind = {found["shopper_id"]: found["state_seq"] for found in rows}
        for together in _apart(entries):
            await self._again(together, behind, head)
            for _ in together:
                crash.passing("recovering")

    async def _again(self, entries: Sequence[Entry], behind: Mapping[str, int], head: Head) -> None:
        """What entries were to those whose rows lack them."""
        memory, first, last = self._memory, entries[0], entries[-1]
        pings = Pings.joined([_lacking(entry, behind) for entry in entries])
        if not len(pings):
            return
        names = {item.shopper_id for item in pings.items}
        await self.close_days(names, last.day)
        world = await memory.worlds.exactly(last.version, head.secret)
        turn = begin((), pings, await memory.load(names), memory.phones, world)
        if not turn.quiet:  # another version of the program judges otherwise; what was told then stands
            log.warning("recovered_otherwise", seq=last.seq, shoppers=len(turn.told))
        memory.keep(turn, last, saved=(), first=first)

    async def state(self) -> State:
        """The hash of all states. To be called between batches."""
        memory, digest = self._memory, hashlib.sha256()
        async with self._database.transaction(memory.retailer_id, snapshot=True) as connection:
            rows = connection.cursor(SQL["all_states"], memory.retailer_id, prefetch=500)
            async for row in rows:
                name, packed = row["shopper_id"], row["state"]
                if memory.known(name) is not None:  # her row may lag behind
                    [(_, packed, _, _)] = memory.packed([name])
                digest.update(name.encode() + b"\0" + hashlib.sha256(packed).digest())
            digest.update(await memory.learners.packed(connection))
        return State(seq=memory.seq or 0, sha256=digest.hexdigest())


def _lacking(entry: Entry, behind: Mapping[str, int]) -> Pings:
    """The pings of an entry that rows which hold as of these entries lack."""
    return entry.pings.select(lambda item: behind.get(item.shopper_id, entry.seq) < entry.seq)


def _apart(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries that can be made up for at once, since nobody has sent two of them: of one day, judged by one
    version. Together they take a fraction of the time, and nobody else in a batch changes what is known of
    a shopper.
    """
    together: list[Entry] = []
    names: set[str] = set()
    for entry in entries:
        senders = {item.shopper_id for item in entry.pings.items}
        if together and (
            names & senders
            or len(names) + len(senders) > TOGETHER
            or (entry.day, entry.version) != (together[0].day, together[0].version)
        ):
            yield together
            together, names = [], set()
        together.append(entry)
        names |= senders
    if together:
        yield together
