"""Shoppers who come nearer: how, as evidence; and moments before they are there, where that is wanted."""

from collections.abc import Iterator, Mapping

from geo.approach import LONGEST_US, Approach, approach
from geo.fence import Fence
from geo.fleet import Fleet
from geo.motion import doubts
from geo.transition import Rules, Sighting
from offers.ahead import moment_ahead, will_enter
from offers.moment import STALE_AFTER_US, Moment
from server.inputs import RecordFixes
from server.pings import Pings
from server.records import Record, slot_of
from server.whereabouts import speed_of
from server.world import World

#: Moments before the fence is entered are made at most so far from its boundary.
REACH_M = 1_000.0
#: So many of the nearest fences are looked at.
NEAREST = 16


def approach_to_store(fleet: Fleet, slot: int, store: str, at_us: int, world: World) -> Approach | None:
    """How a device came nearer to a store, by its sightings until a time."""
    shop = world.catalogue.stores.get(store)
    if shop is None:
        return None
    seen = _believed(fleet, slot, at_us, world.rules)
    return approach(seen, (shop.lat_deg, shop.lon_deg), unknown_m=world.rules.default_accuracy_m)


def ahead(pings: Pings, records: Mapping[str, Record], fleet: Fleet, world: World) -> Iterator[Moment]:
    """Moments of shoppers who will be in a store's fence soon, as their newest fixes say."""
    if not world.catalogue.settings.approach_s:
        return
    came = {
        (pings.items[ping].device_id, at_us)
        for ping, at_us in zip(pings.of_row.tolist(), pings.fixed_at_us.tolist(), strict=True)
    }
    for _, item in pings.by_device():
        record = records[item.shopper_id]
        slot = slot_of(fleet, record, item.device_id)
        seen = fleet.newest(slot)
        device = record.device(item.device_id)
        if seen is None or device is None or (item.device_id, seen.at_us) not in came:
            continue
        if fleet.devices.get_one(slot).doubts or not _may_speak(item, record, seen, world):
            continue
        for coming, fence in _coming(slot, seen, fleet, world):
            yield moment_ahead(
                coming,
                seen,
                fence,
                world.catalogue,
                retailer_id=world.retailer_id,
                shopper_id=item.shopper_id,
                device_id=item.device_id,
                received_at_us=item.received_at_us,
                speed_mps=speed_of(fleet, slot, seen, world.rules),
                mock=device.mock,
            )


def _coming(slot: int, seen: Sighting, fleet: Fleet, world: World) -> Iterator[tuple[Approach, Fence]]:
    """The fences that a device will be in soon: at most one a store, none of those where it is."""
    settings, rules, fences = world.catalogue.settings, world.rules, world.fences
    done = {visit.store for visit in fleet.present(slot)} | {store for _, store, _ in seen.inside}
    believed = _believed(fleet, slot, seen.at_us, rules)
    places, _ = fences.nearest(seen.lat_deg, seen.lon_deg, NEAREST, within_m=REACH_M, at_us=seen.at_us)
    for place in places.tolist():
        fence = fences.fence(place)
        if fence.store in done or not world.catalogue.offers_at(fence.store):
            continue
        coming = approach(believed, fence, unknown_m=rules.default_accuracy_m)
        if coming is not None and will_enter(coming, seen, fence, within_s=settings.approach_s):
            done.add(fence.store)
            yield coming, fence


def _may_speak(item: RecordFixes, record: Record, seen: Sighting, world: World) -> bool:
    """Whether an offer could come of a moment; if not, none is made: the enter will be explained."""
    return (
        not item.in_sensitive
        and bool(record.shopper.interests.traces)
        and item.received_at_us - seen.at_us <= STALE_AFTER_US
        and (seen.accuracy_m or 0.0) <= world.catalogue.settings.low_accuracy_m
    )


def _believed(fleet: Fleet, slot: int, until_us: int, rules: Rules) -> list[Sighting]:
    """A device's believed sightings of the time that `approach` looks at, up to `until_us`."""
    since_us = until_us - LONGEST_US
    seen = [one for one in fleet.since(slot, since_us) if since_us <= one.at_us <= until_us]
    reasons = doubts(seen, unknown_m=rules.default_accuracy_m)
    return [one for one, reason in zip(seen, reasons, strict=True) if reason is None]
