"""A shopper's record: all the state that her inputs change and her decisions read, packed in one row.

It lies in `shoppers.state`. The pipeline is its only writer and keeps the records it has used in memory;
where her devices are and were is kept apart, in a fleet (`server/phones.py`), and goes into the row with the
rest.
"""

import msgspec

from geo.fleet import Fleet
from geo.packed import Packed, pack, unpack
from offers.shopper import Shopper
from server.phones import Phones


class Device(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One of the shopper's devices."""

    device_id: str
    in_sensitive: bool = False  #: its newest fix was dropped for a sensitive place
    mock: bool = False  #: its newest fix was made up, the phone said


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
        return {visit.store for place in self.places for visit in place.present}


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


def drop_record(record: Record, phones: Phones) -> None:
    """Takes the record's devices out of the fleet; they are unknown then."""
    for device in record.devices:
        phones.remove(_name(record, device.device_id))


def slot_of(fleet: Fleet, record: Record, device_id: str) -> int:
    """The device's slot in the fleet; a new one if it has none yet."""
    name = _name(record, device_id)
    slot = fleet.find(name)
    return fleet.add(name) if slot is None else slot


def _name(record: Record, device_id: str) -> str:
    """A device may have been another shopper's before: that one's past is not hers."""
    return f"{record.shopper.shopper_id} {device_id}"
