"""Which inputs go into the journal, pings apart (`server/admit_pings.py`), and what is settled before them.

No I/O. It runs before anything is written, and again on replay, where it lets everything through unchanged.
"""

from collections.abc import Iterable, Mapping

import msgspec

from offers.event import refuse_event
from offers.shopper import Shopper, with_consents, with_preferences
from server.inputs import Input, RecordEvents, RegisterDevice, SetConsents, SetPreferences
from server.phones import Phones
from server.records import Device, Record, drop_record


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
    """The records after registrations, consents and preferences, and whose places are forgotten."""
    settled, forgotten = dict(records), set()
    for item in inputs:
        record = settled.get(item.shopper_id)
        if isinstance(item, RegisterDevice):
            record = record or Record(shopper=Shopper(shopper_id=item.shopper_id))
            if record.device(item.device_id) is None:
                record = record.with_device(Device(device_id=item.device_id))
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
            drop_record(record, phones)
            forgotten.add(item.shopper_id)
            cleared = [Device(device_id=device.device_id) for device in record.devices]
            record = msgspec.structs.replace(record, devices=tuple(cleared))
        settled[item.shopper_id] = record
    return settled, forgotten


def admit(item: Input, records: Mapping[str, Record]) -> tuple[Admitted, Input | None]:
    """Judges one input that is no ping against the settled records; what of it goes into the journal."""
    record = records.get(item.shopper_id)
    if record is None:  # her token outlived her: she was erased, or this is another database
        count = len(item.events) if isinstance(item, RecordEvents) else 0
        return Admitted(refusals=_all(count, "unknown_device")), None
    if isinstance(item, RecordEvents):
        return _admit_events(item, record)
    return Admitted(shopper_id=item.shopper_id), item


def _admit_events(item: RecordEvents, record: Record) -> tuple[Admitted, Input | None]:
    if not record.shopper.permits("personalisation", item.received_at_us):
        return Admitted(refusals=_all(len(item.events), "no_consent")), None
    reasons = [refuse_event(event, item.received_at_us) for event in item.events]
    taken = tuple(event for event, reason in zip(item.events, reasons, strict=True) if reason is None)
    refusals = tuple(Refusal(index=i, reason=reason) for i, reason in enumerate(reasons) if reason)
    kept = msgspec.structs.replace(item, events=taken) if taken else None
    return Admitted(accepted=len(taken), refusals=refusals), kept


def _all(count: int, reason: str) -> tuple[Refusal, ...]:
    return tuple(Refusal(index=index, reason=reason) for index in range(count))
