"""Which inputs go into the journal, pings apart (`server/admit_pings.py`), and what is settled before them.

No I/O. It runs before anything is written, and again on replay, where it lets everything through unchanged.
"""

from collections.abc import Iterable, Mapping

import msgspec

from geo.fix import FUTURE_US, MAX_AGE_US
from geo.reported import Report
from offers.event import refuse_event
from offers.shopper import Shopper, with_consents, with_preferences, with_traits
from server.device import Device
from server.inputs import (
    EraseShopper,
    Input,
    LeaveShopper,
    MoveDevice,
    RecordCrossings,
    RecordEvents,
    RegisterDevice,
    SetConsents,
    SetPreferences,
    SetTraits,
    ShopperErased,
)
from server.moves import arrived, left
from server.phones import Phones
from server.records import Record, drop_record, slot_of, unseen_reports
from server.world import World


class Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why one item of a request was not taken."""

    index: int  #: its place in the request
    reason: str


class Admitted(msgspec.Struct, kw_only=True, gc=False):
    """One input after admission."""

    accepted: int = 0  #: items taken, those already known included
    refusals: tuple[Refusal, ...] = ()
    shopper_id: str | None = None  #: of a registration: whose device it turned out to be
    next: bytes = b""  #: of a ping: the JSON of when its device should report next


def settle(
    inputs: Iterable[Input], records: Mapping[str, Record], phones: Phones
) -> tuple[dict[str, Record], set[str]]:
    """The records after erasures, registrations, consents and preferences, and whose places are forgotten."""
    settled, forgotten = dict(records), set()
    for item in inputs:
        record = settled.get(item.shopper_id)
        if isinstance(item, LeaveShopper):
            if record is not None:
                settled[item.shopper_id] = left(item, record, phones)
            continue
        if isinstance(item, EraseShopper):
            if record is not None:
                drop_record(settled.pop(item.shopper_id), phones)
            continue
        if isinstance(item, RegisterDevice):
            record = record or Record(shopper=Shopper(shopper_id=item.shopper_id))
            if isinstance(item, MoveDevice):
                record = arrived(item, record, phones)
            elif record.device(item.device_id) is None:
                record = record.with_device(Device(device_id=item.device_id, trust=item.trust))
            shopper = with_consents(record.shopper, item.consents) if item.consents else record.shopper
        elif isinstance(item, SetConsents) and record is not None:
            shopper = with_consents(record.shopper, item.consents)
        elif isinstance(item, SetPreferences) and record is not None:
            shopper = with_preferences(record.shopper, item.preferences)
        elif isinstance(item, SetTraits) and record is not None:
            shopper = with_traits(record.shopper, item.traits)
        else:
            continue
        record = record.with_shopper(shopper)
        if not shopper.permits("nearby_offers", item.received_at_us):
            # Where she was and is goes at once; no timer of hers can fire any more.
            drop_record(record, phones)
            forgotten.add(item.shopper_id)
            cleared = [Device(device_id=device.device_id, trust=device.trust) for device in record.devices]
            record = msgspec.structs.replace(record, devices=tuple(cleared))
        settled[item.shopper_id] = record
    return settled, forgotten


def admit(
    item: Input, records: dict[str, Record], phones: Phones, world: World
) -> tuple[Admitted, Input | None]:
    """Judges one input that is no ping against the settled records; what of it goes into the journal."""
    if isinstance(item, EraseShopper):
        return Admitted(accepted=1), ShopperErased(shopper_id="", received_at_us=item.received_at_us)
    record = records.get(item.shopper_id)
    if record is None:  # her token outlived her: she was erased, or this is another database
        return Admitted(refusals=_all(_count(item), "unknown_device")), None
    if isinstance(item, RecordEvents):
        return admit_events(item, record)
    if isinstance(item, RecordCrossings):
        return _admit_crossings(item, records, phones, world)
    return Admitted(shopper_id=item.shopper_id), item


def _count(item: Input) -> int:
    if isinstance(item, RecordEvents):
        return len(item.events)
    return len(item.crossings) if isinstance(item, RecordCrossings) else 0


def _admit_crossings(
    item: RecordCrossings, records: dict[str, Record], phones: Phones, world: World
) -> tuple[Admitted, Input | None]:
    """The fences that a phone says it crossed; notes in its record which are known now."""
    record = records[item.shopper_id]
    device = record.device(item.device_id)
    if device is None or not record.shopper.permits("nearby_offers", item.received_at_us):
        reason = "unknown_device" if device is None else "no_consent"
        return Admitted(refusals=_all(len(item.crossings), reason)), None
    reasons = [_refuse_crossing(one, item.received_at_us, world) for one in item.crossings]
    taken = tuple(one for one, reason in zip(item.crossings, reasons, strict=True) if reason is None)
    fresh, device = unseen_reports(device, taken, slot_of(phones, record, item.device_id), phones)
    if fresh:
        records[item.shopper_id] = record.with_device(device)
    refusals = tuple(Refusal(index=i, reason=reason) for i, reason in enumerate(reasons) if reason)
    kept = msgspec.structs.replace(item, crossings=fresh) if fresh else None
    return Admitted(accepted=len(taken), refusals=refusals), kept


def _refuse_crossing(crossing: Report, now_us: int, world: World) -> str | None:
    if world.fences.place_of_id(crossing.geofence) < 0:
        return "unknown_geofence"
    if crossing.at_us > now_us + FUTURE_US:
        return "in_future"
    return "too_old" if crossing.at_us < now_us - MAX_AGE_US else None


def admit_events(item: RecordEvents, record: Record) -> tuple[Admitted, RecordEvents | None]:
    """The browse events that she permits to be kept and that can be true."""
    if not record.shopper.permits("personalisation", item.received_at_us):
        return Admitted(refusals=_all(len(item.events), "no_consent")), None
    reasons = [refuse_event(event, item.received_at_us) for event in item.events]
    taken = tuple(event for event, reason in zip(item.events, reasons, strict=True) if reason is None)
    refusals = tuple(Refusal(index=i, reason=reason) for i, reason in enumerate(reasons) if reason)
    kept = msgspec.structs.replace(item, events=taken) if taken else None
    return Admitted(accepted=len(taken), refusals=refusals), kept


def _all(count: int, reason: str) -> tuple[Refusal, ...]:
    return tuple(Refusal(index=index, reason=reason) for index in range(count))
