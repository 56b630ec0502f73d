"""One device as a value: its sightings put in order, judged again where a late one says so, and settled.

What counts is when a fix was measured, not when it arrived. Fixes newer than all that is known simply move on
from the open visits. A late one is put in its place and the window is judged again from its base; the
difference to what was told before is told now (`late`) or taken back (`retracted`).
"""

from collections.abc import Sequence

import msgspec

from geo.index import FenceSet
from geo.transition import DeviceState, Presence, Rules, Sensed, Sighting, Transition
from geo.walk import Walk, place_of, with_speeds
from geo.window import accepted, kept_us, merged


def move_on(state: DeviceState, arrived: Sequence[Sighting], fences: FenceSet, rules: Rules) -> Sensed:
    """Moves a device on by sightings that arrived together, in order of time."""
    good = accepted(state, arrived, rules)
    recent, changed = merged(state.recent, good, rules)
    if changed is None:
        return Sensed(state=state)
    newest_us = state.newest_us
    gone: list[Transition] = []
    if recent[-1].at_us > newest_us:
        state, gone = without_gone(state, recent[-1].at_us, fences, rules)
        recent, changed = merged(state.recent, good, rules)
        assert changed is not None
    if recent[changed].at_us > max(newest_us, state.clock_us):
        walk = _on(state, fences, rules)
        walk.see_all(recent[changed:])
        told = with_speeds(walk, (*state.window, *recent[changed:]), rules)
        wrong: list[Transition] = []
        present = walk.present
    else:
        walk, told, wrong, present = _revised(state, recent, fences, rules)
    moved = msgspec.structs.replace(state, present=present, recent=recent, doubts=walk.doubts)
    return Sensed(
        state=moved,
        transitions=tuple(sorted([*gone, *told], key=lambda one: one.at_us)),
        retracted=tuple(wrong),
        doubted=tuple(walk.doubted),
    )


def wake(state: DeviceState, now_us: int, fences: FenceSet, rules: Rules) -> Sensed:
    """Fires the timers of a device that are due, and ends its visits to fences that are gone."""
    state, gone = without_gone(state, now_us, fences, rules)
    walk = _on(state, fences, rules)
    walk.pass_time(now_us)
    if walk.told:
        state = msgspec.structs.replace(state, present=walk.present, clock_us=max(state.clock_us, now_us))
    told = [*gone, *with_speeds(walk, state.window, rules)]
    return Sensed(state=state, transitions=tuple(sorted(told, key=lambda one: one.at_us)))


def without_gone(
    state: DeviceState, at_us: int, fences: FenceSet, rules: Rules
) -> tuple[DeviceState, list[Transition]]:
    """Ends the visits to fences that are gone, and forgets that they were: nothing late revises them."""
    gone = {visit.geofence for visit in state.present if not _is_there(visit, fences)}
    if not gone:
        return state, []
    walk = _on(state, fences, rules)
    walk.drop_gone(at_us)
    recent = tuple(
        msgspec.structs.replace(one, inside=tuple(entry for entry in one.inside if entry[0] not in gone))
        for one in state.recent
    )
    base = tuple(visit for visit in state.base if visit.geofence not in gone)
    left = msgspec.structs.replace(state, present=walk.present, recent=recent, base=base)
    return left, with_speeds(walk, state.window, rules)


def settled(state: DeviceState, fences: FenceSet, rules: Rules) -> DeviceState:
    """The same device with no more of its past than may still be asked for.

    The window is cut at the newest believed sighting that is older than all that counts, which becomes the
    anchor; the visits open there become the base. It says the same to any further fix.
    """
    if state.last is None:
        return state
    oldest_us = state.newest_us - kept_us(rules)
    walk = _from_base(state, fences, rules)
    cut, base = None, state.base
    for place, sighting in enumerate(state.recent):
        spare = len(state.recent) - place > rules.window_fixes
        if sighting.at_us > oldest_us and not spare:
            break
        walk.see(sighting)
        if not walk.doubts:
            cut, base = place, walk.present
    if cut is None:
        return state
    alive = tuple(visit for visit in base if _is_there(visit, fences))
    return msgspec.structs.replace(
        state, anchor=state.recent[cut], recent=state.recent[cut + 1 :], base=alive
    )


def _on(state: DeviceState, fences: FenceSet, rules: Rules) -> Walk:
    """A walk from where a device is now."""
    return Walk(
        state.present,
        fences,
        rules,
        newest=state.last,
        believed=state.believed,
        doubts=state.doubts,
    )


def _from_base(state: DeviceState, fences: FenceSet, rules: Rules) -> Walk:
    """A walk from the beginning of a device's window."""
    return Walk(state.base, fences, rules, newest=state.anchor, believed=state.anchor)


def _revised(
    state: DeviceState, recent: tuple[Sighting, ...], fences: FenceSet, rules: Rules
) -> tuple[Walk, list[Transition], list[Transition], tuple[Presence, ...]]:
    """Judges the window again: the walk, what was not told, what was told wrongly, the visits open now."""
    newest_us = state.newest_us
    before = _from_base(state, fences, rules)
    before.see_all(state.recent, until_us=state.clock_us)
    after = _from_base(state, fences, rules)
    after.see_all(recent, until_us=state.clock_us)
    anchor = () if state.anchor is None else (state.anchor,)
    known = {transition.identity for transition in before.told}
    right = {transition.identity for transition in after.told}
    told = [
        msgspec.structs.replace(transition, late=transition.at_us < newest_us)
        for transition in with_speeds(after, (*anchor, *recent), rules)
        if transition.identity not in known and _is_there(transition, fences)
    ]
    wrong = [
        transition
        for transition in with_speeds(before, state.window, rules)
        if transition.identity not in right and _is_there(transition, fences)
    ]
    # Visits to fences that are gone stay as they are, until a newer fix or a timer ends them.
    gone = [visit for visit in state.present if not _is_there(visit, fences)]
    alive = [visit for visit in after.present if _is_there(visit, fences)]
    return after, told, wrong, tuple(sorted(gone + alive, key=lambda visit: visit.geofence))


def _is_there(one: Presence | Transition, fences: FenceSet) -> bool:
    return place_of(one, fences) is not None
