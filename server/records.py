"""A shopper's record: all the state that her inputs change and her decisions read, packed in one row.

It lies in `shoppers.state`. The pipeline is its only writer and keeps the records it has used in memory;
where her devices are and were is kept apart, in a fleet (`geo.fleet`), and goes into the row with the rest.
"""

import hashlib
from collections.abc import Callable
from typing import TypeVar

import msgspec

from geo.fix import Fix
from geo.fleet import Fleet
from geo.packed import Packed, pack, unpack
from geo.reported import Report
from offers.shopper import Shopper
from server.device import Device

T = TypeVar("T")

REPORTS_MOST = 8  #: reports of a device's region monitoring that are remembered
SEEN_MOST = 1024  #: keys of the newest fixes of a device that are remembered, so that a resent fix is known


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One shopper with her devices."""

    shopper: Shopper
    devices: tuple[Device, ...] = ()

    def device(self, device_id: str) -> Device | None:
        """The device of that id, or None if it is not hers."""
        return next((device for device in self.devices if device.device_id == device_id), None)

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


def pack_record(record: Record, fleet: Fleet) -> bytes:
    places = tuple(pack(fleet, slot_of(fleet, record, device.device_id)) for device in record.devices)
    return _encoder.encode(Kept(record=record, places=places))


def unpack_record(packed: bytes) -> Kept:
    return _decoder.decode(packed)


def take_record(packed: bytes, fleet: Fleet) -> Record:
    """Unpacks a record, and takes its devices into the fleet."""
    kept = unpack_record(packed)
    for device, place in zip(kept.record.devices, kept.places, strict=True):
        unpack(fleet, _name(kept.record, device.device_id), place)
    return kept.record


def drop_record(record: Record, fleet: Fleet) -> None:
    """Takes the record's devices out of the fleet; they are unknown then."""
    for device in record.devices:
        fleet.remove(_name(record, device.device_id))


def put_place(fleet: Fleet, record: Record, device_id: str, place: Packed) -> None:
    """Takes a device into the fleet where another shopper's record had it."""
    fleet.remove(_name(record, device_id))
    unpack(fleet, _name(record, device_id), place)


def drop_place(fleet: Fleet, record: Record, device_id: str) -> None:
    """Where the device is and was is unknown then."""
    fleet.remove(_name(record, device_id))


def slot_of(fleet: Fleet, record: Record, device_id: str) -> int:
    """The device's slot in the fleet; a new one if it has none yet."""
    name = _name(record, device_id)
    slot = fleet.find(name)
    return fleet.add(name) if slot is None else slot


def _name(record: Record, device_id: str) -> str:
    """A device may have been another shopper's before: that one's past is not hers."""
    return f"{record.shopper.shopper_id} {device_id}"


def fix_key(fix: Fix) -> bytes:
    """What makes two fixes of one device the same: the phone's own id, else time and position."""
    name = fix.id if fix.id is not None else f"{fix.fixed_at_us} {fix.lat_deg!r} {fix.lon_deg!r}"
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


def unseen(device: Device, fixes: tuple[Fix, ...]) -> tuple[tuple[Fix, ...], Device]:
    """The fixes that this device has not sent before, and the device that now remembers them.

    A resend of a fix older than the newest `SEEN_MOST` passes as new; it is then behind the lateness
    window, where it changes no visit and never pushes.
    """
    return _unseen(device, fixes, fix_key)


def unseen_reports(device: Device, reports: tuple[Report, ...]) -> tuple[tuple[Report, ...], Device]:
    """The same of what its region monitoring reported; a report is known by fence, kind and time."""
    fresh, device = _unseen(device, reports, _report_key)
    if fresh:
        device = msgspec.structs.replace(device, reports=(*device.reports, *fresh)[-REPORTS_MOST:])
    return fresh, device


def _unseen(
    device: Device, records: tuple[T, ...], key_of: Callable[[T], bytes]
) -> tuple[tuple[T, ...], Device]:
    if not records:
        return (), device
    known = {device.seen[at : at + 8] for at in range(0, len(device.seen), 8)}
    fresh: dict[bytes, T] = {}
    for record in records:
        key = key_of(record)
        if key not in known and key not in fresh:
            fresh[key] = record
    seen = (device.seen + b"".join(fresh))[-8 * SEEN_MOST :]
    return tuple(fresh.values()), msgspec.structs.replace(device, seen=seen)


def _report_key(report: Report) -> bytes:
    name = f"{report.kind} {report.at_us} {report.geofence}"
    return hashlib.blake2b(name.encode(), digest_size=8, person=b"report").digest()
