"""Writes a sighting down that is newer than all its device's, and clears away what no window holds."""

from typing import Any

import numpy as np

from geo.compiled import compiled
from geo.fences.ranges import spread
from geo.fleet import Fleet
from geo.layout import NEVER, NOWHERE
from geo.rows import Record
from geo.tables import HELD, PAIRS, PAST, SIGHTINGS, Fixes, Limits, Tables
from geo.transition import Rules, Sighting
from geo.window import kept_us

#: Dead rows are taken out of a table when they are a quarter as many as the living, and this many.
SLACK, SLACK_LEAST = 1.25, 4096


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


def compact(fleet: Fleet) -> None:
    """Takes dead rows out of the tables, where they are many."""
    if fleet.sightings.used > SLACK * fleet.held + SLACK_LEAST:
        _compact_sightings(fleet)
    if fleet.visits.used > SLACK * fleet.open + SLACK_LEAST:
        _compact_visits(fleet)
    if fleet.past.used > 2 * fleet.past_kept + SLACK_LEAST:
        _compact_past(fleet)


def _compact_past(fleet: Fleet) -> None:
    devices = fleet.devices.data[: fleet.devices.used]
    kept = [(field, *spread(devices[field], devices[f"{field}_count"])) for field in ("base", "middle")]
    parts = [fleet.past.take(row) for _, _, row in kept]
    fleet.past.keep(np.zeros(0, np.int64))
    for (field, _, _), part in zip(kept, parts, strict=True):
        count = devices[f"{field}_count"]
        devices[field] = fleet.past.extend(part) + np.cumsum(count) - count
    fleet.past_kept = fleet.past.used


def _compact_sightings(fleet: Fleet) -> None:
    used = fleet.sightings.data[: fleet.sightings.used]
    slot = used["slot"]
    alive = (slot != NOWHERE) & (used["at_us"] >= fleet.devices.data["sealed_us"][slot])
    moved_to = (np.cumsum(alive) - 1).astype(np.int32)
    fleet.sightings.keep((alive).nonzero()[0])
    kept = fleet.sightings.data[: fleet.sightings.used]
    previous = kept["previous"]
    kept["previous"] = np.where((previous != NOWHERE) & alive[previous], moved_to[previous], NOWHERE)
    devices = fleet.devices.data[: fleet.devices.used]
    for field in ("head", "believed"):
        row = devices[field]
        devices[field] = np.where(row != NOWHERE, moved_to[row], NOWHERE)
    _, pair = spread(kept["pairs"], kept["pair_count"])
    kept["pairs"] = np.cumsum(kept["pair_count"]) - kept["pair_count"]
    fleet.pairs.keep(pair)


def _compact_visits(fleet: Fleet) -> None:
    alive = fleet.visits.data["slot"][: fleet.visits.used] != NOWHERE
    moved_to = np.cumsum(alive) - 1
    fleet.visits.keep((alive).nonzero()[0])
    devices = fleet.devices.data[: fleet.devices.used]
    some = devices["visit_count"].nonzero()[0]
    devices["visits"][some] = moved_to[devices["visits"][some]]
