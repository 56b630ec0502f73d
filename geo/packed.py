"""A device of a fleet as bytes, and back: to the last bit what the fleet knows of it.

Sightings go as they lie in the table, without a Python object for each. Fences go by name, since numbers are
not the same in another process.
"""

import msgspec
import numpy as np

from geo.fences.ranges import spread
from geo.fleet import Fleet
from geo.layout import NEVER, NOWHERE
from geo.rows import Records
from geo.transition import Presence

Name = tuple[str, str]

#: What is packed of a sighting.
WINDOW = np.dtype(
    [
        ("at_us", "<i8"),
        ("lat_deg", "<f8"),
        ("lon_deg", "<f8"),
        ("accuracy_m", "<f4"),
        ("speed_mps", "<f4"),
        ("pair_count", "<i4"),
    ]
)


class Packed(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Everything known of a device. `Packed()` is a device never seen."""

    present: tuple[Presence, ...] = ()  #: the visits open now, by geofence
    window: bytes = b""  #: the sightings, as `WINDOW`, by time
    names: tuple[Name, ...] = ()  #: the fences they lie in: geofence and store
    pairs: bytes = b""  #: for each sighting and fence it lies in: place among `names`, probability
    base: tuple[Presence, ...] = ()  #: the visits open at the sealed sighting
    middle: tuple[Presence, ...] = ()  #: and at the middle
    sealed_us: int = NEVER
    middle_us: int = NEVER
    clock_us: int = NEVER
    before: int = 0
    doubts: int = 0


def pack(fleet: Fleet, slot: int) -> Packed:
    """What a fleet knows of a device."""
    device = fleet.devices.get_one(slot)
    if device.head == NOWHERE:
        return Packed()
    rows = fleet.rows(slot)
    sightings = fleet.sightings.take(rows)
    window = np.empty(len(rows), WINDOW)
    for field in WINDOW.fields or ():
        window[field] = sightings[field]
    names, pairs = _named(fleet, sightings)
    base, middle = fleet.remembered(slot)
    return Packed(
        present=fleet.present(slot),
        window=window.tobytes(),
        names=names,
        pairs=pairs.tobytes(),
        base=base,
        middle=middle,
        sealed_us=device.sealed_us,
        middle_us=device.middle_us,
        clock_us=device.clock_us,
        before=device.before,
        doubts=device.doubts,
    )


def _named(fleet: Fleet, sightings: Records) -> tuple[tuple[Name, ...], Records]:
    """The fences that sightings lie in by name, and the pairs with places among these, in order."""
    if not sightings["pair_count"].any():
        return (), fleet.pairs.empty(0)
    of, pair = spread(sightings["pairs"], sightings["pair_count"])
    pairs = fleet.pairs.take(pair)
    if (pairs["number"] == pairs["number"][0]).all():  # one fence, as it mostly is: there is nothing to order
        name = fleet.roll.name(int(pairs["number"][0]))
        pairs["number"] = 0
        return (name,), pairs
    numbers, number = np.unique(pairs["number"], return_inverse=True)
    names = [fleet.roll.name(one) for one in numbers.tolist()]
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.empty(len(names), np.int32)
    place[order] = np.arange(len(names))
    pairs["number"] = place[number]
    return tuple(names[one] for one in order), fleet.pairs.pick(pairs, np.lexsort((pairs["number"], of)))


def unpack(fleet: Fleet, device_id: str, packed: Packed) -> int:
    """Takes a device into a fleet; its slot."""
    slot = fleet.add(device_id)
    window = np.frombuffer(packed.window, WINDOW)
    if not len(window):
        return slot
    names = np.array([fleet.roll.number(*name) for name in packed.names], np.int32)
    pairs = np.frombuffer(packed.pairs, fleet.pairs.dtype).copy()
    pairs["number"] = names[pairs["number"]]
    first = fleet.sightings.add(len(window))
    rows = fleet.sightings.data[first : fleet.sightings.used]
    for field in WINDOW.fields or ():
        rows[field] = window[field]
    rows["slot"] = slot
    rows["previous"] = np.arange(first - 1, first - 1 + len(window))
    rows["previous"][0] = NOWHERE
    rows["pairs"] = fleet.pairs.extend(pairs) + np.cumsum(window["pair_count"]) - window["pair_count"]
    fleet.restore(
        slot,
        newest_us=int(window["at_us"][-1]),
        sealed_us=packed.sealed_us,
        middle_us=packed.middle_us,
        clock_us=packed.clock_us,
        head=first + len(window) - 1,
        before=packed.before,
        since=len(window) - packed.before,
        doubts=packed.doubts,
        present=packed.present,
        past=(packed.base, packed.middle),
    )
    return slot
