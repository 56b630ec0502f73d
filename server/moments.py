"""Who may want to go where: the moments of a micro-batch, from what happened and from what was looked at."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from geo.fleet import Fleet
from geo.transition import Presence, Transition
from offers.ahead import approach_evidence
from offers.hours import rfc3339
from offers.ids import derived_id
from offers.moment import Moment, moment_from_transition, moments_from_event
from offers.overlap import most_specific
from server.approaching import ahead, approach_to_store
from server.inputs import Input, RecordEvents, RecordFixes
from server.pings import Pings
from server.records import Device, Record, slot_of
from server.whereabouts import Seen, whereabouts
from server.world import World


def from_places(  # noqa: PLR0917 - what `begin` knows
    pings: Pings,
    slots: npt.NDArray[np.int32],
    seen: Iterable[Seen],
    records: Mapping[str, Record],
    fleet: Fleet,
    world: World,
) -> Iterator[Moment]:
    """Moments of shoppers who come near, and those in which the place or the fix asks for silence."""
    yield from _of_transitions(pings, seen, records, fleet, world)
    if len(pings):
        coarse = _coarse(slots, fleet, world)
        for ping, item in pings.by_device() if coarse.any() else ():
            if coarse[ping]:
                yield from _too_coarse(item, int(slots[ping]), fleet, world)
        yield from ahead(pings, records, fleet, world)
    for item in pings.items:
        if item.sensitive_at_us is not None:
            yield _sensitive_moment(item, item.sensitive_at_us, world)


def _of_transitions(
    pings: Pings, seen: Iterable[Seen], records: Mapping[str, Record], fleet: Fleet, world: World
) -> Iterator[Moment]:
    mocked = pings.mocked()
    for one in seen:
        device = _device(records, one.shopper_id, one.device_id)
        if device.in_sensitive:
            continue  # a timer of a store that she left for a place nobody is to know of
        slot = slot_of(fleet, records[one.shopper_id], one.device_id)
        visits = fleet.present(slot)
        moment = moment_from_transition(
            one.transition,
            world.catalogue,
            retailer_id=world.retailer_id,
            shopper_id=one.shopper_id,
            device_id=one.device_id,
            received_at_us=one.received_at_us,
            mock=(one.device_id, one.transition.at_us) in mocked,
            left=not any(_is_of(visit, one.transition) for visit in visits),
            more_evidence=_approach(one.transition, slot, fleet, world),
        )
        if moment is not None:
            yield moment


def _is_of(visit: Presence, transition: Transition) -> bool:
    return (visit.geofence, visit.entered_at_us) == (transition.geofence, transition.entered_at_us)


def _approach(transition: Transition, slot: int, fleet: Fleet, world: World) -> tuple[dict[str, Any], ...]:
    """How she came nearer to the store until she entered or dwelled."""
    if transition.kind not in ("enter", "dwell") or transition.late:
        return ()
    coming = approach_to_store(fleet, slot, transition.store, transition.at_us, world)
    return () if coming is None else (approach_evidence(coming, transition.at_us),)


def _coarse(slots: npt.NDArray[np.int32], fleet: Fleet, world: World) -> npt.NDArray[np.bool_]:
    """Which devices' newest fix lies in a fence and is coarser than the settings want."""
    if not len(fleet.sightings):
        return np.zeros(len(slots), bool)
    newest = fleet.sightings.take(np.maximum(fleet.devices.data["head"][slots], 0))
    limit_m = world.catalogue.settings.low_accuracy_m
    return np.asarray((newest["accuracy_m"] > limit_m) & (newest["pair_count"] > 0))


def _too_coarse(item: RecordFixes, slot: int, fleet: Fleet, world: World) -> Iterator[Moment]:
    """Silent moments of a newest fix in fences that it is too coarse to enter: one an hour and store."""
    last = fleet.newest(slot)
    assert last is not None
    visited = {visit.store for visit in fleet.present(slot)}
    for geofence, store, _ in last.inside:
        if store in visited:
            continue
        hour = last.at_us // 3_600_000_000
        yield Moment(
            moment_id=derived_id("mom", world.retailer_id, item.device_id, store, "fix", hour),
            shopper_id=item.shopper_id,
            device_id=item.device_id,
            store=store,
            geofence=geofence,
            trigger="fix",
            at_us=last.at_us,
            received_at_us=item.received_at_us,
            entered_at_us=last.at_us,
            accuracy_m=last.accuracy_m,
            evidence=({"kind": "fix", "geofence": geofence, "at": rfc3339(last.at_us)},),
        )


def from_events(
    inputs: Iterable[Input], records: Mapping[str, Record], fleet: Fleet, world: World
) -> Iterator[Moment]:
    """Moments of shoppers who look at something while they are at a store."""
    for item in inputs:
        if not isinstance(item, RecordEvents):
            continue
        record = records[item.shopper_id]
        visits = [(device, whereabouts(fleet, record, device, world.rules)) for device in record.devices]
        here = most_specific(
            [one for device, open_ in visits if not device.in_sensitive for one in open_],
            world.fences,
            world.catalogue,
        )
        for event in item.events:
            yield from moments_from_event(
                event,
                here,
                world.catalogue,
                retailer_id=world.retailer_id,
                shopper_id=item.shopper_id,
                received_at_us=item.received_at_us,
            )
            if any(device.in_sensitive and open_ for device, open_ in visits):
                yield _sensitive_moment(item, event.at_us, world)


def _sensitive_moment(item: RecordFixes | RecordEvents, at_us: int, world: World) -> Moment:
    """A moment that is silent by its place. It names no store: that alone would tell where she was."""
    return Moment(
        moment_id=derived_id("mom", world.retailer_id, item.device_id, "sensitive_place", at_us),
        shopper_id=item.shopper_id,
        device_id=item.device_id,
        store="",
        geofence="",
        trigger="sensitive_place",
        at_us=at_us,
        received_at_us=item.received_at_us,
        entered_at_us=at_us,
        sensitive=True,
    )


def _device(records: Mapping[str, Record], shopper_id: str, device_id: str) -> Device:
    return records[shopper_id].device(device_id) or Device(device_id=device_id)
