"""The walk of `geo.walk`, for many devices at once: one fix of each a round.

Both say the same of the same fixes (a property test holds them together); this one is an order of magnitude
faster for hundreds of devices, the other one for a few. What it costs is how many arrays it makes, whatever
their lengths.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from geo.accuracy import sigmas_beyond
from geo.distance import FloatArray, IndexArray
from geo.fences.ranges import numbers
from geo.fix import SECOND_US
from geo.fleet import Fleet
from geo.index import FenceSet
from geo.layout import FOREVER, NEVER, NOWHERE, UNSTEADY, VISIT_DTYPE, sums
from geo.rows import Records
from geo.speed import drives_through
from geo.told import DWELL, ENTER, EXIT, PASS_BY, Part
from geo.transition import Rules
from geo.walk import LOST_CONFIDENCE

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Round(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A fix of each of some devices, newer than all before it of that device, and the fences it lies in."""

    slot: Integers
    row: Integers  #: of the fix's sighting
    seen: Records  #: the sighting
    sigma_m: FloatArray  #: its spread; not in `exact` mode
    supported_us: Integers  #: all open visits were supported by a fix of that time, if not by a later one
    of: Integers  #: of each fence a fix lies in: the fix's place in the round, ascending
    place: IndexArray  #: … the fence's place in the set
    number: IndexArray  #: … its number
    probability: FloatArray  #: … how probably the device is inside


def judge(fleet: Fleet, fixes: Round, fences: FenceSet, rules: Rules) -> list[Part]:
    """Runs the transition table over a round, and tells what happened; no fence of an open visit is gone."""
    going = _Going(fleet, fixes, fences, rules)
    going.pass_time()
    new = going.meet()
    going.leave()
    going.enter(_sure(fixes, new, rules))
    going.write()
    return going.told


