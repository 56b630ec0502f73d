"""Clears away what no window of a fleet holds any more."""

import numpy as np

from geo.compiled import compiled
from geo.distance import IndexArray
from geo.fences.ranges import spread
from geo.fleet import Fleet
from geo.layout import NOWHERE
from geo.rows import Record

#: Dead rows are taken out of a table when they are a fifth as many as the living, and this many.
SLACK, SLACK_LEAST = 1.2, 4096


def compact(fleet: Fleet) -> None:
    """Takes dead rows out of the tables, where they are many."""
    if fleet.sightings.used > SLACK * fleet.held + SLACK_LEAST:
        compact_sightings(fleet)
    if fleet.visits.used > SLACK * fleet.open + SLACK_LEAST:
        compact_visits(fleet)
    if fleet.past.used > 2 * fleet.past_kept + SLACK_LEAST:
        _compact_past(fleet)


def compact_sightings(fleet: Fleet) -> None:
    """Takes out the sightings that no window holds, and the fences that they lie in."""
    moved_to = np.empty(fleet.sightings.used, np.int32)
    kept = _close_up_sightings(fleet.devices.data, fleet.sightings.data, fleet.pairs.data, moved_to)
    _follow(fleet.devices.data[: fleet.devices.used], moved_to)
    fleet.sightings.used, fleet.pairs.used = kept
    fleet.sightings.trim()
    fleet.pairs.trim()


def compact_visits(fleet: Fleet) -> None:
    """Takes out the visits that are over."""
    fleet.visits.used = _close_up_visits(fleet.devices.data, fleet.visits.data, fleet.visits.used)
    fleet.visits.trim()


@compiled
def _close_up_sightings(
    devices: Record, sightings: Record, pairs: Record, moved_to: IndexArray
) -> tuple[int, int]:
    """Moves the sightings that windows hold, and the fences they lie in, together; how many of both are left.

    Both are in order: a device's sightings by time, fences by the sighting that lies in them.
    """
    kept, pairs_kept = 0, 0
    for row in range(len(moved_to)):
        one = sightings[row]
        if one.slot == NOWHERE or one.at_us < devices[one.slot].sealed_us:
            moved_to[row] = NOWHERE
            continue
        moved_to[row] = kept
        previous, first = one.previous, one.pairs
        for pair in range(one.pair_count):
            pairs[pairs_kept + pair] = pairs[first + pair]
        sightings[kept] = one
        sightings[kept].previous = moved_to[previous] if previous != NOWHERE else NOWHERE
        sightings[kept].pairs = pairs_kept
        pairs_kept += sightings[kept].pair_count
        kept += 1
    return kept, pairs_kept


@compiled
def _follow(devices: Record, moved_to: IndexArray) -> None:
    """Has devices name the rows to which their sightings have moved."""
    for slot in range(len(devices)):
        device = devices[slot]
        if device.head != NOWHERE:
            device.head = moved_to[device.head]
        if device.believed != NOWHERE:
            device.believed = moved_to[device.believed]


@compiled
def _close_up_visits(devices: Record, visits: Record, used: int) -> int:
    """The same for open visits: a device's lie side by side, and its row names the first."""
    kept = 0
    for row in range(used):
        slot = visits[row].slot
        if slot == NOWHERE:
            continue
        if devices[slot].visits == row:
            devices[slot].visits = kept
        visits[kept] = visits[row]
        kept += 1
    return kept


def _compact_past(fleet: Fleet) -> None:
    devices = fleet.devices.data[: fleet.devices.used]
    kept = [(field, *spread(devices[field], devices[f"{field}_count"])) for field in ("base", "middle")]
    parts = [fleet.past.take(row) for _, _, row in kept]
    fleet.past.used = 0
    for (field, _, _), part in zip(kept, parts, strict=True):
        count = devices[f"{field}_count"]
        devices[field] = fleet.past.extend(part) + np.cumsum(count) - count
    fleet.past_kept = fleet.past.used
    fleet.past.trim()
