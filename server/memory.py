"""What a pipeline remembers between batches: its published world, the records it used, the timers to come."""

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

import msgspec
import numpy as np

from geo.fleet import Fleet
from geo.index import FenceSet
from geo.region import EVERY_FIX, SafeRegion, safe_region
from offers.moment import Moment
from server.clock import to_us
from server.db import Connection
from server.inputs import Input, RegisterDevice
from server.publish import UnknownRetailer
from server.records import Record, drop_record, slot_of, take_record
from server.republished import FRESH_US, Republished, points_inside
from server.sql import queries
from server.world import World
from server.worlds import Worlds

SQL = queries("engine")

RECORDS_MOST = 20_000  #: records kept; the least recently written go first and are read again when needed


class Memory:
    """Of one retailer. `catch_up` drops it where another process wrote the journal's newest entry."""

    def __init__(self, retailer_id: str) -> None:
        self._retailer_id = retailer_id
        self._worlds = Worlds(retailer_id)
        self._republished = Republished(retailer_id)
        self._records: dict[str, tuple[Record, date]] = {}
        self.fleet = Fleet(self._worlds.roll)  #: where the devices of these records are
        self._wakes: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._seq: int | None = None  #: the journal entry after which all this held; None: nothing is known

    async def catch_up(self, connection: Connection, head: "Head") -> None:
        """Drops what is not of the newest journal entry: after a failed commit, or another engine's work."""
        if self._seq != head.journal_seq:
            self._records.clear()
            self.fleet = Fleet(self._worlds.roll)
            self._republished.forget()
            await self.load_wakes(connection)
            self._seq = head.journal_seq

    async def world(self, connection: Connection, version: int, secret: bytes) -> World:
        """The world at a version, made of the one in use where there is one. Raises DatabaseUnfit."""
        return await self._worlds.at(connection, version, secret)

    async def concerned(self, connection: Connection, world: World, now_us: int) -> set[str]:
        """Whom the publications since the newest batch concern: they are to be woken."""
        return await self._republished.concerned(
            connection, world, lambda fences, geofences: self._inside(fences, geofences, now_us)
        )

    async def load(self, connection: Connection, shopper_ids: Collection[str]) -> dict[str, Record]:
        """The records of those shoppers that exist; one query for all that are not in memory."""
        missing = [shopper_id for shopper_id in shopper_ids if shopper_id not in self._records]
        if missing:
            for row in await connection.fetch(SQL["load_records"], self._retailer_id, missing):
                self._records[row["shopper_id"]] = (take_record(row["state"], self.fleet), row["state_day"])
        return {name: self._records[name][0] for name in shopper_ids if name in self._records}

    def safe_region(self, shopper_id: str, device_id: str) -> SafeRegion | None:
        """When a device should report next; None where it or the world is not in memory."""
        known = self._records.get(shopper_id)
        world = self._worlds.current
        if world is None or known is None or known[0].device(device_id) is None:
            return None
        slot = slot_of(self.fleet, known[0], device_id)
        if (last := self.fleet.newest(slot)) is None:
            return None
        if not world.catalogue.settings.safe_region:
            return EVERY_FIX
        # Where nothing interests her nothing is said before she is there.
        ahead = bool(known[0].shopper.interests.traces)
        return safe_region(
            last,
            self.fleet.present(slot),
            world.fences,
            world.rules,
            believed=not self.fleet.devices.get_one(slot).doubts,
            approach_s=float(world.catalogue.settings.approach_s) if ahead else 0.0,
        )

    @property
    def version(self) -> int:
        """The published version of the newest batch; -1 before the first."""
        return -1 if self._worlds.current is None else self._worlds.current.version

    def interested(self, shopper_id: str) -> bool:
        """Whether she is interested in anything; a shopper who is not in memory may be."""
        known = self._records.get(shopper_id)
        return known is None or bool(known[0].shopper.interests.traces)

    def first_on(self, day: date, shopper_ids: Collection[str]) -> list[str]:
        """Those whose state has not changed on that day yet."""
        return [name for name in shopper_ids if name not in self._records or self._records[name][1] < day]

    def keep(
        self, changed: Mapping[str, Record], wakes: Mapping[str, int | None], day: date, seq: int
    ) -> None:
        """Takes over what a batch has committed as journal entry `seq`."""
        self._seq = seq
        for shopper_id, record in changed.items():
            self._records.pop(shopper_id, None)
            self._records[shopper_id] = (record, day)
        for shopper_id, at_us in wakes.items():
            self._set_wake(shopper_id, at_us)
        while len(self._records) > RECORDS_MOST:
            record, _ = self._records.pop(next(iter(self._records)))
            drop_record(record, self.fleet)

    def wake(self, shopper_ids: Collection[str], now_us: int, world: World) -> None:
        """Lets the lane wake those whom the batch has committed to, being the first of that world."""
        self._republished.settle(world)
        for shopper_id in shopper_ids:
            self._set_wake(shopper_id, now_us)

    def forget(self) -> None:
        """Whether the batch has committed is not known: the next one reads everything again."""
        self._seq = None

    async def load_wakes(self, connection: Connection) -> None:
        """The timers as the last process left them."""
        for row in await connection.fetch(SQL["due_wakes"], self._retailer_id):
            self._set_wake(row["shopper_id"], to_us(row["wake_at"]))

    def next_wake_us(self) -> int | None:
        """When the next timer is due."""
        while self._heap and self._wakes.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now_us: int) -> list[str]:
        """The shoppers whose timers are due; each is due again only when a batch sets a new timer."""
        found = []
        while (at_us := self.next_wake_us()) is not None and at_us <= now_us:
            _, shopper_id = heapq.heappop(self._heap)
            del self._wakes[shopper_id]
            found.append(shopper_id)
        return found

    def postpone(self, shopper_id: str, at_us: int) -> None:
        """Sets a timer again that was due and could not be handled."""
        self._set_wake(shopper_id, at_us)

    def _inside(self, fences: FenceSet, geofences: Collection[str], now_us: int) -> Iterable[str]:
        """The shoppers with a fresh fix in one of these geofences."""
        devices = self.fleet.devices.data[: self.fleet.devices.used]
        fresh = np.flatnonzero(devices["newest_us"] >= now_us - FRESH_US)
        newest = self.fleet.sightings.take(devices["head"][fresh])
        points = points_inside(fences, geofences, newest["lat_deg"], newest["lon_deg"], now_us)
        if not len(points):
            return ()
        slots = set(fresh[points].tolist())
        return {
            shopper_id
            for shopper_id, (record, _) in self._records.items()
            for device in record.devices
            if not device.in_sensitive and slot_of(self.fleet, record, device.device_id) in slots
        }

    def _set_wake(self, shopper_id: str, at_us: int | None) -> None:
        if at_us is None:
            self._wakes.pop(shopper_id, None)
        elif self._wakes.get(shopper_id) != at_us:
            self._wakes[shopper_id] = at_us
            heapq.heappush(self._heap, (at_us, shopper_id))
            if len(self._heap) > 2 * len(self._wakes) + 1000:  # mostly timers that were set anew since
                self._heap = [(due_us, name) for name, due_us in self._wakes.items()]
                heapq.heapify(self._heap)


