"""Visits over time: runs the transition table over one device's sightings, one after the other."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import msgspec

from geo.accuracy import probability_beyond, sigma_one_m, sigmas_beyond
from geo.crossing import crossed
from geo.fix import SECOND_US
from geo.index import FenceSet
from geo.motion import Doubt, doubt
from geo.speed import drove_through, speed_at
from geo.transition import TABLE, Presence, Rules, Sighting, Sign, State, Transition
from geo.window import kept_us, measured_at_us

FOREVER = 2**63 - 1
#: How sure an exit is that is told because nothing was heard any more: of phones that went on moving, 90 %
#: had left by then, of phones that slept where they lay, none.
LOST_CONFIDENCE = 0.5
#: The surest that `accurate` mode is. However clear a fix, its accuracy may be wrong: of the clearest, one
#: transition in twenty was not true at its time.
MOST_SURE = 0.95


class Walk:
    """A device on its way: the visits open at a point of it, and what was told so far."""

    def __init__(
        self,
        present: Iterable[Presence],
        fences: FenceSet,
        rules: Rules,
        *,
        newest: Sighting | None,
        believed: Sighting | None,
        doubts: int = 0,
    ) -> None:
        """Goes on from the device's newest sighting and from its newest believed one.

        The latest `doubts` are doubted. Where a visit is open there is a newest sighting: what time alone
        brings about (a dwell, a visit lost) is told with the newest one by then.
        """
        self.newest, self.believed, self.doubts = newest, believed, doubts
        self.told: list[Transition] = []  #: without the speeds that must be derived: see `with_speeds`
        self.told_us: list[int] = []  #: the time of the sighting with which each was told
        self.doubted: list[Doubt] = []  #: why sightings were
        self._visits = {visit.geofence: visit for visit in present}
        self._fences, self._rules = fences, rules
        self._now_us = -1 if newest is None else newest.at_us

    @property
    def present(self) -> tuple[Presence, ...]:
        """The visits open now, by geofence."""
        return tuple(sorted(self._visits.values(), key=lambda visit: visit.geofence))

    def see_all(self, sightings: Iterable[Sighting], *, until_us: int = -1) -> None:
        """Walks through sightings in order of time, and on to `until_us` if that is later."""
        at_us = -1
        for sighting in sightings:
            self.see(sighting)
            at_us = sighting.at_us
        if until_us > at_us:
            self.pass_time(until_us)

    def see(self, sighting: Sighting) -> None:
        """Timers due by the sighting, then the exits it causes, then the enters."""
        self._now_us = sighting.at_us
        exact = self._rules.mode == "exact"
        if not exact and self._doubts(sighting):
            self.pass_time(sighting.at_us)
            self.newest = sighting
            return
        self.pass_time(sighting.at_us, saved=True)
        before, self.newest, self.believed, self.doubts = self.believed, sighting, sighting, 0
        if before is not None and not exact:
            self._pass_by(before, sighting)
        inside = {geofence: probability for geofence, _, probability in sighting.inside}
        for visit in list(self._visits.values()):
            self._judge(visit, sighting, inside.get(visit.geofence))
        for geofence, store, probability in sighting.inside:
            if geofence not in self._visits and self._enters(sighting, probability):
                self._enter(geofence, store, sighting, probability)

    def _doubts(self, sighting: Sighting) -> bool:
        """Whether the sighting is not to be believed; then it says nothing about any fence."""
        reason = doubt(self.believed, self.doubts, sighting, unknown_m=self._rules.default_accuracy_m)
        if reason is None:
            return False
        self.doubts += 1
        self.doubted.append(reason)
        return True

    def _pass_by(self, before: Sighting, sighting: Sighting) -> None:
        """Tells of the fences that the way between two sightings led through."""
        for one in crossed(before, sighting, self._fences, self._rules):
            geofence, store = self._fences.roll.name(int(self._fences.number[one.place]))
            if geofence not in self._visits:
                next_state, kind = TABLE[State.OUTSIDE, Sign.PASSED]
                assert next_state is State.OUTSIDE
                self._tell(
                    Transition(
                        kind=kind,
                        geofence=geofence,
                        store=store,
                        at_us=one.at_us,
                        lat_deg=one.lat_deg,
                        lon_deg=one.lon_deg,
                        entered_at_us=one.at_us,
                        speed_mps=one.speed_mps,
                        confidence=min(one.confidence, MOST_SURE),
                    )
                )

    def pass_time(self, until_us: int, *, saved: bool = False) -> None:
        """Fires the timers due by `until_us`. Where a fix has that very time (`saved`), it saves a visit."""
        for visit in list(self._visits.values()):
            lost_us, ends_us = lost_at_us(visit, self._rules), ends_at_us(visit, self._fences)
            self._dwell(visit, min(at for at in (until_us, lost_us, ends_us) if at is not None))
            open_ = self._visits[visit.geofence]
            if ends_us is not None and ends_us <= until_us and (lost_us is None or ends_us <= lost_us):
                self._apply(Sign.GONE, open_, ends_us, confidence=1.0)
            elif lost_us is not None and (lost_us < until_us or (lost_us == until_us and not saved)):
                left_us = max(open_.supported_at_us, open_.dwelled_at_us or 0)
                self._apply(Sign.LOST, open_, left_us, confidence=LOST_CONFIDENCE)

    def drop_gone(self, at_us: int) -> None:
        """Ends the visits to fences that were deleted or disabled."""
        for visit in self.present:
            if place_of(visit, self._fences) is None:
                self._apply(Sign.GONE, visit, max(at_us, visit.supported_at_us), confidence=1.0)

    def _enter(self, geofence: str, store: str, sighting: Sighting, probability: float) -> None:
        visit = Presence(
            geofence=geofence,
            store=store,
            entered_at_us=sighting.at_us,
            entered_lat_deg=sighting.lat_deg,
            entered_lon_deg=sighting.lon_deg,
            supported_at_us=sighting.at_us,
            confidence=probability,
        )
        self._apply(Sign.INSIDE, visit, sighting.at_us)
        self._dwell(visit, sighting.at_us)

    def _dwell(self, visit: Presence, until_us: int) -> None:
        due_us = dwell_due_us(visit, self._fences)
        if due_us is not None and due_us <= until_us:
            self._apply(Sign.DWELL_DUE, visit, due_us)

    def _enters(self, sighting: Sighting, probability: float) -> bool:
        rules = self._rules
        if rules.mode == "exact":
            return True
        return probability >= rules.enter_at and (sighting.accuracy_m or 0.0) <= rules.coarse_m

    def _judge(self, visit: Presence, sighting: Sighting, probability: float | None) -> None:
        """What a sighting says about an open visit; `probability` is None when it lies outside the fence."""
        exact = self._rules.mode == "exact"
        if probability is not None:
            if exact or probability >= self._rules.doubt_at:
                self._visits[visit.geofence] = msgspec.structs.replace(
                    visit, supported_at_us=sighting.at_us, doubted_at_us=None
                )
        elif (place := place_of(visit, self._fences)) is not None:
            if exact:
                self._apply(Sign.OUTSIDE, visit, sighting.at_us, confidence=1.0)
            else:
                self._doubt(visit, sighting, place)

    def _doubt(self, visit: Presence, sighting: Sighting, place: int) -> None:
        """Ends a visit if a sighting outside is clear, or if contrary ones have come for long enough."""
        rules = self._rules
        outside_m = self._fences.boundary_gap_one(sighting.lat_deg, sighting.lon_deg, place)
        sigma_m = sigma_one_m(sighting.accuracy_m, rules.default_accuracy_m)
        if outside_m < sigmas_beyond(rules.doubt_at) * sigma_m:
            return
        since_us = sighting.at_us if visit.doubted_at_us is None else visit.doubted_at_us
        clear = outside_m >= sigmas_beyond(rules.exit_at) * sigma_m
        if clear or sighting.at_us - since_us >= round(rules.settle_s * SECOND_US):
            left_us = max(since_us, visit.dwelled_at_us or 0)
            self._leave(visit, sighting, left_us, confidence=1 - probability_beyond(outside_m, sigma_m))
        else:
            self._visits[visit.geofence] = msgspec.structs.replace(visit, doubted_at_us=since_us)

    def _leave(self, visit: Presence, sighting: Sighting, left_us: int, *, confidence: float) -> None:
        """Ends a visit; where the device drove through the fence, that is told too."""
        self._apply(Sign.OUTSIDE, visit, left_us, confidence=confidence)
        if visit.dwelled:
            return
        entered = visit.entered_at_us, visit.entered_lat_deg, visit.entered_lon_deg
        if drove_through(*entered, sighting, unknown_m=self._rules.default_accuracy_m) is not None:
            self._apply(Sign.PASSED, visit, left_us, confidence=confidence)

    def _apply(self, sign: Sign, visit: Presence, at_us: int, *, confidence: float | None = None) -> None:
        """Looks a sign up in the table and does what it says. Tells the visit's own confidence by default."""
        next_state, kind = TABLE[self._state(visit), sign]
        if next_state is State.OUTSIDE:
            self._visits.pop(visit.geofence, None)
        elif next_state is State.DWELLED:
            self._visits[visit.geofence] = msgspec.structs.replace(visit, dwelled_at_us=at_us)
        else:
            self._visits[visit.geofence] = visit
        confidence = visit.confidence if confidence is None else confidence
        cause = self.newest
        assert cause is not None  # a visit began with one
        self._tell(
            Transition(
                kind=kind,
                geofence=visit.geofence,
                store=visit.store,
                at_us=at_us,
                lat_deg=cause.lat_deg,
                lon_deg=cause.lon_deg,
                entered_at_us=visit.entered_at_us,
                accuracy_m=cause.accuracy_m,
                confidence=confidence if self._rules.mode == "exact" else min(confidence, MOST_SURE),
            )
        )

    def _tell(self, transition: Transition) -> None:
        self.told.append(transition)
        self.told_us.append(self._now_us)

    def _state(self, visit: Presence) -> State:
        if visit.geofence not in self._visits:
            return State.OUTSIDE
        return State.DWELLED if visit.dwelled else State.INSIDE