class _Going:
    """The open visits of a round's devices: what time and the fixes do to them."""

    def __init__(self, fleet: Fleet, fixes: Round, fences: FenceSet, rules: Rules) -> None:
        self._device = fleet.devices.take(fixes.slot)
        count = self._device["visit_count"].astype(np.int64)
        self._of = np.arange(len(count)).repeat(count)  #: whose visit it is: a place in the round
        self._row = numbers(self._device["visits"].astype(np.int64), count)
        self._visit = visit = fleet.visits.take(self._row)
        self._at_us = fixes.seen["at_us"].take(self._of)
        np.maximum(visit["supported_at_us"], fixes.supported_us.take(self._of), out=visit["supported_at_us"])
        self._number = visit["number"].copy()
        self._over = np.zeros(len(self._of), bool)  #: visits that have ended
        self._met = np.zeros(len(self._of), bool)  #: visits whose fence holds the fix
        self._new: tuple[Records, Integers]  #: visits that begin, and whose
        self._fleet, self._fixes, self._fences, self._rules = fleet, fixes, fences, rules
        self.told: list[Part] = []

    def pass_time(self) -> None:
        """Fires the timers due by the fixes; a fix of a visit's very last moment still saves it."""
        visit, until_us = self._visit, self._at_us
        exact = self._rules.mode == "exact"
        if not exact:
            lost_us = visit["supported_at_us"] + round(self._rules.presence_timeout_s * SECOND_US)
            lost = (lost_us < until_us).nonzero()[0]
            until_us = np.minimum(until_us, lost_us)
        dwells = (visit["due_us"] <= until_us).nonzero()[0]
        due_us = visit["due_us"].take(dwells)
        visit["dwelled_at_us"][dwells], visit["due_us"][dwells] = due_us, FOREVER
        self._tell(DWELL, dwells, due_us, before=True)
        if exact or not len(lost):
            return
        self._over[lost] = True
        left_us = np.maximum(visit["supported_at_us"], visit["dwelled_at_us"]).take(lost)
        self._tell(EXIT, lost, left_us, confidence=LOST_CONFIDENCE, before=True)

    def meet(self) -> Integers:
        """Lets the fixes support the visits to the fences they lie in. The pairs that have no visit."""
        fixes, visit = self._fixes, self._visit
        if not len(visit) or not len(fixes.of):
            return np.arange(len(fixes.of))
        key = _key(self._of, self._number)  # ascending, as visits lie
        wanted = _key(fixes.of, fixes.number)
        found = key.searchsorted(wanted)
        np.minimum(found, len(key) - 1, out=found)
        met = key.take(found) == wanted
        if self._rules.mode == "accurate":
            met &= ~self._over.take(found)
        pair = met.nonzero()[0]
        found = found.take(pair)
        self._met[found] = True
        if self._rules.mode == "accurate":
            found = found[fixes.probability.take(pair) >= self._rules.doubt_at]
            visit["doubted_at_us"][found] = NEVER
        visit["supported_at_us"][found] = self._at_us.take(found)
        return np.asarray((~met).nonzero()[0])

    def leave(self) -> None:
        """Ends the visits that the fixes have left."""
        outside = (~(self._met | self._over)).nonzero()[0]
        if not len(outside):
            return
        if self._rules.mode == "exact":
            self._over[outside] = True
            self._tell(EXIT, outside, self._at_us.take(outside), confidence=1.0)
        else:
            self._doubt(outside)

    def _doubt(self, outside: Integers) -> None:
        """Ends visits that a fix has left clearly, or that contrary ones have spoken against for long."""
        rules, doubted_us = self._rules, self._visit["doubted_at_us"]
        of = self._of.take(outside)
        seen, sigma = self._fleet.sightings.pick(self._fixes.seen, of), self._fixes.sigma_m.take(of)
        place = self._fences.place_of_number(self._number.take(outside))
        outside_m = self._fences.boundary_gap_m(seen["lat_deg"], seen["lon_deg"], place)
        contrary = (outside_m >= sigmas_beyond(rules.doubt_at) * sigma).nonzero()[0]
        if not len(contrary):
            return
        outside, sigma, outside_m = outside.take(contrary), sigma.take(contrary), outside_m.take(contrary)
        at_us, since_us = self._at_us.take(outside), doubted_us.take(outside)
        np.copyto(since_us, at_us, where=since_us == NEVER)
        doubted_us[outside] = since_us
        leaves = outside_m >= sigmas_beyond(rules.exit_at) * sigma
        leaves |= at_us - since_us >= round(rules.settle_s * SECOND_US)
        left = leaves.nonzero()[0]
        if not len(left):
            return
        leaving = outside.take(left)
        self._over[leaving] = True
        left_us = np.maximum(since_us.take(left), self._visit["dwelled_at_us"].take(leaving))
        outside_sigma = outside_m.take(left) / sigma.take(left)
        self._tell(EXIT, leaving, left_us, outside_sigma=outside_sigma)
        driven = self._drove_through(leaving)
        self._tell(PASS_BY, leaving[driven], left_us[driven], outside_sigma=outside_sigma[driven])

    def _drove_through(self, leaving: Integers) -> Integers:
        """Which of some visits that end were driven through."""
        brief = (self._visit["dwelled_at_us"].take(leaving) == NEVER).nonzero()[0]
        leaving = leaving.take(brief)
        visit = self._fleet.visits.pick(self._visit, leaving)
        seen = self._fleet.sightings.pick(self._fixes.seen, self._of.take(leaving))
        speed_mps = drives_through(
            entered_lat_deg=visit["entered_lat_deg"],
            entered_lon_deg=visit["entered_lon_deg"],
            entered_at_us=visit["entered_at_us"],
            left_lat_deg=seen["lat_deg"],
            left_lon_deg=seen["lon_deg"],
            left_accuracy_m=seen["accuracy_m"].astype(np.float64),
            left_at_us=seen["at_us"],
            unknown_m=self._rules.default_accuracy_m,
        )
        return np.asarray(brief[speed_mps > 0])

    def enter(self, new: Integers) -> None:
        """Begins visits; where there is no dwell to wait for, it comes at once."""
        fixes, of = self._fixes, self._fixes.of.take(new)
        seen = self._fleet.sightings.pick(fixes.seen, of)
        visit = np.empty(len(new), VISIT_DTYPE)
        visit["entered_at_us"] = visit["supported_at_us"] = seen["at_us"]
        visit["entered_lat_deg"], visit["entered_lon_deg"] = seen["lat_deg"], seen["lon_deg"]
        visit["dwelled_at_us"] = visit["doubted_at_us"] = NEVER
        visit["number"], visit["slot"] = fixes.number.take(new), seen["slot"]
        visit["confidence"], visit["unused"] = fixes.probability.take(new), 0
        dwell_us = self._fences.dwell_us.take(fixes.place.take(new))
        visit["due_us"] = visit["entered_at_us"] + dwell_us
        self._new = visit, of
        if not len(new):
            return
        at_us, row = seen["at_us"], fixes.row.take(of)
        self.told.append(Part(kind=ENTER, visits=visit, which=None, at_us=at_us, row=row))
        if not dwell_us.all():
            at_once = (dwell_us == 0).nonzero()[0]
            visit["dwelled_at_us"][at_once] = at_us = at_us.take(at_once)
            visit["due_us"][at_once] = FOREVER
            row = row.take(at_once)
            self.told.append(Part(kind=DWELL, visits=visit, which=at_once, at_us=at_us, row=row))

    def _tell(
        self,
        kind: int,
        which: Integers,
        at_us: Integers,
        *,
        before: bool = False,
        confidence: float | None = None,
        outside_sigma: FloatArray | None = None,
    ) -> None:
        if len(which):
            self.told.append(
                Part(
                    kind=kind,
                    visits=self._visit,
                    which=which,
                    at_us=at_us,
                    row=self._fixes.row.take(self._of.take(which)),
                    before=before,
                    confidence=confidence,
                    outside_sigma=outside_sigma,
                )
            )

    def write(self) -> None:
        """Writes down the visits that went on and that began, those of each device side by side."""
        fleet, device = self._fleet, self._device
        kept = (~self._over).nonzero()[0]
        new, new_of = self._new
        visit = fleet.visits.joined(fleet.visits.pick(self._visit, kept), new)
        of = np.concatenate([self._of.take(kept), new_of])
        # Stable: two ascending runs, which that kind of sort merges in one go.
        order = _key(of, visit["number"]).argsort(kind="stable")
        visit, of = fleet.visits.pick(visit, order), of.take(order)
        fleet.visits.data["slot"][self._row] = NOWHERE
        first = fleet.visits.extend(visit)
        fleet.open += len(visit) - len(self._row)
        count = np.bincount(of, minlength=len(device))
        begins = np.zeros(len(count) + 1, np.int64)
        count.cumsum(out=begins[1:])
        device["visit_count"], device["visits"] = count, begins[:-1] + first
        device["signature"] = sums(fleet.marks().take(visit["number"]), begins)
        if self._rules.mode == "accurate":
            doubted = (visit["doubted_at_us"] != NEVER).nonzero()[0]
            device["signature"][of.take(doubted)] = UNSTEADY
        due_us = np.empty(len(visit) + 1, np.int64)
        due_us[-1] = FOREVER
        due_us[:-1] = _due_us(visit, self._rules)
        device["due_us"] = np.where(count > 0, np.minimum.reduceat(due_us, begins[:-1]), FOREVER)
        fleet.devices.put(self._fixes.slot, device)


def _key(of: Integers, number: npt.NDArray[np.integer]) -> Integers:
    """One number for a place in the round and a fence."""
    key = of << 32
    key |= number
    return key


def _sure(fixes: Round, new: Integers, rules: Rules) -> Integers:
    """Of the fences that fixes lie in without a visit, those that they enter."""
    if rules.mode == "exact":
        return new
    sure = fixes.probability.take(new) >= rules.enter_at
    sure &= ~(fixes.seen["accuracy_m"].take(fixes.of.take(new)) > rules.coarse_m)
    return new[sure]


def _due_us(visit: Records, rules: Rules) -> Integers:
    """Before then no timer of these visits is due, whatever supports them by then."""
    if rules.mode == "exact":
        return np.asarray(visit["due_us"])
    lost_us = visit["supported_at_us"] + round(rules.presence_timeout_s * SECOND_US)
    return np.asarray(np.minimum(visit["due_us"], lost_us))
