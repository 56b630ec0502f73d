"""Lets each moment know how plausible the device's whereabouts are."""

from collections.abc import Mapping

import msgspec

from geo.fix import SECOND_US
from geo.fleet import Fleet
from geo.plausibility import plausibility
from offers.moment import SILENT_TRIGGERS, Moment
from server.records import Record, slot_of
from server.world import World

LOOKED_AT_US = 600 * SECOND_US  #: so far back, as far as fixes are remembered


def with_plausibility(moment: Moment, records: Mapping[str, Record], fleet: Fleet, world: World) -> Moment:
    """The moment, judged by the device's newest fixes. One that is silent anyway stays as it is."""
    record = records[moment.shopper_id]
    device = record.device(moment.device_id)
    if device is None or moment.sensitive or moment.trigger in SILENT_TRIGGERS:
        return moment
    slot = slot_of(fleet, record, device.device_id)
    newest = fleet.newest(slot)
    since_us = 0 if newest is None else newest.at_us - LOOKED_AT_US
    judged = plausibility(
        [] if newest is None else fleet.since(slot, since_us),
        mock=moment.mock,
        copied=sum(at_us >= since_us for at_us in device.copied_at_us),
        trust=device.trust,
        unknown_m=world.rules.default_accuracy_m,
    )
    return msgspec.structs.replace(moment, plausibility=judged)
