"""What one micro-batch means: inputs and records in, new records, transitions and decisions out.

Pure: the live pipeline, the replay of a stored day and every test run these same two functions. `begin` does
all that needs no answer from outside; `decide_all` asks for those answers in the order of the moments.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from geo.engine import FixBatch, sense, wake
from geo.transition import Transition
from geo.window import speed_at
from offers.decide import decide, remembered
from offers.decision import Answers, Decision
from offers.hours import rfc3339
from offers.ids import derived_id
from offers.moment import Moment, Whereabouts, moment_from_transition, moments_from_event
from offers.shopper import with_event, with_outcome, with_redemption
from server.admit import Admitted, admit, settle
from server.inputs import Input, RecordEvents, RecordFixes, RecordOutcome, RecordRedemption, Wake
from server.records import Device, Record
from server.world import World


class Seen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A transition, with whose it is and when the server had the fix that caused it."""

    transition: Transition
    device_id: str
    shopper_id: str
    received_at_us: int


class Turn(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A micro-batch before its decisions."""

    admitted: list[Admitted]  #: one per input, in order
    records: dict[str, Record]  #: every record that was loaded, after the batch
    seen: list[Seen]
    retracted: list[Seen]
    moments: list[Moment]  #: in the order they are decided, each once

    @property
    def inputs(self) -> list[Input]:
        """What goes into the journal."""
        return [one.input for one in self.admitted if one.input is not None]


def begin(inputs: Sequence[Input], records: Mapping[str, Record], world: World) -> Turn:
    """Settles, admits, senses and notes; finds the moments."""
    settled = settle(inputs, records)
    admitted = [admit(item, settled, world) for item in inputs]
    kept = [one.input for one in admitted if one.input is not None]
    seen, retracted = _sense(kept, settled, world)
    _note(kept, settled)
    moments = (*_from_places(kept, seen, settled, world), *_from_events(kept, settled, world))
    once = {moment.moment_id: moment for moment in moments}
    return Turn(
        admitted=admitted, records=settled, seen=seen, retracted=retracted, moments=list(once.values())
    )


def decide_all(
    turn: Turn,
    moments: Iterable[Moment],
    world: World,
    answers: Answers,
    *,
    now_us: int,
    took: Callable[[Decision], None] = lambda _: None,
) -> list[Decision]:
    """Decides the moments one after the other; an offer counts for the next."""
    decisions = []
    for moment in moments:
        record = turn.records[moment.shopper_id]
        decision = decide(moment, record.shopper, world.catalogue, answers, salt=world.secret, now_us=now_us)
        if decision.chosen is not None:
            turn.records[moment.shopper_id] = record.with_shopper(remembered(record.shopper, decision))
            took(decision)
        decisions.append(decision)
    return decisions


def _sense(
    inputs: Iterable[Input], records: dict[str, Record], world: World
) -> tuple[list[Seen], list[Seen]]:
    """Runs all fixes of the batch through the fence engine at once, then the timers that are due."""
    received = {i.device_id: i for i in inputs if isinstance(i, RecordFixes)}
    places = {device_id: place for place, device_id in enumerate(received)}
    batch = FixBatch.of(
        (places[i.device_id], fix) for i in inputs if isinstance(i, RecordFixes) for fix in i.fixes
    )
    devices = [_device(records, i.shopper_id, i.device_id) for i in received.values()]
    seen: list[Seen] = []
    retracted: list[Seen] = []
    sensed = sense([device.state for device in devices], batch, world.fences, world.rules)
    for item, device, result in zip(received.values(), devices, sensed, strict=True):
        _put(records, item.shopper_id, msgspec.structs.replace(device, state=result.state))
        seen += _seen(result.transitions, item, device.device_id)
        retracted += _seen(result.retracted, item, device.device_id)
    for due in (i for i in inputs if isinstance(i, Wake)):
        for device in records[due.shopper_id].devices:
            result = wake(device.state, due.received_at_us, world.fences, world.rules)
            _put(records, due.shopper_id, msgspec.structs.replace(device, state=result.state))
            seen += _seen(result.transitions, due, device.device_id)
    return seen, retracted


def _note(inputs: Iterable[Input], records: dict[str, Record]) -> None:
    """Lets browse events, outcomes and redemptions into the shoppers' states."""
    for item in inputs:
        record = records[item.shopper_id]
        shopper = record.shopper
        if isinstance(item, RecordEvents):
            for event in item.events:
                shopper = with_event(shopper, event, now_us=item.received_at_us)
        elif isinstance(item, RecordRedemption):
            shopper = with_redemption(shopper, item.offer, at_us=item.received_at_us, sku=item.sku)
        elif isinstance(item, RecordOutcome):
            shopper = with_outcome(shopper, item.decision_id, item.outcome)
        else:
            continue
        records[item.shopper_id] = record.with_shopper(shopper)


def _from_places(
    inputs: Iterable[Input], seen: Iterable[Seen], records: Mapping[str, Record], world: World
) -> Iterator[Moment]:
    """Moments of shoppers who come near, and those in which the place or the fix asks for silence."""
    fixes = [item for item in inputs if isinstance(item, RecordFixes)]
    mocked = {(item.device_id, fix.fixed_at_us) for item in fixes for fix in item.fixes if fix.mock}
    for one in seen:
        device = _device(records, one.shopper_id, one.device_id)
        if device.in_sensitive:
            continue  # a timer of a store that she left for a place nobody is to know of
        visits = {(presence.geofence, presence.entered_at_us) for presence in device.state.present}
        moment = moment_from_transition(
            one.transition,
            world.catalogue,
            retailer_id=world.retailer_id,
            shopper_id=one.shopper_id,
            device_id=one.device_id,
            received_at_us=one.received_at_us,
            mock=(one.device_id, one.transition.at_us) in mocked,
            left=(one.transition.geofence, one.transition.entered_at_us) not in visits,
        )
        if moment is not None:
            yield moment
    for item in {item.device_id: item for item in fixes if item.fixes}.values():
        yield from _too_coarse(item, _device(records, item.shopper_id, item.device_id), world)
    for item in fixes:
        if item.sensitive_at_us is not None:
            yield _sensitive_moment(item, item.sensitive_at_us, world)


def _too_coarse(item: RecordFixes, device: Device, world: World) -> Iterator[Moment]:
    """Silent moments of a newest fix in fences that it is too coarse to enter: one an hour and store."""
    last, settings = device.state.last, world.catalogue.settings
    if last is None or last.accuracy_m is None or last.accuracy_m <= settings.low_accuracy_m:
        return
    visited = {presence.store for presence in device.state.present}
    for geofence, store, _ in last.inside:
        if store in visited:
            continue
        hour = last.at_us // 3_600_000_000
        yield Moment(
            moment_id=derived_id("mom", world.retailer_id, device.device_id, store, "fix", hour),
            shopper_id=item.shopper_id,
            device_id=device.device_id,
            store=store,
            geofence=geofence,
            trigger="fix",
            at_us=last.at_us,
            received_at_us=item.received_at_us,
            entered_at_us=last.at_us,
            accuracy_m=last.accuracy_m,
            evidence=({"kind": "fix", "geofence": geofence, "at": rfc3339(last.at_us)},),
        )


def _from_events(inputs: Iterable[Input], records: Mapping[str, Record], world: World) -> Iterator[Moment]:
    """Moments of shoppers who look at something while they are at a store."""
    for item in inputs:
        if not isinstance(item, RecordEvents):
            continue
        devices = [device for device in records[item.shopper_id].devices if device.state.present]
        here = [one for device in devices if not device.in_sensitive for one in _whereabouts(device)]
        for event in item.events:
            yield from moments_from_event(
                event,
                here,
                world.catalogue,
                retailer_id=world.retailer_id,
                shopper_id=item.shopper_id,
                received_at_us=item.received_at_us,
            )
            if any(device.in_sensitive for device in devices):
                yield _sensitive_moment(item, event.at_us, world)


def _whereabouts(device: Device) -> list[Whereabouts]:
    return [
        Whereabouts(
            device_id=device.device_id,
            presence=presence,
            speed_mps=speed_at(device.state.recent, presence.last.at_us),
            mock=device.mock,
        )
        for presence in device.state.present
    ]


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


def _put(records: dict[str, Record], shopper_id: str, device: Device) -> None:
    records[shopper_id] = records[shopper_id].with_device(device)


def _seen(transitions: Iterable[Transition], item: RecordFixes | Wake, device_id: str) -> list[Seen]:
    return [
        Seen(
            transition=transition,
            device_id=device_id,
            shopper_id=item.shopper_id,
            received_at_us=item.received_at_us,
        )
        for transition in transitions
    ]
