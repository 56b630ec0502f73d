"""Writes sightings down that are newer than all their devices', and seals what can no longer change."""

from typing import Any

import numpy as np
import numpy.typing as npt

from geo.arrivals import Arrivals
from geo.fences.ranges import spread
from geo.fleet import Fleet
from geo.layout import NEVER, NOWHERE
from geo.rows import Records
from geo.transition import Rules, Sighting
from geo.window import kept_us

#: Dead rows are taken out of a table when they are a quarter as many as the living, and this many.
SLACK, SLACK_LEAST = 1.25, 4096

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def append_many(fleet: Fleet, arrivals: Arrivals, slots: Integers, device: Records, rules: Rules) -> int:
    """Appends sightings to their devices (each once among `slots`, in order); the row of the first.

    Those of a device must be newer than all that is known of it, and none of them doubted. `device` is
    written back.
    """
    count = len(arrivals.slot)
    row = fleet.sightings.add(count)
    single = arrivals.single
    last = np.arange(count) if single else arrivals.first[1:] - 1
    newest_us = arrivals.at_us if single else arrivals.at_us[last]
    _write(fleet, arrivals, row, device["head"])
    fleet.held += count
    due = (newest_us - device["middle_us"] > kept_us(rules)).nonzero()[0]
    if len(due):
        sealing = fleet.devices.pick(device, due)
        _seal(fleet, slots[due], sealing, newest_us[due], rules)
        fleet.devices.replace(device, due, sealing)
    device["newest_us"] = newest_us
    last += row
    device["head"] = device["believed"] = last
    device["since"] += 1 if single else np.diff(arrivals.first)
    fleet.devices.put(slots, device)
    return row


def _write(fleet: Fleet, arrivals: Arrivals, row: int, head: npt.NDArray[np.int32]) -> None:
    """The rows of the sightings, and of the fences they lie in."""
    pair = fleet.pairs.add(len(arrivals.pair_number))
    fleet.pairs.data["number"][pair : fleet.pairs.used] = arrivals.pair_number
    fleet.pairs.data["probability"][pair : fleet.pairs.used] = arrivals.pair_probability
    record = fleet.sightings.data[row : fleet.sightings.used]
    record["at_us"], record["slot"] = arrivals.at_us, arrivals.slot
    record["lat_deg"], record["lon_deg"] = arrivals.lat_deg, arrivals.lon_deg
    record["accuracy_m"], record["speed_mps"] = arrivals.accuracy_m, arrivals.speed_mps
    first = arrivals.pair_first
    record["pairs"] = first[:-1] + pair
    record["pair_count"] = first[1:] - first[:-1]
    if arrivals.single:
        record["previous"] = head
    else:
        record["previous"] = np.arange(row - 1, row - 1 + len(record))
        record["previous"][arrivals.first[:-1]] = head


def _seal(fleet: Fleet, slots: Integers, device: Records, newest_us: Integers, rules: Rules) -> None:
    """Moves the windows of devices on, whose newest sighting is about to be of `newest_us`."""
    calm = (device["newest_us"] != NEVER) & (device["doubts"] == 0)
    calm &= device["clock_us"] <= device["newest_us"]
    whole = calm & (newest_us - device["newest_us"] > kept_us(rules))
    held = device["before"] + device["since"]
    kept = np.where(whole, 1, device["since"] + (device["middle_us"] != NEVER))
    device["before"] = np.where(calm, kept, device["before"])
    device["since"] = np.where(calm, 0, device["since"])
    fleet.held += int((device["before"] + device["since"] - held).sum())
    sealed_us = np.where(whole, device["newest_us"], device["middle_us"])
    device["sealed_us"] = np.where(calm, sealed_us, device["sealed_us"])
    device["middle_us"] = np.where(calm, device["newest_us"], device["middle_us"])
    _remember(fleet, slots, device, calm, whole)


def _remember(fleet: Fleet, slots: Integers, device: Records, moved: Flags, whole: Flags) -> None:
    """Makes the visits open now those of the middle, and of the sealed sighting too where all is sealed."""
    present = moved & (device["visit_count"] > 0)
    fleet.settle_visits(slots[present])
    _, row = spread(device["visits"], np.where(present, device["visit_count"], 0))
    count = np.where(present, device["visit_count"], 0)
    first = fleet.past.extend(fleet.visits.take(row)) + np.cumsum(count) - count
    for field, now in (("", first), ("_count", count)):
        base, middle = f"base{field}", f"middle{field}"
        device[base] = np.where(whole, now, np.where(moved, device[middle], device[base]))
        device[middle] = np.where(moved, now, device[middle])


def append_one(
    fleet: Fleet, slot: int, sighting: Sighting, rules: Rules, *, doubted: bool, seal_us: int | None
) -> None:
    """Appends one sighting that is newer than all that is known of its device.

    `seal_us`: of the first sighting of a batch, the time of its last. A window is sealed once a batch, as
    `append_many` does it: who else is in the batch must change nothing of a device.
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
