"""All devices in memory, in columns: where each was seen, what it visits, and what late fixes may revise.

Of a device with no visits some 130 bytes are kept: a record of its own, its newest sightings, and the digest
of its id. Sightings lie in one table for all devices, in order of arrival; each names its predecessor, so
that a device's window is read backwards from its newest. Visits lie in another, those of a device side by
side.

**The window** reaches from the *sealed* sighting to the newest one. The visits open at the sealed sighting
are remembered (the *base*), so that a late fix can be put in its place and all after it be judged again. The
*middle* is where the window will be sealed next: once the newest fix is `lateness_s` past it, nothing before
it can change any more. So a window spans between one and two times the lateness, and sealing costs next to
nothing. Rows that no window holds any more stay in their table until it is compacted.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from geo.fences.ranges import spread
from geo.fences.roll import Roll
from geo.index import FenceSet
from geo.layout import (
    DEVICE,
    FOREVER,
    NEVER,
    NOWHERE,
    PAIR,
    SIGHTING,
    TOLD,
    UNSEEN,
    UNSTEADY,
    VISIT,
    Marks,
    dwells_due_us,
    presences,
    sighting_of,
    visit_rows,
)
from geo.rows import Rows, unknown
from geo.slots import Slots
from geo.transition import DeviceState, Presence, Sighting


class Fleet:
    """The engine's memory. Slots name devices."""

    def __init__(self, roll: Roll) -> None:
        self.roll = roll
        self.devices = Rows(**DEVICE)
        self.sightings = Rows(**SIGHTING)
        self.pairs = Rows(**PAIR)
        self.visits = Rows(**VISIT)
        self.past = Rows(**VISIT)  #: visits open at the sealed sightings and at the middles
        self.told = Rows(**TOLD)  #: room for what a batch tells
        self.held = 0  #: sightings that windows hold
        self.open = 0  #: visits
        self.past_kept = 0  #: rows of `past` after it was last compacted
        self._slots = Slots()
        self._fences: FenceSet | None = None  #: those in use
        self._gone = np.zeros(0, np.int32)
        self.marks = Marks(roll)

    def __len__(self) -> int:
        return len(self._slots)

    def find(self, device_id: str) -> int | None:
        """The slot of a device; None if it is not in memory."""
        return self._slots.find(device_id)

    def add(self, device_id: str, state: DeviceState | None = None) -> int:
        """Takes a device into memory, with what is known of it, and tells its slot."""
        slot = self._slots.add(device_id)
        if slot < len(self.devices):
            self._drop(slot)
        else:
            self.devices.add(1)
            self._put_device(slot)
        if state is not None and state.last is not None:
            self.put(slot, state)
        return slot

    def remove(self, device_id: str) -> None:
        """Forgets a device, if it is in memory."""
        if self.find(device_id) is not None:
            self._drop(self._slots.remove(device_id))

    def state(self, slot: int) -> DeviceState:
        """Everything known of a device."""
        device = self.devices.get_one(slot)
        window = self.window(slot)
        sealed = device.sealed_us != NEVER
        return DeviceState(
            present=self.present(slot),
            anchor=window[0] if sealed else None,
            recent=tuple(window[1:] if sealed else window),
            base=self.remembered(slot)[0],
            clock_us=device.clock_us,
            doubts=device.doubts,
        )

    def put(self, slot: int, state: DeviceState) -> None:
        """Replaces everything known of a device that has been seen."""
        self._drop(slot)
        row = NOWHERE
        for sighting in state.window:
            row = self.add_sighting(slot, sighting, row)
        sealed_us = NEVER if state.anchor is None else state.anchor.at_us
        calm = not state.doubts and state.clock_us <= state.newest_us
        count = len(state.window)
        self.restore(
            slot,
            newest_us=state.newest_us,
            sealed_us=sealed_us,
            middle_us=state.newest_us if calm else sealed_us,
            clock_us=state.clock_us,
            head=row,
            before=count if calm else int(state.anchor is not None),
            since=0 if calm else count - int(state.anchor is not None),
            doubts=state.doubts,
            present=state.present,
            past=(state.base, state.present if calm else state.base),
        )

    def restore(
        self,
        slot: int,
        *,
        head: int,
        doubts: int,
        present: Iterable[Presence],
        past: tuple[Iterable[Presence], Iterable[Presence]],
        **fields: int,
    ) -> None:
        """Sets everything of a new device but its sightings, which end at row `head`."""
        self._put_device(slot, head=head, believed=self._believed(head, doubts), doubts=doubts, **fields)
        self.held += fields["before"] + fields["since"]
        for field, visits in zip(("base", "middle"), past, strict=True):
            found = visit_rows(self.roll, slot, visits, self._fences)
            self.devices.data[field][slot] = self.past.extend(found)
            self.devices.data[f"{field}_count"][slot] = len(found)
        self.put_present(slot, present)

    def remembered(self, slot: int) -> tuple[tuple[Presence, ...], tuple[Presence, ...]]:
        """The visits that were open at the sealed sighting, and at the middle."""
        device = self.devices.get_one(slot)
        return (
            presences(self.roll, self.past, device.base, device.base_count),
            presences(self.roll, self.past, device.middle, device.middle_count),
        )

    def rows(self, slot: int) -> npt.NDArray[np.int64]:
        """The rows of the sightings of a device's window, by time."""
        device = self.devices.get_one(slot)
        previous, row, found = self.sightings.data["previous"], device.head, []
        for _ in range(device.before + device.since):
            found.append(row)
            row = int(previous[row])
        return np.array(found[::-1], np.int64)

    def without_fence(self, fences: FenceSet) -> npt.NDArray[np.int32]:
        """The devices that were in a fence that is gone when this set of fences came into use.

        Dwells are dated by these fences from then on.
        """
        if self._fences is not fences:
            row = (self.visits.data["slot"][: self.visits.used] != NOWHERE).nonzero()[0]
            visits = self.visits.take(row)
            place = fences.place_of_number(visits["number"])
            self.visits.data["due_us"][row] = dwells_due_us(visits, place, fences)
            self.devices.data["due_us"][visits["slot"]] = NEVER
            self._gone = np.unique(visits["slot"][place < 0])
            self._fences = fences
        return self._gone

    def window(self, slot: int) -> list[Sighting]:
        """The sightings of a device's window in order of time, the sealed one first if there is one."""
        return [self.sighting(row) for row in self.rows(slot).tolist()]

    def since(self, slot: int, since_us: int) -> list[Sighting]:
        """A device's sightings from a time on, and maybe earlier ones, in order of time."""
        row, found = self.devices.get_one(slot).head, []
        while row != NOWHERE:
            one, previous = self._sighting(row)
            found.append(one)
            row = previous if one.at_us >= since_us else NOWHERE
        return found[::-1]

    def sighting(self, row: int) -> Sighting:
        """One sighting."""
        return self._sighting(row)[0]

    def _sighting(self, row: int) -> tuple[Sighting, int]:
        """One sighting, and the row of the device's sighting before."""
        at_us, lat_deg, lon_deg, accuracy_m, speed_mps, _, previous, first, count = self.sightings.values(row)
        pairs = [self.pairs.values(pair) for pair in range(first, first + count)]
        inside = tuple(sorted([(*self.roll.name(number), sure) for number, sure in pairs]))
        return sighting_of(at_us, lat_deg, lon_deg, accuracy_m, speed_mps, inside), previous

    def sighting_at(self, row: int) -> Sighting | None:
        """The same, or None for `NOWHERE`."""
        return None if row == NOWHERE else self.sighting(row)

    def newest(self, slot: int) -> Sighting | None:
        """A device's newest sighting."""
        return self.sighting_at(self.devices.get_one(slot).head)

    def add_sighting(self, slot: int, sighting: Sighting, previous: int) -> int:
        """Writes a sighting down; its row."""
        first = NOWHERE
        for geofence, store, probability in sighting.inside:
            row = self.pairs.add_one(self.roll.number(geofence, store), probability)
            first = row if first == NOWHERE else first
        return self.sightings.add_one(
            sighting.at_us,
            sighting.lat_deg,
            sighting.lon_deg,
            unknown(sighting.accuracy_m),
            unknown(sighting.speed_mps),
            slot,
            previous,
            first,
            len(sighting.inside),
        )

    def present(self, slot: int) -> tuple[Presence, ...]:
        """The visits a device has open, by geofence."""
        device = self.devices.get_one(slot)
        if not device.visit_count:
            return ()
        if device.steady:
            self.settle_visits(np.array([slot]))
        return presences(self.roll, self.visits, device.visits, device.visit_count)

    def visits_of(
        self, slots: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """The rows of the visits that some devices have open, beside the place of the device."""
        devices = self.devices.data
        return spread(devices["visits"][slots], devices["visit_count"][slots])

    def settle_visits(self, slots: npt.NDArray[np.integer]) -> None:
        """Writes down what is only known from the newest sightings: that they support the visits."""
        device = self.devices.take(slots)
        steady = device["steady"].nonzero()[0]
        if not len(steady):
            return
        device = self.devices.pick(device, steady)
        of, row = spread(device["visits"], device["visit_count"])
        self.visits.data["supported_at_us"][row] = device["newest_us"][of]
        self.devices.data["steady"][slots[steady]] = 0

    def put_present(self, slot: int, present: Iterable[Presence]) -> None:
        """Replaces the visits a device has open."""
        device, records = self.devices.get_one(slot), visit_rows(self.roll, slot, present, self._fences)
        count = len(records)
        self.visits.data["slot"][device.visits : device.visits + device.visit_count] = NOWHERE
        if count > device.visit_count:
            first = self.visits.extend(records)
        else:
            first = device.visits if count else NOWHERE
            self.visits.data[first : first + count] = records
        self.open += count - device.visit_count
        changed = {
            "visits": first,
            "visit_count": count,
            "signature": UNSTEADY if count else 0,
            "due_us": NEVER if count else FOREVER,
            "steady": 0,
        }
        self._put_device(slot, **device._asdict() | changed)

    def _drop(self, slot: int) -> None:
        """Leaves a slot as that of a device never seen."""
        device = self.devices.get_one(slot)
        owner, previous, row = self.sightings.data["slot"], self.sightings.data["previous"], device.head
        while row != NOWHERE:  # those that the window holds no more, too
            owner[row] = NOWHERE
            row = int(previous[row])
        self.visits.data["slot"][device.visits : device.visits + device.visit_count] = NOWHERE
        self.held -= device.before + device.since
        self.open -= device.visit_count
        self._put_device(slot)

    def _believed(self, row: int, doubts: int) -> int:
        for _ in range(doubts):
            row = self.sightings.get_one(row).previous
        return row

    def _put_device(self, slot: int, **fields: int) -> None:
        self.devices.put_one(slot, *(UNSEEN | fields).values())
