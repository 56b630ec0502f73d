"""Which inputs go into the journal: nothing without consent, nothing twice, nothing from a sensitive place.

No I/O. It runs before anything is written, and again on replay, where it lets everything through unchanged.
"""

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from geo.fix import FUTURE_US, MAX_AGE_US, MAX_BACKLOG_US, Fix, refuse_fix
from geo.fleet import Fleet
from geo.reported import Report
from offers.event import refuse_event
from offers.shopper import Shopper, with_consents, with_preferences
from server.device import Device
from server.inputs import (
    EraseShopper,
    Input,
    LeaveShopper,
    MoveDevice,
    RecordCrossings,
    RecordEvents,
    RecordFixes,
    RegisterDevice,
    SetConsents,
    SetPreferences,
    ShopperErased,
)
from server.moves import arrived, left
from server.records import Record, drop_record, unseen, unseen_reports
from server.world import World


class Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why one item of a request was not taken."""

    index: int  #: its place in the request
    reason: str


class Admitted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One input after admission."""

    input: Input | None  #: what to journal; None when nothing of it is left
    accepted: int = 0  #: items taken, those already known included
    refusals: tuple[Refusal, ...] = ()


def settle(
    inputs: Iterable[Input], records: Mapping[str, Record], fleet: Fleet
) -> tuple[dict[str, Record], set[str]]:
    """The records after erasures, registrations, consents and preferences, and whose places are forgotten."""
    settled, forgotten = dict(records), set()
    for item in inputs:
        record = settled.get(item.shopper_id)
        if isinstance(item, LeaveShopper):
            if record is not None:
                settled[item.shopper_id] = left(item, record, fleet)
            continue
        if isinstance(item, EraseShopper):
            if record is not None:
                drop_record(settled.pop(item.shopper_id), fleet)
            continue
        if isinstance(item, RegisterDevice):
            record = record or Record(shopper=Shopper(shopper_id=item.shopper_id))
            if isinstance(item, MoveDevice):
                record = arrived(item, record, fleet)
            elif record.device(item.device_id) is None:
                record = record.with_device(Device(device_id=item.device_id, trust=item.trust))
            shopper = with_consents(record.shopper, item.consents) if item.consents else record.shopper
        elif isinstance(item, SetConsents) and record is not None:
            shopper = with_consents(record.shopper, item.consents)
        elif isinstance(item, SetPreferences) and record is not None:
            shopper = with_preferences(record.shopper, item.preferences)
        else:
            continue
        record = record.with_shopper(shopper)
        if not shopper.permits("nearby_offers", item.received_at_us):
            # Where she was and is goes at once; no timer of hers can fire any more.
            drop_record(record, fleet)
            forgotten.add(item.shopper_id)
            cleared = [Device(device_id=device.device_id, trust=device.trust) for device in record.devices]
            record = msgspec.structs.replace(record, devices=tuple(cleared))
        settled[item.shopper_id] = record
    return settled, forgotten


def admit(item: Input, records: dict[str, Record], world: World) -> Admitted:
    """Judges one input against the settled records; notes in them which fixes are known now."""
    if isinstance(item, EraseShopper):
        return Admitted(input=ShopperErased(shopper_id="", received_at_us=item.received_at_us), accepted=1)
    record = records.get(item.shopper_id)
    if record is None:  # her token outlived her: she was erased, or this is another database
        count = max(len(item.fixes), 1) if isinstance(item, RecordFixes) else 0
        return Admitted(input=None, refusals=_all(count, "unknown_device"))
    if isinstance(item, RecordFixes):
        return _admit_fixes(item, record, records, world)
    if isinstance(item, RecordCrossings):
        return _admit_crossings(item, record, records, world)
    if isinstance(item, RecordEvents):
        return _admit_events(item, record)
    return Admitted(input=item)


