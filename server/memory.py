"""What a pipeline remembers between batches: its published world, the records it used, the timers to come.

Memory is the working state. The rows of the database have everything that anybody else asks for; how they
lag behind and are caught up with is the business of `server/checkpoints.py`.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from itertools import islice
from typing import Any

import numpy as np

from geo.copies import Copies
from geo.index import FenceSet
from server.clock import Clock, to_us
from server.db import Connection, Database
from server.effects.states import record_wake_at_us
from server.hints import Hints
from server.journal import Entry, Source, Span
from server.learners import Learners
from server.parts import WHOLE, Part
from server.phones import Phones
from server.records import Record, drop_record, pack_record, slot_of, take_record
from server.republished import FRESH_US, Republished, points_inside
from server.sql import queries
from server.timers import Timers
from server.turn import Turn
from server.unsaved import Since, Unsaved
from server.world import World
from server.worlds import Worlds

SQL = queries("engine")

#: Devices, or records, that are looked through before others may work again.
_AT_ONCE = 2_000
RECORDS_MOST = 50_000  #: records kept; the least recently changed go first and are read again when needed

#: A state as it goes into a row: shopper, state, day of its newest change, when her timer is due.
PackedState = tuple[str, bytes, date, int | None]


class Memory:
    """Of one part of a retailer's shoppers."""

    def __init__(
        self, retailer_id: str, database: Database, worlds: Worlds, clock: Clock, part: Part = WHOLE
    ) -> None:
        self.retailer_id = retailer_id
        self.part = part
        self.worlds = worlds
        worlds.look_ahead = self.look_ahead
        self.timers = Timers()
        self.unsaved = Unsaved()
        self.seq: int | None = None  #: the journal entry after which all this holds; None: nothing is known
        self.day = date.min  #: of that entry
        self.doubtful: set[str] = set()  #: shoppers of whom a batch that failed may have left anything
        self.republished = Republished(retailer_id, part)
        self.phones = Phones(worlds.roll, Copies())  #: where the devices of these records are
        self.learners = Learners(retailer_id, part.number)
        self._hints = Hints(self.phones)
        self._database, self._clock = database, clock
        self._records: dict[str, Record] = {}
        self._days: dict[str, tuple[date, date]] = {}  # of the newest change; of the newest change in the row

    @property
    def settled(self) -> bool:
        """Whether all this is known to hold, and nothing was published since."""
        return self.seq is not None and not self.doubtful and self.worlds.looked

    @property
    def world(self) -> World:
        """What batches are judged by."""
        assert self.worlds.current is not None
        return self.worlds.current

    def clear(self) -> None:
        """Forgets everybody."""
        self._records.clear()
        self._days.clear()
        self.unsaved = Unsaved()
        self.phones = Phones(self.worlds.roll, Copies())
        self._hints = Hints(self.phones)
        self.republished.forget()
        self.learners.forget()
        self.seq = None

    def doubt(self, shopper_ids: Iterable[str]) -> None:
        """A batch has failed that had to do with these shoppers."""
        self.doubtful |= set(shopper_ids)
        self.learners.forget()

    def drop(self, shopper_ids: Iterable[str]) -> None:
        """Forgets some shoppers; their rows and the journal know them."""
        for shopper_id in shopper_ids:
            self._days.pop(shopper_id, None)
            if (record := self._records.pop(shopper_id, None)) is not None:
                drop_record(record, self.phones)

    async def look_ahead(self, world: World) -> None:
        """A world with many other fences is about to be the current one."""
        now_us = self._clock.now_us()
        async with self._database.transaction(self.retailer_id) as connection:
            await self.republished.look_ahead(
                connection, world, lambda fences, geofences: self._inside(fences, geofences, now_us)
            )

    async def concerned(self, connection: Connection, now_us: int) -> set[str]:
        """Whom the publications since the newest batch concern: they are to be woken."""
        return await self.republished.concerned(
            connection, self.world, lambda fences, geofences: self._inside(fences, geofences, now_us)
        )

    def known(self, shopper_id: str) -> Record | None:
        """A shopper's record, if it is in memory."""
        return self._records.get(shopper_id)

    async def load(
        self, shopper_ids: Collection[str], connection: Connection | None = None
    ) -> dict[str, Record]:
        """The records of those shoppers that exist; one query for all that are not in memory."""
        missing = [shopper_id for shopper_id in shopper_ids if shopper_id not in self._records]
        if missing and connection is not None:
            self.take(await connection.fetch(SQL["load_records"], self.retailer_id, missing))
        elif missing:
            async with self._database.statement() as alone:
                self.take(await alone.fetch(SQL["states_of"], self.retailer_id, missing))
        return {name: self._records[name] for name in shopper_ids if name in self._records}

    def take(self, rows: Iterable[Any]) -> None:
        """Takes the states of rows over, but for shoppers who are known."""
        for row in rows:
            name, day = row["shopper_id"], row["state_day"]
            if name not in self._records:
                self._records[name] = take_record(row["state"], self.phones)
                self._days[name] = (day, day)

    def hint(self, turn: Turn) -> None:
        """Completes the answers to a batch's pings: when their devices should report next."""
        told = [
            (answer, turn.records[item.shopper_id], item.device_id)
            for answer, item in zip(turn.answers, turn.asked, strict=True)
            if answer.accepted
        ]
        if not told:
            return
        slots = [slot_of(self.phones, record, device_id) for _, record, device_id in told]
        speaks = self.world.catalogue.settings.approach_s > 0
        # Where nothing interests her nothing is said before she is there.
        ahead = [speaks and bool(record.shopper.interests.traces) for _, record, _ in told]
        hints = self._hints.json(np.array(slots, np.int32), ahead, self.world)
        for (answer, _, _), hint in zip(told, hints, strict=True):
            answer.next = hint

    @property
    def version(self) -> int:
        """The published version of the newest batch; -1 before the first."""
        return -1 if self.worlds.current is None else self.worlds.current.version

    def interested(self, shopper_id: str) -> bool:
        """Whether she is interested in anything; a shopper who is not in memory may be."""
        known = self._records.get(shopper_id)
        return known is None or bool(known.shopper.interests.traces)

    def first_on(self, day: date, shopper_ids: Collection[str]) -> list[str]:
        """Those whose rows have not changed on that day yet."""
        return [name for name in shopper_ids if name not in self._days or self._days[name][1] < day]

    def entry(self, turn: Turn, now_us: int, span: Span) -> Entry:
        """The journal's next entry."""
        assert self.seq is not None
        source = None if span is None else Source(span=span, items=turn.asked, kept=turn.kept)
        return Entry(
            seq=self.seq + 1,
            written_at_us=now_us,
            version=self.world.version,
            inputs=turn.inputs,
            pings=turn.pings,
            part=self.part.number,
            source=source,
            not_before=self.day,
        )

    def keep(self, turn: Turn, entry: Entry, saved: Collection[str], first: Entry | None = None) -> None:
        """Takes over what a batch has committed; the rows of `saved` have it too. `first`: where it made up
        for several entries, the first of them.
        """
        if not entry.empty:
            self.seq, self.day = entry.seq, entry.day
        changed = turn.changed
        self.republished.moved(changed)
        for name in changed:
            row_day = entry.day if name in saved or name not in self._days else self._days[name][1]
            self._records.pop(name, None)
            self._records[name] = turn.records[name]
            self._days[name] = (entry.day, row_day)
        self.unsaved.drop(saved)
        first = first or entry
        since = Since(first.seq, first.written_at_us, first.day)
        self.unsaved.note((name for name in changed if name not in saved), since)
        for name in turn.timed:
            at_us = record_wake_at_us(turn.records[name], self.phones, self.world)
            self.timers.put(name, at_us, may_be_put_off=True)
        while len(self._records) > RECORDS_MOST:
            oldest = next(iter(self._records))
            if oldest in self.unsaved:
                break
            self.drop([oldest])

    def erase(self, shopper_ids: Collection[str]) -> None:
        """Forgets these shoppers, their devices and their timers: they are no more."""
        self.unsaved.drop(shopper_ids)
        self.drop(shopper_ids)
        for shopper_id in shopper_ids:
            self.timers.put(shopper_id, None)
            if self.phones.copies is not None:
                self.phones.copies.forget_owner(shopper_id)

    def wake(self, shopper_ids: Collection[str], now_us: int) -> None:
        """Lets the lane wake those whom the batch has committed to, being the first of its world."""
        self.republished.settle(self.world)
        for shopper_id in shopper_ids:
            self.timers.put(shopper_id, now_us)

    def due(self, now_us: int, most: int) -> list[str]:
        """So many of the shoppers whose timers are due."""
        return self.timers.due(now_us, self._wake_at_us, most=most)

    async def load_timers(self, connection: Connection) -> None:
        """The timers as the last process left them. Where pings have put one off since, it is early."""
        for row in await connection.fetch(SQL["due_wakes"], self.retailer_id):
            if self.part.holds(self.retailer_id, row["shopper_id"]):
                self.timers.put(row["shopper_id"], to_us(row["wake_at"]))

    def packed(self, shopper_ids: Iterable[str]) -> list[PackedState]:
        """States as they go into rows."""
        return [
            (
                name,
                pack_record(self._records[name], self.phones),
                self._days[name][0],
                self._wake_at_us(name),
            )
            for name in shopper_ids
        ]

    def in_rows(self, days: Mapping[str, date]) -> None:
        """The rows of these shoppers have their states as of changes up to these days."""
        for name, day in days.items():
            if name in self._days:
                changed, row = self._days[name]
                self._days[name] = (changed, max(row, day))

    def _wake_at_us(self, shopper_id: str) -> int | None:
        record, world = self._records.get(shopper_id), self.worlds.current
        if record is None or world is None:
            return None
        return record_wake_at_us(record, self.phones, world)

    async def _inside(self, fences: FenceSet, geofences: set[str] | None, now_us: int) -> dict[str, set[str]]:
        """The shoppers with a fresh fix in one of these geofences, by geofence. Lets others work between."""
        held: dict[int, list[int]] = {}  # by slot, the numbers of the fences
        for first in range(0, self.phones.devices.used, _AT_ONCE):
            devices = self.phones.devices.data[first : min(first + _AT_ONCE, self.phones.devices.used)]
            fresh = np.flatnonzero(devices["newest_us"] >= now_us - FRESH_US)
            newest = self.phones.sightings.take(devices["head"][fresh])
            point, number = points_inside(fences, geofences, newest["lat_deg"], newest["lon_deg"], now_us)
            for slot, one in zip((first + fresh[point]).tolist(), number.tolist(), strict=True):
                held.setdefault(slot, []).append(one)
            await asyncio.sleep(0)
        found: dict[str, set[str]] = {}
        known = iter(list(self._records.items()) if held else ())
        while some := list(islice(known, _AT_ONCE)):
            for shopper_id, record in some:
                for device in record.devices:
                    slot = None if device.in_sensitive else slot_of(self.phones, record, device.device_id)
                    for one in held.get(slot, ()) if slot is not None else ():
                        found.setdefault(fences.roll.external_id(one), set()).add(shopper_id)
            await asyncio.sleep(0)
        return found
