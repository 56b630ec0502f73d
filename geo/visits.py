"""Visits over time: runs the transition table over a device's sightings."""

from collections.abc import Iterable, Sequence

import msgspec

from geo.accuracy import SIGMA_PER_ACCURACY, probability_beyond
from geo.fence import Fence
from geo.fix import SECOND_US
from geo.index import FenceSet
from geo.transition import TABLE, Presence, Rules, Sighting, Sign, State, Transition

#: How sure an exit is that is told because nothing was heard any more.
LOST_CONFIDENCE = 0.5


def run(
    present: Sequence[Presence], sightings: Sequence[Sighting], until_us: int, fences: FenceSet, rules: Rules
) -> tuple[tuple[Presence, ...], list[Transition]]:
    """Walks through sightings in order of time, and on to `until_us`. Fences that are gone are left alone.

    Returns the visits open then, by geofence, and what happened on the way, in order of time, without speeds.
    """
    if not present and not any(sighting.inside for sighting in sightings):
        return (), []
    walk = _Walk(present, fences, rules)
    for sighting in sightings:
        walk.see(sighting)
    if not sightings or until_us > sightings[-1].at_us:
        walk.pass_time(until_us, has_fix=False)
    walk.told.sort(key=lambda transition: transition.at_us)
    return walk.present, walk.told


def drop_gone(
    present: Sequence[Presence], at_us: int, fences: FenceSet, rules: Rules
) -> tuple[tuple[Presence, ...], list[Transition]]:
    """Ends the visits to fences that were deleted or disabled."""
    walk = _Walk(present, fences, rules)
    walk.drop_gone(at_us)
    return walk.present, walk.told


def dwell_due_us(presence: Presence, fence: Fence | None) -> int | None:
    """When a visit will have lasted long enough; None when it has dwelled or its fence is gone."""
    if fence is None or presence.dwelled:
        return None
    return presence.entered_at_us + round(fence.dwell_s * SECOND_US)


def lost_at_us(presence: Presence, rules: Rules) -> int | None:
    """When a visit ends if no further fix supports it; None in exact mode."""
    if rules.mode == "exact":
        return None
    return presence.last.at_us + round(rules.presence_timeout_s * SECOND_US)


class _Walk:
    """One run: the visits open at a point of it, and what was told so far."""

    def __init__(self, present: Iterable[Presence], fences: FenceSet, rules: Rules) -> None:
        self._present = {presence.geofence: presence for presence in present}
        self._fences = fences
        self._rules = rules
        self.told: list[Transition] = []

    @property
    def present(self) -> tuple[Presence, ...]:
        return tuple(sorted(self._present.values(), key=lambda visit: visit.geofence))

    def see(self, sighting: Sighting) -> None:
        """Timers due by the sighting, then the exits it causes, then the enters."""
        if self._present:
            self.pass_time(sighting.at_us, has_fix=True)
            inside = {geofence: probability for geofence, _, probability in sighting.inside}
            for visit in list(self._present.values()):
                self._judge(visit, sighting, inside.get(visit.geofence))
        for geofence, store, probability in sighting.inside:
            if geofence not in self._present and self._enters(sighting, probability):
                arrived = Presence(
                    geofence=geofence,
                    store=store,
                    entered_at_us=sighting.at_us,
                    last=sighting,
                    confidence=probability,
                )
                self._apply(Sign.INSIDE, arrived, sighting.at_us)
                self._dwell(arrived, sighting.at_us)

    def pass_time(self, until_us: int, *, has_fix: bool) -> None:
        """Fires the timers due by `until_us`. Where a fix has that very time, it still saves a visit."""
        for visit in list(self._present.values()):
            lost_us = lost_at_us(visit, self._rules)
            self._dwell(visit, until_us if lost_us is None else min(until_us, lost_us))
            if lost_us is not None and (lost_us < until_us or (lost_us == until_us and not has_fix)):
                lost = self._present[visit.geofence]
                left_us = max(lost.last.at_us, lost.dwelled_at_us or 0)
                self._apply(Sign.LOST, lost, left_us, confidence=LOST_CONFIDENCE)

    def _dwell(self, visit: Presence, until_us: int) -> None:
        due_us = dwell_due_us(visit, self._fences.by_id.get(visit.geofence))
        if due_us is not None and due_us <= until_us:
            self._apply(Sign.DWELL_DUE, visit, due_us)

    def drop_gone(self, at_us: int) -> None:
        """Ends the visits to fences that were deleted or disabled."""
        for visit in self.present:
            if visit.geofence not in self._fences.by_id:
                self._apply(Sign.GONE, visit, max(at_us, visit.last.at_us), confidence=1.0)

    def _enters(self, sighting: Sighting, probability: float) -> bool:
        rules = self._rules
        if rules.mode == "exact":
            return True
        return probability >= rules.enter_at and (sighting.accuracy_m or 0.0) <= rules.coarse_m

    def _judge(self, visit: Presence, sighting: Sighting, probability: float | None) -> None:
        """What a sighting says about an open visit; `probability` is None when it lies outside the fence."""
        exact = self._rules.mode == "exact"
        fence = self._fences.by_id.get(visit.geofence)
        if probability is not None:
            if exact or probability > self._rules.exit_at:
                self._present[visit.geofence] = _supported(visit, sighting, probability)
        elif fence is not None:
            inside = 0.0 if exact else _probability_inside_still(fence, sighting, self._rules)
            if inside <= self._rules.exit_at:
                self._apply(Sign.OUTSIDE, visit, sighting.at_us, sighting=sighting, confidence=1 - inside)

    def _apply(
        self,
        sign: Sign,
        visit: Presence,
        at_us: int,
        *,
        sighting: Sighting | None = None,
        confidence: float | None = None,
    ) -> None:
        """Looks a sign up in the table and does what it says.

        The visit's own last sighting and confidence are told where no others are given.
        """
        next_state, kind = TABLE[self._state(visit), sign]
        if next_state is State.OUTSIDE:
            del self._present[visit.geofence]
        elif next_state is State.DWELLED:
            self._present[visit.geofence] = msgspec.structs.replace(visit, dwelled_at_us=at_us)
        else:
            self._present[visit.geofence] = visit
        cause = sighting or visit.last
        self.told.append(
            Transition(
                kind=kind,
                geofence=visit.geofence,
                store=visit.store,
                at_us=at_us,
                lat_deg=cause.lat_deg,
                lon_deg=cause.lon_deg,
                entered_at_us=visit.entered_at_us,
                accuracy_m=cause.accuracy_m,
                confidence=visit.confidence if confidence is None else confidence,
            )
        )

    def _state(self, visit: Presence) -> State:
        if visit.geofence not in self._present:
            return State.OUTSIDE
        return State.DWELLED if visit.dwelled else State.INSIDE


def _supported(visit: Presence, sighting: Sighting, probability: float) -> Presence:
    return Presence(
        geofence=visit.geofence,
        store=visit.store,
        entered_at_us=visit.entered_at_us,
        last=sighting,
        confidence=probability,
        dwelled_at_us=visit.dwelled_at_us,
    )


def sigma_m(accuracy_m: float | None, rules: Rules) -> float:
    """The spread of the true position around a fix, along each axis."""
    return (rules.default_accuracy_m if accuracy_m is None else accuracy_m) * SIGMA_PER_ACCURACY


def _probability_inside_still(fence: Fence, sighting: Sighting, rules: Rules) -> float:
    """P(inside) of a fix that lies outside."""
    outside_m = fence.distance_m(sighting.lat_deg, sighting.lon_deg)
    return probability_beyond(outside_m, sigma_m(sighting.accuracy_m, rules))
