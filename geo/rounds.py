"""The walk of `geo.walk`, for many devices at once: one fix of each a round.

Both say the same of the same fixes (a property test holds them together); this one is an order of magnitude
faster for hundreds of devices, the other one for a few.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from geo.accuracy import sigma_m, sigmas_beyond
from geo.distance import FloatArray, IndexArray
from geo.fences.ranges import spread
from geo.fix import SECOND_US
from geo.fleet import Fleet
from geo.index import FenceSet
from geo.layout import FOREVER, NEVER, NOWHERE, UNSTEADY, VISIT_DTYPE
from geo.rows import Records
from geo.speed import drives_through
from geo.told import DWELL, ENTER, EXIT, PASS_BY, Part
from geo.transition import Rules
from geo.walk import LOST_CONFIDENCE

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Round(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A fix of each of some devices, newer than all before it of that device, and the fences it lies in."""

    slot: IndexArray
    row: Integers  #: of the fix's sighting
    at_us: Integers
    lat_deg: FloatArray
    lon_deg: FloatArray
    accuracy_m: FloatArray  #: NaN: unknown
    of: Integers  #: of each fence a fix lies in: the fix's place in the round, ascending
    place: IndexArray  #: … the fence's place in the set
    number: IndexArray  #: … its number
    probability: FloatArray  #: … how probably the device is inside


def judge(fleet: Fleet, fixes: Round, fences: FenceSet, rules: Rules) -> list[Part]:
    """Runs the transition table over a round, and tells what happened; no fence of an open visit is gone."""
    device = fleet.devices.take(fixes.slot)
    going = _Going(fleet, fixes, device, fences, rules)
    told = going.pass_time()
    new = going.meet()
    told += going.leave()
    new = _sure(fixes, new, rules)
    dwell_us = fences.dwell_us[fixes.place[new]]
    enters = _entering(fixes, new)
    told += _tell_enters(fixes, new, enters, dwell_us)
    _write(fleet, fixes, device, going, (enters, fixes.of[new], dwell_us))
    return told