def _admit_fixes(item: RecordFixes, record: Record, records: dict[str, Record], world: World) -> Admitted:
    device = record.device(item.device_id)
    if device is None:  # it is another shopper's now
        return Admitted(input=None, refusals=_all(max(len(item.fixes), 1), "unknown_device"))
    if not record.shopper.permits("nearby_offers", item.received_at_us):
        return Admitted(input=None, refusals=_all(len(item.fixes), "no_consent"))
    age_us = MAX_BACKLOG_US if item.backlog else MAX_AGE_US
    reasons = [refuse_fix(fix, now_us=item.received_at_us, max_age_us=age_us) for fix in item.fixes]
    good = [index for index, reason in enumerate(reasons) if reason is None]
    for index in _sensitive(good, item.fixes, world):
        reasons[index] = "sensitive_place"
    taken = tuple(fix for fix, reason in zip(item.fixes, reasons, strict=True) if reason is None)
    fresh, device = unseen(device, taken)
    if fresh:
        newest = max(fresh, key=lambda fix: fix.fixed_at_us)
        device = msgspec.structs.replace(device, mock=newest.mock)
    sensitive_at_us = item.sensitive_at_us
    if sensitive_at_us is None and not device.in_sensitive:
        sensitive_at_us = _quiet_at_us(item.fixes, reasons, world)
    in_sensitive = item.in_sensitive
    if in_sensitive is None:
        in_sensitive = reasons[-1] == "sensitive_place" if reasons else device.in_sensitive
    # A fence's name would tell where she is as well as a position.
    reports, device = unseen_reports(device, () if in_sensitive else _ours(item, world))
    if not fresh and not reports and in_sensitive == device.in_sensitive:
        kept = None
    else:
        device = msgspec.structs.replace(device, in_sensitive=in_sensitive)
        records[item.shopper_id] = record.with_device(device)
        kept = msgspec.structs.replace(
            item, fixes=fresh, reports=reports, sensitive_at_us=sensitive_at_us, in_sensitive=in_sensitive
        )
    return Admitted(
        input=kept,
        accepted=len(taken),
        refusals=tuple(Refusal(index=i, reason=reason) for i, reason in enumerate(reasons) if reason),
    )


def _ours(item: RecordFixes, world: World) -> tuple[Report, ...]:
    """The reports of fences that are published: a phone's others are its user's own, a home perhaps."""
    return tuple(
        one
        for one in item.reports
        if world.fences.place_of_id(one.geofence) >= 0
        and -MAX_BACKLOG_US < one.at_us - item.received_at_us < FUTURE_US
    )


def _sensitive(good: list[int], fixes: tuple[Fix, ...], world: World) -> list[int]:
    """Which of the good fixes lie in a sensitive place."""
    if not good or not len(world.sensitive):
        return []
    covered = world.sensitive.covers(*_positions([fixes[index] for index in good]))
    return [index for index, inside in zip(good, covered, strict=True) if inside]


def _quiet_at_us(fixes: tuple[Fix, ...], reasons: list[str | None], world: World) -> int | None:
    """The time of the first dropped fix at which a store would have had something to say."""
    dropped = [fix for fix, reason in zip(fixes, reasons, strict=True) if reason == "sensitive_place"]
    if not dropped:
        return None
    matched, _ = world.fences.match(*_positions(dropped))
    return dropped[int(matched[0])].fixed_at_us if len(matched) else None


def _positions(fixes: list[Fix]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return np.array([fix.lat_deg for fix in fixes]), np.array([fix.lon_deg for fix in fixes])


def _admit_crossings(
    item: RecordCrossings, record: Record, records: dict[str, Record], world: World
) -> Admitted:
    """The same for fences that a phone says it crossed."""
    device = record.device(item.device_id)
    if device is None or not record.shopper.permits("nearby_offers", item.received_at_us):
        reason = "unknown_device" if device is None else "no_consent"
        return Admitted(input=None, refusals=_all(len(item.crossings), reason))
    reasons = [_refuse_crossing(one, item.received_at_us, world) for one in item.crossings]
    taken = tuple(one for one, reason in zip(item.crossings, reasons, strict=True) if reason is None)
    fresh, device = unseen_reports(device, taken)
    if fresh:
        records[item.shopper_id] = record.with_device(device)
    return Admitted(
        input=msgspec.structs.replace(item, crossings=fresh) if fresh else None,
        accepted=len(taken),
        refusals=tuple(Refusal(index=i, reason=reason) for i, reason in enumerate(reasons) if reason),
    )


def _refuse_crossing(crossing: Report, now_us: int, world: World) -> str | None:
    if world.fences.place_of_id(crossing.geofence) < 0:
        return "unknown_geofence"
    if crossing.at_us > now_us + FUTURE_US:
        return "in_future"
    return "too_old" if crossing.at_us < now_us - MAX_AGE_US else None


def _admit_events(item: RecordEvents, record: Record) -> Admitted:
    if not record.shopper.permits("personalisation", item.received_at_us):
        return Admitted(input=None, refusals=_all(len(item.events), "no_consent"))
    reasons = [refuse_event(event, item.received_at_us) for event in item.events]
    taken = tuple(event for event, reason in zip(item.events, reasons, strict=True) if reason is None)
    return Admitted(
        input=msgspec.structs.replace(item, events=taken) if taken else None,
        accepted=len(taken),
        refusals=tuple(Refusal(index=i, reason=reason) for i, reason in enumerate(reasons) if reason),
    )


def _all(count: int, reason: str) -> tuple[Refusal, ...]:
    return tuple(Refusal(index=index, reason=reason) for index in range(count))
