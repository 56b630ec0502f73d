"""Writes a sighting down that is newer than all its device's."""

from typing import Any

import numpy as np

from geo.compiled import compiled
from geo.fleet import Fleet
from geo.layout import NEVER
from geo.rows import Record
from geo.tables import HELD, PAIRS, PAST, SIGHTINGS, Fixes, Limits, Tables
from geo.transition import Rules, Sighting
from geo.window import kept_us


@compiled
def seal(tables: Tables, limits: Limits, device: Record, last_us: int) -> None:
    """Moves a window on, whose newest sighting is about to be of `last_us`. The visits are settled."""
    if device.newest_us == NEVER or device.doubts != 0 or device.clock_us > device.newest_us:
        return
    whole = last_us - device.newest_us > limits.kept_us
    held = device.before + device.since
    device.before = 1 if whole else device.since + (device.middle_us != NEVER)
    device.since = 0
    tables.held[HELD] += device.before - held
    device.sealed_us = device.newest_us if whole else device.middle_us
    device.middle_us = device.newest_us
    first, count = tables.used[PAST], device.visit_count
    for i in range(count):
        tables.past[first + i] = tables.visits[device.visits + i]
    tables.used[PAST] += count
    device.base = first if whole else device.middle
    device.base_count = count if whole else device.middle_count
    device.middle, device.middle_count = first, count


@compiled
def append(tables: Tables, fixes: Fixes, device: Record, begin: int, end: int) -> int:
    """Writes the fixes down behind the device's newest; the row of the first."""
    row, pair_row = tables.used[SIGHTINGS], tables.used[PAIRS]
    head = device.head
    for fix in range(begin, end):
        first, last = fixes.pair_first[fix], fixes.pair_first[fix + 1]
        one = tables.sightings[row + fix - begin]
        one.at_us, one.slot, one.previous = fixes.at_us[fix], fixes.slot[fix], head
        one.lat_deg, one.lon_deg = fixes.lat_deg[fix], fixes.lon_deg[fix]
        one.accuracy_m, one.speed_mps = fixes.accuracy_m[fix], fixes.speed_mps[fix]
        one.pairs, one.pair_count = pair_row, last - first
        for pair in range(first, last):
            tables.pairs[pair_row].number = fixes.number[pair]
            tables.pairs[pair_row].probability = fixes.probability[pair]
            pair_row += 1
        head = row + fix - begin
    tables.used[SIGHTINGS], tables.used[PAIRS] = row + end - begin, pair_row
    tables.held[HELD] += end - begin
    device.newest_us = fixes.at_us[end - 1]
    device.head = device.believed = head
    device.since += end - begin
    return row


def append_one(
    fleet: Fleet, slot: int, sighting: Sighting, rules: Rules, *, doubted: bool, seal_us: int | None
) -> None:
    """Appends one sighting that is newer than all that is known of its device.

    `seal_us`: of the first sighting of a batch, the time of its last. A window is sealed once a batch, as
    `seal` does it: who else is in the batch must change nothing of a device.
    """
    device = fleet.devices.get_one(slot)
    values: dict[str, Any] = device._asdict()
    after_us = kept_us(rules)
    calm = device.newest_us != NEVER and not device.doubts and device.clock_us <= device.newest_us
    if calm and seal_us is not None:
        whole = seal_us - device.newest_us > after_us
        if whole or seal_us - device.middle_us > after_us:
            values["sealed_us"] = device.newest_us if whole else device.middle_us
            values["before"] = 1 if whole else device.since + (device.middle_us != NEVER)
            values["middle_us"], values["since"] = device.newest_us, 0
            fleet.settle_visits(np.array([slot]))
            open_ = fleet.visits.data[device.visits : device.visits + device.visit_count].copy()
            now = {"": fleet.past.extend(open_), "_count": device.visit_count}
            for field, value in now.items():
                values[f"base{field}"] = value if whole else values[f"middle{field}"]
                values[f"middle{field}"] = value
    row = fleet.add_sighting(slot, sighting, device.head)
    values["newest_us"], values["head"] = sighting.at_us, row
    values["doubts"] = device.doubts + 1 if doubted else 0
    values["believed"] = device.believed if doubted else row
    values["since"] += 1
    fleet.held += values["before"] + values["since"] - device.before - device.since
    fleet.devices.put_one(slot, *values.values())