class _Going:
    """The open visits of a round's devices: what time and the fixes do to them."""

    def __init__(self, fleet: Fleet, fixes: Round, device: Records, fences: FenceSet, rules: Rules) -> None:
        self.of, self.row = spread(device["visits"], device["visit_count"])
        self.visit = fleet.visits.take(self.row)
        self.over = np.zeros(len(self.of), bool)  #: visits that have ended
        self._met = np.zeros(len(self.of), bool)  #: visits whose fence holds the fix
        self._place = fences.place_of_number(self.visit["number"])
        self.dwell_us = fences.dwell_us[self._place]
        self._at_us = fixes.at_us[self.of]
        self._fleet, self._fixes, self._fences, self.rules = fleet, fixes, fences, rules

    def pass_time(self) -> list[Part]:
        """Fires the timers due by the fixes; a fix of a visit's very last moment still saves it."""
        visit, until_us = self.visit, self._at_us
        exact = self.rules.mode == "exact"
        if not exact:
            lost_us = visit["supported_at_us"] + round(self.rules.presence_timeout_s * SECOND_US)
            lost = (lost_us < until_us).nonzero()[0]
            until_us = np.minimum(until_us, lost_us)
        due_us = visit["entered_at_us"] + self.dwell_us
        dwells = ((due_us <= until_us) & (visit["dwelled_at_us"] == NEVER)).nonzero()[0]
        due_us = due_us[dwells]
        visit["dwelled_at_us"][dwells] = due_us
        told = self._tell(DWELL, dwells, due_us, visit["confidence"][dwells], before=True)
        if exact or not len(lost):
            return told
        self.over[lost] = True
        left_us = np.maximum(visit["supported_at_us"], visit["dwelled_at_us"])[lost]
        return told + self._tell(EXIT, lost, left_us, np.full(len(lost), LOST_CONFIDENCE), before=True)

    def meet(self) -> Integers:
        """Lets the fixes support the visits to the fences they lie in. The pairs that have no visit."""
        fixes, visit = self._fixes, self.visit
        if not len(visit) or not len(fixes.of):
            return np.arange(len(fixes.of))
        key = (self.of.astype(np.int64) << 32) | self._place
        wanted = (fixes.of << 32) | fixes.place
        order = None if (key[1:] > key[:-1]).all() else key.argsort()
        found = key.searchsorted(wanted, sorter=order)
        found[found == len(key)] = 0
        found = found if order is None else order[found]
        met = (key[found] == wanted) & ~self.over[found]
        pair = met.nonzero()[0]
        found = found[pair]
        self._met[found] = True
        if self.rules.mode == "accurate":
            found = found[fixes.probability[pair] >= self.rules.doubt_at]
        visit["supported_at_us"][found] = self._at_us[found]
        visit["doubted_at_us"][found] = NEVER
        return np.asarray((~met).nonzero()[0])

    def leave(self) -> list[Part]:
        """Ends the visits that the fixes have left."""
        outside = (~(self._met | self.over)).nonzero()[0]
        if not len(outside):
            return []
        if self.rules.mode == "exact":
            self.over[outside] = True
            return self._tell(EXIT, outside, self._at_us[outside], np.ones(len(outside)), before=False)
        return self._doubt(outside)

    def _doubt(self, outside: Integers) -> list[Part]:
        """Ends visits that a fix has left clearly, or that contrary ones have spoken against for long."""
        rules, fixes, of = self.rules, self._fixes, self.of[outside]
        sigma = sigma_m(fixes.accuracy_m[of], rules.default_accuracy_m)
        outside_m = self._fences.boundary_gap_m(fixes.lat_deg[of], fixes.lon_deg[of], self._place[outside])
        contrary = (outside_m >= sigmas_beyond(rules.doubt_at) * sigma).nonzero()[0]
        outside, sigma, outside_m = outside[contrary], sigma[contrary], outside_m[contrary]
        at_us, since_us = self._at_us[outside], self.visit["doubted_at_us"][outside]
        since_us = np.where(since_us == NEVER, at_us, since_us)
        self.visit["doubted_at_us"][outside] = since_us
        leaves = outside_m >= sigmas_beyond(rules.exit_at) * sigma
        leaves |= at_us - since_us >= round(rules.settle_s * SECOND_US)
        left = leaves.nonzero()[0]
        leaving = outside[left]
        if not len(leaving):
            return []
        self.over[leaving] = True
        left_us = np.maximum(since_us[left], self.visit["dwelled_at_us"][leaving])
        outside_sigma = outside_m[left] / sigma[left]
        told = self._tell(EXIT, leaving, left_us, None, before=False, outside_sigma=outside_sigma)
        driven = self._drove_through(leaving).nonzero()[0]
        leaving, left_us, outside_sigma = leaving[driven], left_us[driven], outside_sigma[driven]
        return told + self._tell(PASS_BY, leaving, left_us, None, before=False, outside_sigma=outside_sigma)

    def _drove_through(self, leaving: Integers) -> Flags:
        """Whether visits that end were driven through."""
        fixes, of = self._fixes, self.of[leaving]
        visit = self._fleet.visits.pick(self.visit, leaving)
        speed_mps = drives_through(
            entered_lat_deg=visit["entered_lat_deg"],
            entered_lon_deg=visit["entered_lon_deg"],
            entered_at_us=visit["entered_at_us"],
            left_lat_deg=fixes.lat_deg[of],
            left_lon_deg=fixes.lon_deg[of],
            left_accuracy_m=fixes.accuracy_m[of],
            left_at_us=fixes.at_us[of],
            unknown_m=self.rules.default_accuracy_m,
        )
        return np.asarray((visit["dwelled_at_us"] == NEVER) & ~np.isnan(speed_mps))

    def _tell(
        self,
        kind: int,
        which: Integers,
        at_us: Integers,
        confidence: FloatArray | None,
        *,
        before: bool,
        outside_sigma: FloatArray | None = None,
    ) -> list[Part]:
        if not len(which):
            return []
        of = self.of[which]
        row = self._fixes.row[of]
        if before:
            row = self._fleet.sightings.data["previous"][row]
        return [
            Part(
                kind=kind,
                visit=self._fleet.visits.pick(self.visit, which),
                at_us=at_us,
                told_us=self._at_us[which],
                row=row,
                confidence=confidence,
                outside_sigma=outside_sigma,
            )
        ]


