"""The fence engine: fixes and timers in, new device states and transitions out.

Matching is done for the whole micro-batch at once (`FenceSet.match`); Python looks at single fixes only to
append them to their device's window.

**Event time.** What counts is when a fix was measured, not when it arrived. Each device keeps a window: its
sightings of the last `lateness_s` before its newest fix, with the fences each lay in, and the visits that
were open before them. Fixes newer than all of it simply move on from the present visits. A late one is put
in its place and the window is run again; the difference to what was told before is told now (`late`) or
taken back (`retracted`). So, for fixes of different times, any order of arrival within the lateness, and any
repetition, ends in the same visits. A fix from before the window changes nothing.

Of several fixes with one time, `exact` mode keeps the first that arrived (as a replay of a sorted file does);
`accurate` mode keeps the most accurate (then the smallest latitude and longitude), whatever their order.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from geo.accuracy import SIGMA_PER_ACCURACY
from geo.batch import FixBatch
from geo.fix import SECOND_US
from geo.index import FenceSet
from geo.transition import DeviceState, Presence, Rules, Sensed, Sighting, Transition
from geo.visits import drop_gone, dwell_due_us, lost_at_us, run
from geo.window import in_window, measured_at_us, merged, speed_at

__all__ = ["FixBatch", "sense", "wake", "wake_at_us"]


def sense(states: Sequence[DeviceState], batch: FixBatch, fences: FenceSet, rules: Rules) -> list[Sensed]:
    """Moves devices on by a batch of their fixes; one answer per state, in order."""
    arrived: dict[int, list[Sighting]] = {}
    for device, sighting in zip(batch.device.tolist(), _sightings(batch, fences, rules), strict=True):
        arrived.setdefault(device, []).append(sighting)
    return [
        _move_on(state, arrived[device], fences, rules) if device in arrived else Sensed(state=state)
        for device, state in enumerate(states)
    ]


def wake(state: DeviceState, now_us: int, fences: FenceSet, rules: Rules) -> Sensed:
    """Fires the timers of a device that are due, and ends its visits to fences that are gone."""
    state, gone = _without_gone(state, now_us, fences, rules)
    present, due = run(state.present, (), now_us, fences, rules)
    if due:
        clock_us = max(state.clock_us, now_us)
        state = msgspec.structs.replace(state, present=present, clock_us=clock_us)
    return Sensed(state=state, transitions=_with_speeds([*gone, *due], state.recent))


def wake_at_us(state: DeviceState, fences: FenceSet, rules: Rules) -> int | None:
    """When `wake` has something to do for this device; None while it has no timer."""
    timers: list[int | None] = []
    for presence in state.present:
        fence = fences.by_id.get(presence.geofence)
        gone_us = presence.last.at_us if fence is None else None
        timers += [gone_us, dwell_due_us(presence, fence), lost_at_us(presence, rules)]
    return min((timer for timer in timers if timer is not None), default=None)


def _sightings(batch: FixBatch, fences: FenceSet, rules: Rules) -> Iterable[Sighting]:
    """The fixes of a batch, each with the fences it lies in."""
    inside: dict[int, tuple[tuple[str, str, float], ...]] = {}
    for fix, geofence, store, probability in _matches(batch, fences, rules):
        inside[fix] = (*inside.get(fix, ()), (geofence, store, probability))
    columns = (
        column.tolist()
        for column in (batch.fixed_at_us, batch.lat_deg, batch.lon_deg, batch.accuracy_m, batch.speed_mps)
    )
    for fix, (at_us, lat_deg, lon_deg, accuracy_m, speed_mps) in enumerate(zip(*columns, strict=True)):
        yield Sighting(
            at_us=at_us,
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            accuracy_m=_known(accuracy_m),
            speed_mps=_known(speed_mps),
            inside=inside.get(fix, ()),
        )


def _matches(batch: FixBatch, fences: FenceSet, rules: Rules) -> Iterable[tuple[int, str, str, float]]:
    fix, place = fences.match(batch.lat_deg, batch.lon_deg)
    if rules.mode == "exact":
        probability = np.ones(len(fix))
    else:
        accuracy_m = batch.accuracy_m[fix]
        sigma_m = np.where(np.isnan(accuracy_m), rules.default_accuracy_m, accuracy_m) * SIGMA_PER_ACCURACY
        probability = fences.probability_inside(batch.lat_deg[fix], batch.lon_deg[fix], place, sigma_m)
    for i, j, p in zip(fix.tolist(), place.tolist(), probability.tolist(), strict=True):
        fence = fences.fences[j]
        yield i, fence.external_id, fence.store, p


def _known(number: float) -> float | None:
    """None for NaN."""
    return None if number != number else number  # noqa: PLR0124  # NaN alone differs from itself


def _move_on(state: DeviceState, arrived: Sequence[Sighting], fences: FenceSet, rules: Rules) -> Sensed:
    """Moves one device on by its sightings, in order of arrival."""
    accepted = in_window(state, arrived, rules)
    recent, changed = merged(state.recent, accepted, rules)
    if changed is None:
        return Sensed(state=state)
    newest_us = state.newest_us
    gone: list[Transition] = []
    if recent[-1].at_us > newest_us:
        state, gone = _without_gone(state, recent[-1].at_us, fences, rules)
        recent = merged(state.recent, accepted, rules)[0] if gone else recent
    wrong: list[Transition] = []
    if recent[changed].at_us > max(newest_us, state.clock_us):
        present, told = run(state.present, recent[changed:], recent[-1].at_us, fences, rules)
    else:
        present, told, wrong = _revised(state, recent, fences, rules)
    moved = DeviceState(
        present=present, recent=recent, base=state.base, sealed_us=state.sealed_us, clock_us=state.clock_us
    )
    return Sensed(
        state=_settled(moved, fences, rules),
        transitions=_with_speeds([*gone, *told], recent),
        retracted=tuple(wrong),
    )


def _with_speeds(told: Sequence[Transition], recent: Sequence[Sighting]) -> tuple[Transition, ...]:
    """The transitions in order of time, with the speed the device had."""
    if not told:
        return ()
    in_order = sorted(told, key=lambda one: one.at_us)
    return tuple(msgspec.structs.replace(one, speed_mps=speed_at(recent, one.at_us)) for one in in_order)


def _without_gone(
    state: DeviceState, at_us: int, fences: FenceSet, rules: Rules
) -> tuple[DeviceState, list[Transition]]:
    """Ends the visits to fences that are gone, and forgets that they were: nothing late revises them."""
    if not state.present or all(visit.geofence in fences.by_id for visit in state.present):
        return state, []
    present, told = drop_gone(state.present, at_us, fences, rules)
    gone = {transition.geofence for transition in told}
    recent = tuple(
        msgspec.structs.replace(one, inside=tuple(entry for entry in one.inside if entry[0] not in gone))
        for one in state.recent
    )
    base = tuple(visit for visit in state.base if visit.geofence not in gone)
    return msgspec.structs.replace(state, present=present, recent=recent, base=base), told


def _revised(
    state: DeviceState, recent: tuple[Sighting, ...], fences: FenceSet, rules: Rules
) -> tuple[tuple[Presence, ...], list[Transition], list[Transition]]:
    """Runs the window again: the visits open now, what was not told yet, and what was told wrongly."""
    newest_us = state.newest_us
    _, before = run(state.base, state.recent, max(newest_us, state.clock_us), fences, rules)
    present, after = run(state.base, recent, max(recent[-1].at_us, state.clock_us), fences, rules)
    known = {transition.identity for transition in before}
    right = {transition.identity for transition in after}
    told = [
        msgspec.structs.replace(transition, late=transition.at_us < newest_us)
        for transition in after
        if transition.identity not in known and transition.geofence in fences.by_id
    ]
    wrong = [
        transition
        for transition in before
        if transition.identity not in right and transition.geofence in fences.by_id
    ]
    # Visits to fences that are gone stay as they are, until a newer fix or a timer ends them.
    gone = [visit for visit in state.present if visit.geofence not in fences.by_id]
    alive = [visit for visit in present if visit.geofence in fences.by_id]
    return tuple(sorted(gone + alive, key=lambda visit: visit.geofence)), told, wrong


def _settled(state: DeviceState, fences: FenceSet, rules: Rules) -> DeviceState:
    """Takes what can no longer change out of the window, into `base`.

    A quarter of the lateness at a time, which costs less than fix by fix.
    """
    recent = state.recent
    lateness_us = round(rules.lateness_s * SECOND_US)
    surplus = max(0, len(recent) - rules.window_fixes)
    if not surplus and recent[-1].at_us - recent[0].at_us <= lateness_us + lateness_us // 4:
        return state
    count = max(surplus, bisect_left(recent, recent[-1].at_us - lateness_us, key=measured_at_us))
    past = recent[:count]
    base, _ = run(state.base, past, past[-1].at_us, fences, rules)
    base = tuple(visit for visit in base if visit.geofence in fences.by_id)
    return msgspec.structs.replace(state, recent=recent[count:], base=base, sealed_us=past[-1].at_us)