class Head(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a retailer's journal stands, and what it has published."""

    journal_seq: int
    version: int
    secret: bytes


async def lock_head(connection: Connection, retailer_id: str) -> Head:
    """Takes the retailer's place in line until the commit. Raises UnknownRetailer."""
    row = await connection.fetchrow(SQL["lock_head"], retailer_id)
    if row is None:
        raise UnknownRetailer(f"no retailer {retailer_id}")
    return Head(journal_seq=row["journal_seq"], version=row["version"], secret=row["secret"])


async def undecided(
    connection: Connection, retailer_id: str, moments: Sequence[Moment], seq: int
) -> list[Moment]:
    """The moments that no batch before `seq` has decided: a repeated cause makes the same moment again."""
    if not moments:
        return []
    ids = [moment.moment_id for moment in moments]
    rows = await connection.fetch(SQL["decided_before"], retailer_id, ids, seq)
    decided = {row["moment_id"] for row in rows}
    return [moment for moment in moments if moment.moment_id not in decided]


async def find_users(connection: Connection, retailer_id: str, inputs: Sequence[Input]) -> list[Input]:
    """The inputs, with registrations of a user who is known already made registrations of that shopper."""
    hashes = {i.user_hash for i in inputs if isinstance(i, RegisterDevice) and i.user_hash is not None}
    if not hashes:
        return list(inputs)
    rows = await connection.fetch(SQL["find_users"], retailer_id, list(hashes))
    known: dict[bytes, str] = {row["user_hash"]: row["shopper_id"] for row in rows}
    return [
        msgspec.structs.replace(i, shopper_id=known.setdefault(i.user_hash, i.shopper_id))
        if isinstance(i, RegisterDevice) and i.user_hash is not None
        else i
        for i in inputs
    ]
