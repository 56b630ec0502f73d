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
    seen = [] if newest is None else fleet.since(slot, newest.at_us - LOOKED_AT_US)
    judged = plausibility(
        seen, mock=moment.mock, trust=device.trust, unknown_m=world.rules.default_accuracy_m
    )
    return msgspec.structs.replace(moment, plausibility=judged)
