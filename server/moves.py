"""Devices that change hands: somebody logs in on one, or out. Pure."""

import msgspec

from offers.merge import merged
from offers.shopper import Shopper
from server.device import Device
from server.inputs import LeaveShopper, MoveDevice
from server.phones import Phones
from server.records import Record, drop_place, put_place


def arrived(item: MoveDevice, record: Record, phones: Phones) -> Record:
    """The record of the shopper to whom a device came, with what came along."""
    if item.brings is not None:
        record = record.with_shopper(merged(record.shopper, item.brings))
    device = item.device or Device(device_id=item.device_id, trust=item.trust)
    record = record.with_device(device)
    if item.place is not None:
        put_place(phones, record, item.device_id, item.place)
    return record


def left(item: LeaveShopper, record: Record, phones: Phones) -> Record:
    """The record of the shopper whom a device left; an empty one if she is the other."""
    drop_place(phones, record, item.device_id)
    record = record.without_device(item.device_id)
    if item.merged:
        record = msgspec.structs.replace(record, shopper=Shopper(shopper_id=record.shopper.shopper_id))
    return record
