"""The fence engine: fixes and timers in, transitions out; a fleet remembers the devices.

Matching is done for the whole micro-batch at once (`FenceSet.match`). Then the devices go on, all in one
compiled function (`geo.rounds`); where they are few, or something about them is rare, one by one in Python
(`geo.walk`). Both say the same.

**Event time.** What counts is when a fix was measured, not when it arrived: fixes that are not newer than
all that is known of their device go through `geo.revise`. So, for fixes of different times, any order of
arrival within the lateness, and any repetition, ends in the same visits. A fix from before the window
changes nothing.

Of several fixes with one time, `exact` mode keeps the first that arrived (as a replay of a sorted file does);
`accurate` mode keeps the most accurate (then the smallest latitude and longitude), whatever their order.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from geo.append import append_one
from geo.arrivals import Arrivals, seen_again, sightings_of
from geo.batch import FixBatch
from geo.compact import compact
from geo.fix import SECOND_US
from geo.fleet import Fleet
from geo.index import FenceSet
from geo.revise import move_on, settled
from geo.revise import wake as wake_value
from geo.together import Group, sense_together
from geo.told import Told
from geo.transition import DeviceState, Rules, Sensed, Sighting
from geo.walk import Walk, dwell_due_us, ends_at_us, lost_at_us, place_of, with_speeds
from geo.window import kept_us

__all__ = ["FixBatch", "Fleet", "Told", "sense", "state_of", "wake", "wake_at_us"]

#: So few devices are judged one by one.
FEW = 12
#: By an older fix nobody is taken to be anywhere: a phone reports at least every heartbeat (`geo.region`).
FRESH_US = 660 * SECOND_US


def sense(fleet: Fleet, batch: FixBatch, fences: FenceSet, rules: Rules) -> Told:
    """Moves the devices of a fleet on by a batch of their fixes, and tells what happened."""
    compact(fleet)
    told = Told(fleet, rules)
    if len(batch) <= FEW:
        for slot, sightings in sightings_of(batch, fences, rules):
            told.values.append((slot, _alone(fleet, slot, sightings, fences, rules)))
        _bound(fleet, np.unique(batch.device), fences, rules)
        return told
    arrivals = Arrivals.of(batch, fences, rules)
    group = Group.of(fleet, arrivals, fences, rules)
    together = group.together(fleet)
    sense_together(fleet, group, together, fences, rules, told)
    for place in (~together).nonzero()[0].tolist():
        slot = int(group.slots[place])
        told.values.append((slot, _alone(fleet, slot, arrivals.sightings(place, fences), fences, rules)))
    if group.crowded:
        _bound(fleet, group.slots, fences, rules)
    return told


def state_of(fleet: Fleet, slot: int, fences: FenceSet, rules: Rules) -> DeviceState:
    """Everything that further fixes of a device can depend on: the same however its fixes were batched."""
    return settled(fleet.state(slot), fences, rules)


def wake(fleet: Fleet, slots: Iterable[int], now_us: int, fences: FenceSet, rules: Rules) -> Told:
    """Fires the timers of devices that are due, and ends their visits to fences that are gone.

    Where fences were published or moved since a device's newest fix, and that is no older than `FRESH_US`, it
    is judged again by what is there now: as a fix one microsecond later.
    """
    told = Told(fleet, rules)
    for slot in slots:
        sensed = wake_value(fleet.state(slot), now_us, fences, rules)
        if sensed.transitions:
            fleet.put(slot, sensed.state)
            told.values.append((slot, sensed))
        newest = fleet.newest(slot)
        if newest is not None and newest.at_us >= now_us - FRESH_US:
            again = seen_again(newest, fences, rules)
            if {name[:2] for name in again.inside} != {name[:2] for name in newest.inside}:
                told.values.append((slot, _alone(fleet, slot, [again], fences, rules)))
    return told


def wake_at_us(fleet: Fleet, slot: int, fences: FenceSet, rules: Rules) -> int | None:
    """When `wake` has something to do for a device; None while it has no timer."""
    timers: list[int | None] = []
    for visit in fleet.present(slot):
        gone = place_of(visit, fences) is None
        timers += [
            visit.supported_at_us if gone else None,
            dwell_due_us(visit, fences),
            lost_at_us(visit, rules),
            ends_at_us(visit, fences),
        ]
    return min((timer for timer in timers if timer is not None), default=None)


def _bound(fleet: Fleet, slots: npt.NDArray[np.integer], fences: FenceSet, rules: Rules) -> None:
    """Keeps windows from growing without bounds where a phone reports more often than anybody needs."""
    since = fleet.devices.data["since"][slots]
    for slot in slots[since > rules.window_fixes].tolist():
        fleet.put(slot, state_of(fleet, slot, fences, rules))


def _alone(fleet: Fleet, slot: int, sightings: Sequence[Sighting], fences: FenceSet, rules: Rules) -> Sensed:
    """Moves one device on by sightings in order of time."""
    device = fleet.devices.get_one(slot)
    known_us = max(device.newest_us, device.clock_us)
    in_order = sightings[0].at_us > known_us and all(
        one.at_us < other.at_us for one, other in pairwise(sightings)
    )
    if not in_order or slot in fleet.without_fence(fences):
        sensed = move_on(fleet.state(slot), sightings, fences, rules)
        fleet.put(slot, sensed.state)
        return sensed
    present = fleet.present(slot)
    walk = Walk(
        present,
        fences,
        rules,
        newest=fleet.sighting_at(device.head),
        believed=fleet.sighting_at(device.believed),
        doubts=device.doubts,
    )
    seal_us: int | None = sightings[-1].at_us
    for sighting in sightings:
        walk.see(sighting)
        append_one(fleet, slot, sighting, rules, doubted=walk.doubts > 0, seal_us=seal_us)
        seal_us = None
        before, present = present, walk.present
        if before or present:
            fleet.put_present(slot, present)
    if not walk.told:
        return Sensed(doubted=tuple(walk.doubted))
    seen = fleet.since(slot, sightings[0].at_us - kept_us(rules))
    return Sensed(transitions=tuple(with_speeds(walk, seen, rules)), doubted=tuple(walk.doubted))
