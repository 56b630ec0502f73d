"""Where shoppers' devices are: runs their fixes and timers through the fence engine."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from geo.engine import Fleet, Told, sense, wake
from geo.speed import LONGEST_SPEED_US, speed_at
from geo.transition import Rules, Sighting, Transition
from offers.moment import Whereabouts
from server.device import Device
from server.inputs import Input, RecordFixes, Wake
from server.pings import Pings
from server.records import Record, slot_of
from server.world import World


class Seen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A transition, with whose it is and when the server had the fix that caused it."""

    transition: Transition
    device_id: str
    shopper_id: str
    received_at_us: int


def follow(  # noqa: PLR0917 - what `begin` knows
    inputs: Sequence[Input],
    pings: Pings,
    slots: npt.NDArray[np.int32],
    records: Mapping[str, Record],
    fleet: Fleet,
    world: World,
) -> tuple[list[Seen], list[Seen], list[str]]:
    """Runs all fixes of the batch through the fence engine at once, then the timers that are due.

    Returns what happened, what is taken back, and for which reasons fixes were doubted.
    """
    seen: list[Seen] = []
    retracted: list[Seen] = []
    doubted: list[str] = []
    if len(pings):
        told = sense(fleet, pings.batch(slots), world.fences, world.rules)
        if told.parts or told.passes or told.values:
            items = pings.items
            whose = {slot: (items[i], items[i].device_id) for i, slot in enumerate(slots.tolist())}
            seen, retracted = _told(told, whose)
            doubted = [reason for _, sensed in told.values for reason in sensed.doubted]
    for due in (i for i in inputs if isinstance(i, Wake)):
        record = records[due.shopper_id]
        woken = {
            slot_of(fleet, record, device.device_id): (due, device.device_id) for device in record.devices
        }
        fired, _ = _told(wake(fleet, woken, due.received_at_us, world.fences, world.rules), woken)
        seen += fired
    return seen, retracted, doubted


def whereabouts(
    fleet: Fleet, record: Record, device: Device, rules: Rules | None = None
) -> list[Whereabouts]:
    """The visits that a device has open now; its speed where `rules` say how that is derived."""
    slot = slot_of(fleet, record, device.device_id)
    present = fleet.present(slot)
    seen = fleet.newest(slot) if present else None
    if seen is None:
        return []
    speed_mps = None if rules is None else speed_of(fleet, slot, seen, rules)
    return [
        Whereabouts(
            device_id=device.device_id, presence=visit, seen=seen, speed_mps=speed_mps, mock=device.mock
        )
        for visit in present
    ]


def speed_of(fleet: Fleet, slot: int, seen: Sighting, rules: Rules) -> float | None:
    """The speed of a device at its newest sighting."""
    recent = fleet.since(slot, seen.at_us - LONGEST_SPEED_US)
    return speed_at(recent, seen.at_us, unknown_m=rules.default_accuracy_m)


def _told(told: Told, whose: Mapping[int, tuple[RecordFixes | Wake, str]]) -> tuple[list[Seen], list[Seen]]:
    """What was told and what taken back, in the order of the inputs, each by time."""
    by_slot, wrong = told.by_slot(), list(told.retracted())
    if not by_slot and not wrong:
        return [], []
    seen: list[Seen] = []
    retracted: list[Seen] = []
    for slot, (item, device_id) in whose.items():
        seen += _seen(by_slot.get(slot, ()), item, device_id)
        retracted += _seen((one for of, one in wrong if of == slot), item, device_id)
    return seen, retracted


def _seen(transitions: Iterable[Transition], item: RecordFixes | Wake, device_id: str) -> list[Seen]:
    return [
        Seen(
            transition=transition,
            device_id=device_id,
            shopper_id=item.shopper_id,
            received_at_us=item.received_at_us,
        )
        for transition in transitions
    ]
