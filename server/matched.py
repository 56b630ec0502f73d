"""Device matching: phones that compare with the fences themselves, and send which they crossed, not where.

Nothing is known of such a phone but the fences it is in. So its visits are kept by themselves, without the
fence engine; they end with an `exit`, or when the phone has not spoken of the fence for the time-out.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from geo.fix import SECOND_US
from geo.reported import Report
from geo.transition import Kind, Presence, Rules, Sighting, Transition
from offers.hours import rfc3339
from offers.ids import derived_id
from offers.moment import Moment, Whereabouts
from server.device import Device, Inside
from server.inputs import Input, RecordCrossings, RecordEvents
from server.records import Record
from server.whereabouts import Seen
from server.world import World

#: What a phone's word is taken for: its circles are larger than the fences, and late.
CONFIDENCE = 0.5
NOWHERE = math.nan


def matched(
    inputs: Iterable[Input], records: dict[str, Record], world: World
) -> tuple[list[Seen], list[Moment]]:
    """Follows what phones say of fences; notes it in their records. Returns what happened, and moments."""
    seen: list[Seen] = []
    moments: list[Moment] = []
    for item in inputs:
        if isinstance(item, RecordCrossings | RecordEvents):
            seen += _timed_out(item, records, world.rules)
        if isinstance(item, RecordCrossings):
            for crossing in sorted(item.crossings, key=lambda one: one.at_us):
                found = list(_follow(item, crossing, records, world))
                seen += found
                moments += [_moment(one, crossing, world) for one in found if one.transition.kind != "exit"]
    return seen, [_with_left(moment, records) for moment in moments]


def whereabouts_by_report(device: Device) -> list[Whereabouts]:
    """The visits that such a phone has open. Where in the fence it is, nobody knows."""
    return [
        Whereabouts(
            device_id=device.device_id,
            presence=Presence(
                geofence=one.geofence,
                store=one.store,
                entered_at_us=one.entered_at_us,
                entered_lat_deg=NOWHERE,
                entered_lon_deg=NOWHERE,
                supported_at_us=one.supported_at_us,
                confidence=CONFIDENCE,
            ),
            seen=Sighting(at_us=one.supported_at_us, lat_deg=NOWHERE, lon_deg=NOWHERE),
        )
        for one in device.inside
    ]


def _follow(
    item: RecordCrossings, crossing: Report, records: dict[str, Record], world: World
) -> Iterator[Seen]:
    record = records[item.shopper_id]
    device = record.device(item.device_id)
    place = world.fences.place_of_id(crossing.geofence)
    if device is None or place < 0:
        return
    store = world.fences.roll.store(int(world.fences.number[place]))
    visit = next((one for one in device.inside if one.geofence == crossing.geofence), None)
    others = tuple(one for one in device.inside if one is not visit)
    if crossing.kind == "exit":
        if visit is not None:
            records[item.shopper_id] = record.with_device(msgspec.structs.replace(device, inside=others))
            yield _seen(item, visit, "exit", crossing.at_us)
        return
    if visit is None:
        visit = Inside(
            geofence=crossing.geofence,
            store=store,
            entered_at_us=crossing.at_us,
            supported_at_us=crossing.at_us,
        )
        yield _seen(item, visit, "enter", crossing.at_us)
    dwells = crossing.kind == "dwell" and not visit.dwelled
    if dwells:
        yield _seen(item, visit, "dwell", crossing.at_us)
    visit = msgspec.structs.replace(
        visit,
        supported_at_us=max(visit.supported_at_us, crossing.at_us),
        dwelled=visit.dwelled or dwells,
    )
    device = msgspec.structs.replace(device, inside=(*others, visit))
    records[item.shopper_id] = record.with_device(device)


def _timed_out(
    item: RecordCrossings | RecordEvents, records: dict[str, Record], rules: Rules
) -> Iterator[Seen]:
    """Ends the visits of which the shopper's phones have said nothing for too long."""
    record = records[item.shopper_id]
    oldest_us = item.received_at_us - round(rules.presence_timeout_s * SECOND_US)
    for device in record.devices:
        over = [one for one in device.inside if one.supported_at_us < oldest_us]
        if over:
            inside = tuple(one for one in device.inside if one not in over)
            record = record.with_device(msgspec.structs.replace(device, inside=inside))
            for one in over:
                told = _seen(item, one, "exit", one.supported_at_us)
                yield msgspec.structs.replace(told, device_id=device.device_id)
    records[item.shopper_id] = record


def _seen(item: RecordCrossings | RecordEvents, visit: Inside, kind: Kind, at_us: int) -> Seen:
    return Seen(
        transition=Transition(
            kind=kind,
            geofence=visit.geofence,
            store=visit.store,
            at_us=max(at_us, visit.entered_at_us),
            lat_deg=NOWHERE,
            lon_deg=NOWHERE,
            entered_at_us=visit.entered_at_us,
            confidence=CONFIDENCE,
        ),
        device_id=item.device_id,
        shopper_id=item.shopper_id,
        received_at_us=item.received_at_us,
    )


def _moment(one: Seen, crossing: Report, world: World) -> Moment:
    """The moment of an enter or a dwell that a phone told: without distance, speed or accuracy."""
    told = one.transition
    evidence = {
        "kind": "phone",
        "event": crossing.kind,
        "geofence": crossing.geofence,
        "at": rfc3339(crossing.at_us),
    }
    cause: Sequence[str | int] = (told.kind, told.geofence, told.entered_at_us)
    return Moment(
        moment_id=derived_id("mom", world.retailer_id, one.shopper_id, one.device_id, told.store, *cause),
        shopper_id=one.shopper_id,
        device_id=one.device_id,
        store=told.store,
        geofence=told.geofence,
        trigger=told.kind,
        at_us=told.at_us,
        received_at_us=one.received_at_us,
        entered_at_us=told.entered_at_us,
        evidence=(evidence,),
    )


def _with_left(moment: Moment, records: dict[str, Record]) -> Moment:
    """The moment, knowing whether the phone has told in the same breath that it left again."""
    device = records[moment.shopper_id].device(moment.device_id)
    visits = () if device is None else device.inside
    stays = any(
        (one.geofence, one.entered_at_us) == (moment.geofence, moment.entered_at_us) for one in visits
    )
    return msgspec.structs.replace(moment, left=not stays)