def _sure(fixes: Round, new: Integers, rules: Rules) -> Integers:
    """Of the fences that fixes lie in without a visit, those that they enter."""
    if rules.mode == "exact":
        return new
    accuracy_m = fixes.accuracy_m[fixes.of[new]]
    return new[(fixes.probability[new] >= rules.enter_at) & ~(accuracy_m > rules.coarse_m)]


def _entering(fixes: Round, new: Integers) -> Records:
    """The visits that begin."""
    of = fixes.of[new]
    visit = np.empty(len(new), VISIT_DTYPE)
    visit["entered_at_us"] = visit["supported_at_us"] = fixes.at_us[of]
    visit["entered_lat_deg"], visit["entered_lon_deg"] = fixes.lat_deg[of], fixes.lon_deg[of]
    visit["dwelled_at_us"] = visit["doubted_at_us"] = NEVER
    visit["number"], visit["slot"] = fixes.number[new], fixes.slot[of]
    visit["confidence"], visit["unused"] = fixes.probability[new], 0
    return visit


def _tell_enters(fixes: Round, new: Integers, visit: Records, dwell_us: Integers) -> list[Part]:
    """The enters; where there is no dwell to wait for, it comes at once."""
    if not len(new):
        return []
    at_us, row, confidence = visit["entered_at_us"], fixes.row[fixes.of[new]], visit["confidence"]
    told = [Part(kind=ENTER, visit=visit, at_us=at_us, told_us=at_us, row=row, confidence=confidence)]
    at_once = (dwell_us == 0).nonzero()[0]
    if len(at_once):
        now_us = at_us[at_once]
        visit["dwelled_at_us"][at_once] = now_us
        told.append(
            Part(
                kind=DWELL,
                visit=visit[at_once],
                at_us=now_us,
                told_us=now_us,
                row=row[at_once],
                confidence=confidence[at_once],
            )
        )
    return told


def _write(
    fleet: Fleet,
    fixes: Round,
    device: Records,
    going: _Going,
    entering: tuple[Records, Integers, Integers],
) -> None:
    """Writes down the visits that went on and that began, those of each device side by side."""
    fleet.visits.data["slot"][going.row] = NOWHERE
    kept = (~going.over).nonzero()[0]
    enters, new_of, new_dwell_us = entering
    kept_of = going.of[kept]
    kept_count, new_count = (np.bincount(of, minlength=len(device)) for of in (kept_of, new_of))
    count = kept_count + new_count
    kept_place = np.arange(len(kept)) + (new_count.cumsum() - new_count)[kept_of]
    new_place = np.arange(len(new_of)) + kept_count.cumsum()[new_of]
    first = fleet.visits.add(len(kept) + len(new_of))
    fleet.visits.put(first + kept_place, fleet.visits.pick(going.visit, kept))
    fleet.visits.put(first + new_place, enters)
    fleet.open += len(kept) + len(new_of) - len(going.of)
    begins = count.cumsum() - count
    device["visits"] = np.where(count > 0, first + begins, NOWHERE)
    device["visit_count"] = count
    device["signature"], device["due_us"] = 0, FOREVER
    some = count.nonzero()[0]
    if len(some):
        begins = begins[some]
        visit = fleet.visits.data[first : fleet.visits.used]
        dwell_us = np.empty(len(visit), np.int64)
        dwell_us[kept_place], dwell_us[new_place] = going.dwell_us[kept], new_dwell_us
        signature = np.add.reduceat(fleet.marks()[visit["number"]], begins)
        if going.rules.mode == "accurate":
            doubted = np.maximum.reduceat(visit["doubted_at_us"], begins) != NEVER
            signature[doubted] = UNSTEADY
        device["signature"][some] = signature
        device["due_us"][some] = np.minimum.reduceat(_due_us(visit, dwell_us, going.rules), begins)
    fleet.devices.put(fixes.slot, device)


def _due_us(visit: Records, dwell_us: Integers, rules: Rules) -> Integers:
    """Before then no timer of these visits is due, whatever supports them by then."""
    due_us = np.where(visit["dwelled_at_us"] == NEVER, visit["entered_at_us"] + dwell_us, FOREVER)
    if rules.mode == "exact":
        return np.asarray(due_us)
    return np.asarray(
        np.minimum(due_us, visit["supported_at_us"] + round(rules.presence_timeout_s * SECOND_US))
    )
