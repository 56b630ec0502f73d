"""A shopper's record: all the state that her inputs change and her decisions read, packed in one row.

It lies in `shoppers.state`. The pipeline is its only writer and keeps the records it has used in memory;
where her devices are and were is kept apart, in a fleet (`server/phones.py`), and goes into the row with the
rest.
"""

import hashlib

import msgspec

from geo.engine import state_of
from geo.fleet import Fleet
from geo.packed import Packed, pack, unpack
from geo.reported import Report
from offers.shopper import Shopper
from server.device import Device
from server.phones import Phones
from server.world import World

REPORTS_MOST = 8  #: reports of a device's region monitoring that are remembered


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One shopper with her devices."""

    shopper: Shopper
    devices: tuple[Device, ...] = ()

    def device(self, device_id: str) -> Device | None:
        """The device of that id, or None if it is not hers."""
        for device in self.devices:
            if device.device_id == device_id:
                return device
        return None

    def with_device(self, device: Device) -> "Record":
        """The record with that device put in place of its earlier self, or added."""
        others = tuple(d for d in self.devices if d.device_id != device.device_id)
        return msgspec.structs.replace(self, devices=(*others, device))

    def without_device(self, device_id: str) -> "Record":
        return msgspec.structs.replace(
            self, devices=tuple(d for d in self.devices if d.device_id != device_id)
        )

    def with_shopper(self, shopper: Shopper) -> "Record":
        return msgspec.structs.replace(self, shopper=shopper)


class Kept(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What is in the row."""

    record: Record
    places: tuple[Packed, ...] = ()  #: of each of the devices: where it is and was
    seen: tuple[bytes, ...] = ()  #: … and the keys of its newest fixes

    @property
    def stores(self) -> set[str]:
        """The stores she is at, with any of her devices."""
        told = {one.store for device in self.record.devices for one in device.inside}
        return told | {visit.store for place in self.places for visit in place.present}

    def place(self, device_id: str) -> Packed | None:
        """Where one of the devices is and was."""
        found = zip(self.record.devices, self.places, strict=True)
        return next((place for device, place in found if device.device_id == device_id), None)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Kept)


def pack_record(record: Record, phones: Phones) -> bytes:
    slots = [slot_of(phones, record, device.device_id) for device in record.devices]
    places = tuple(pack(phones, slot) for slot in slots)
    return _encoder.encode(
        Kept(record=record, places=places, seen=tuple(phones.seen(slot) for slot in slots))
    )


def unpack_record(packed: bytes) -> Kept:
    return _decoder.decode(packed)


def take_record(packed: bytes, phones: Phones) -> Record:
    """Unpacks a record, and takes its devices into the fleet."""
    kept = unpack_record(packed)
    for number, (device, place) in enumerate(zip(kept.record.devices, kept.places, strict=True)):
        slot = unpack(phones, _name(kept.record, device.device_id), place)
        if number < len(kept.seen) and kept.seen[number]:
            phones.note(slot, kept.seen[number])
    return kept.record


def same_state(packed: bytes, record: Record, phones: Phones, world: World) -> bool:
    """Whether a row says the same as a record in memory. Where the windows of its devices are cut may differ:
    that depends on what else was in a batch, and an erasure takes that out.
    """
    if packed == pack_record(record, phones):
        return True
    others = Phones(phones.roll)
    if take_record(packed, others) != record:
        return False
    fences, rules = world.fences, world.rules
    for device in record.devices:
        mine, other = slot_of(phones, record, device.device_id), slot_of(others, record, device.device_id)
        if phones.seen(mine) != others.seen(other):
            return False
        if state_of(phones, mine, fences, rules) != state_of(others, other, fences, rules):
            return False
    return True


def drop_record(record: Record, phones: Phones) -> None:
    """Takes the record's devices out of the fleet; they are unknown then."""
    for device in record.devices:
        phones.remove(_name(record, device.device_id))


def put_place(phones: Phones, record: Record, device_id: str, place: Packed) -> None:
    """Takes a device into the fleet where another shopper's record had it."""
    phones.remove(_name(record, device_id))
    unpack(phones, _name(record, device_id), place)


def drop_place(phones: Phones, record: Record, device_id: str) -> None:
    """Where the device is and was is unknown then."""
    phones.remove(_name(record, device_id))


def unseen_reports(
    device: Device, reports: tuple[Report, ...], slot: int, phones: Phones
) -> tuple[tuple[Report, ...], Device]:
    """What its region monitoring reported that the device has not sent before, and the device that remembers
    it. A report is known by fence, kind and time.
    """
    fresh = []
    for report in reports:
        key = _report_key(report)
        if not phones.knows(slot, key):
            phones.note(slot, key)
            fresh.append(report)
    if fresh:
        device = msgspec.structs.replace(device, reports=(*device.reports, *fresh)[-REPORTS_MOST:])
    return tuple(fresh), device


def _report_key(report: Report) -> bytes:
    name = f"{report.kind} {report.at_us} {report.geofence}"
    return hashlib.blake2b(name.encode(), digest_size=8, person=b"report").digest()


def slot_of(fleet: Fleet, record: Record, device_id: str) -> int:
    """The device's slot in the fleet; a new one if it has none yet."""
    name = _name(record, device_id)
    slot = fleet.find(name)
    return fleet.add(name) if slot is None else slot


def _name(record: Record, device_id: str) -> str:
    """A device may have been another shopper's before: that one's past is not hers."""
    return f"{record.shopper.shopper_id} {device_id}"