def place_of(one: Presence | Transition, fences: FenceSet) -> int | None:
    """The place of a visit's fence; None if it is gone, disabled or another store's now."""
    place = fences.place_of_one(fences.roll.number(one.geofence, one.store))
    return None if place < 0 else place


def dwell_due_us(visit: Presence, fences: FenceSet) -> int | None:
    """When a visit will have lasted long enough; None when it has dwelled or its fence is gone."""
    place = None if visit.dwelled else place_of(visit, fences)
    return None if place is None else visit.entered_at_us + int(fences.dwell_us[place])


def ends_at_us(visit: Presence, fences: FenceSet) -> int | None:
    """When a visit to a temporary fence ends in any case."""
    place = place_of(visit, fences) if fences.temporary else None
    until_us = FOREVER if place is None else fences.validity_us(place)[1]
    return None if until_us == FOREVER else until_us


def lost_at_us(visit: Presence, rules: Rules) -> int | None:
    """When a visit ends if no further fix supports it; None in exact mode."""
    if rules.mode == "exact":
        return None
    return visit.supported_at_us + round(rules.presence_timeout_s * SECOND_US)


def with_speeds(walk: Walk, seen: Sequence[Sighting], rules: Rules) -> list[Transition]:
    """What a walk told, in order of time, with the speeds that the sightings by then imply.

    Sightings older than all that is remembered for sure do not count: otherwise the answer would depend on
    how many more happen to be.
    """
    found = []
    for one, told_us in zip(walk.told, walk.told_us, strict=True):
        begin = bisect_left(seen, told_us - kept_us(rules), key=measured_at_us)
        speed_mps = one.speed_mps
        if speed_mps is None:
            speed_mps = speed_at(seen[begin:], one.at_us, unknown_m=rules.default_accuracy_m)
        found.append(msgspec.structs.replace(one, speed_mps=speed_mps))
    return sorted(found, key=lambda one: one.at_us)
