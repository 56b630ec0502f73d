"""Many devices at once whose fixes are newer than all that is known of them."""

import msgspec
import numpy as np
import numpy.typing as npt

from geo.append import append_many
from geo.arrivals import Arrivals
from geo.crossing import Crossings, crossings
from geo.distance import LONGEST_DEGREE_M, FloatArray, IndexArray
from geo.fences.columns import NEVER_US
from geo.fences.ranges import spread
from geo.fleet import Fleet
from geo.index import FenceSet
from geo.layout import NOWHERE, UNSTEADY
from geo.motion import doubtful
from geo.rounds import Round, judge
from geo.rows import Records
from geo.steps import SHORTEST_STEP_M, Steps, turn
from geo.told import Told
from geo.transition import Rules

Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

#: Steps shorter than this, in degrees and squared, lead through nothing and are no jumps, wherever they are.
SHORTEST_DEG2 = (SHORTEST_STEP_M / LONGEST_DEGREE_M) ** 2


class Group(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The devices of a batch, with what is known of them; all columns but the arrivals' are by device."""

    arrivals: Arrivals
    slots: IndexArray
    device: Records
    plain: Flags  #: all fixes are in order, newer than all that is known, and believable
    steady: Flags  #: the fixes lie in the very fences that are visited, and no timer is due
    inside: Flags  #: some fix lies in a fence
    busy: Flags  #: must go through the transition table
    passes: Crossings | None  #: ways through fences by fix; None where there can be none

    @classmethod
    def of(cls, fleet: Fleet, arrivals: Arrivals, fences: FenceSet, rules: Rules) -> "Group":
        """Looks at the devices of a batch; changes nothing."""
        first, pair_first = arrivals.first, arrivals.pair_first
        slots = arrivals.slot if arrivals.single else arrivals.slot[first[:-1]]
        device = fleet.devices.take(slots)
        plain = _plain(fleet, arrivals, slots, device, fences)
        passes = None
        if rules.mode == "accurate":
            fix, steps = _steps(fleet, arrivals, device)
            if len(fix):
                doubted = doubtful(steps, arrivals.speed_mps[fix], unknown_m=rules.default_accuracy_m)
                plain[arrivals.device_of(fix[doubted])] = False
                passes = crossings(steps, fences, rules)
                passes = msgspec.structs.replace(passes, step=fix[passes.step])
        begins = pair_first if arrivals.single else pair_first[first]
        steady, inside = _steady(fleet, arrivals, device, rules), begins[1:] > begins[:-1]
        return cls(
            arrivals=arrivals,
            slots=slots,
            device=device,
            plain=plain,
            steady=steady,
            inside=inside,
            busy=~steady & (inside | (device["visit_count"] > 0)),
            passes=passes,
        )

    def alone(self, few: int) -> Flags:
        """The devices to be judged one by one: late, doubted, passing while visiting, too few for rounds."""
        alone = ~self.plain
        if self.passes is not None and len(self.passes):
            passing = np.zeros(len(alone), bool)
            passing[self.arrivals.device_of(self.passes.step)] = True
            alone |= passing & (self.inside | (self.device["visit_count"] > 0))
        left = (self.busy & ~alone).nonzero()[0]
        if self.arrivals.single:
            alone[left] |= len(left) <= few
        elif len(left):
            counts = self.arrivals.first[left + 1] - self.arrivals.first[left]
            if counts.sum() <= few * counts.max():
                alone[left] = True
        return alone

    def only(self, devices: Flags) -> "Group":
        """Some of the devices."""
        kept = (devices).nonzero()[0]
        passes = self.passes
        if passes is not None and len(passes):
            at = (devices[self.arrivals.device_of(passes.step)]).nonzero()[0]
            step = np.cumsum(np.repeat(devices, np.diff(self.arrivals.first)))[passes.step[at]] - 1
            columns = {name: getattr(passes, name)[at] for name in Crossings.__struct_fields__}
            passes = Crossings(**columns | {"step": step})
        return Group(
            arrivals=self.arrivals.only(devices),
            slots=self.slots[kept],
            device=self.device[kept],
            plain=self.plain[kept],
            steady=self.steady[kept],
            inside=self.inside[kept],
            busy=self.busy[kept],
            passes=passes,
        )


def sense_together(fleet: Fleet, group: Group, fences: FenceSet, rules: Rules, told: Told) -> None:
    """Moves the devices on, and tells what happened."""
    if not len(group.slots):
        return
    arrivals, first = group.arrivals, group.arrivals.first
    busy = (group.busy).nonzero()[0]
    fleet.settle_visits(group.slots[busy])
    group.device["steady"] = group.steady & group.inside
    rows = append_many(fleet, arrivals, group.slots, group.device, rules)
    done = 0
    while len(busy):
        fix = busy if arrivals.single else first[busy] + done
        told.parts += judge(fleet, _round(arrivals, rows, fix), fences, rules)
        done += 1
        busy = busy[:0] if arrivals.single else busy[first[busy + 1] - first[busy] > done]
    if group.passes is not None and len(group.passes):
        slots = arrivals.slot[group.passes.step]
        told.passes.append((slots, fences.number[group.passes.place], group.passes))


def _plain(fleet: Fleet, arrivals: Arrivals, slots: IndexArray, device: Records, fences: FenceSet) -> Flags:
    at_us = arrivals.at_us
    known_us = np.maximum(device["newest_us"], device["clock_us"])
    first_us = at_us if arrivals.single else at_us[arrivals.first[:-1]]
    plain: Flags = (first_us > known_us) & (device["doubts"] == 0)
    if not arrivals.single:
        repeated = ((at_us[1:] == at_us[:-1]) & (arrivals.slot[1:] == arrivals.slot[:-1])).nonzero()[0] + 1
        plain[arrivals.device_of(repeated)] = False
    if fences.temporary:
        # They end visits by timers of their own, and are few.
        of, row = spread(device["visits"], device["visit_count"])
        visited = fences.place_of_number(fleet.visits.data["number"][row])
        plain[of[_ends(visited, fences)]] = False
        fix = np.arange(len(at_us)).repeat(np.diff(arrivals.pair_first))
        plain[arrivals.device_of(fix[_ends(arrivals.pair_place, fences)])] = False
    if len(gone := fleet.without_fence(fences)):
        plain &= ~np.isin(slots, gone)
    return plain


def _ends(place: IndexArray, fences: FenceSet) -> Flags:
    """Whether the fences at these places (-1: gone) are valid for a time only."""
    return np.array([at >= 0 and fences.validity_us(at)[1] != NEVER_US for at in place.tolist()], bool)


def _steps(fleet: Fleet, arrivals: Arrivals, device: Records) -> tuple[Integers, Steps]:
    """The ways to the fixes from the believed sightings before: those long enough to matter, or of length 0.

    Returns which fixes they lead to, too.
    """
    if len(fleet.sightings):
        believed = fleet.sightings.take(np.maximum(device["believed"], 0))
    else:
        believed = fleet.sightings.empty(len(device))
    first = arrivals.first[:-1]
    lat, lon = believed["lat_deg"], believed["lon_deg"]
    if not arrivals.single:
        lat, lon = _before(arrivals.lat_deg, lat, first), _before(arrivals.lon_deg, lon, first)
    north_deg, east_deg = arrivals.lat_deg - lat, turn(arrivals.lon_deg - lon)
    # At the batch's lowest latitude a degree of longitude is longest.
    east_deg *= np.cos(np.radians(np.minimum(np.abs(lat), np.abs(arrivals.lat_deg)).min(initial=90.0)))
    long = north_deg * north_deg + east_deg * east_deg >= SHORTEST_DEG2
    still = (north_deg == 0) & (arrivals.speed_mps > 0)
    fix = (long | still).nonzero()[0]
    of = arrivals.device_of(fix)
    is_first = fix == first[of]
    kept = (~is_first | (device["believed"][of] != NOWHERE)).nonzero()[0]
    fix, of, is_first = fix[kept], of[kept], is_first[kept]
    return fix, Steps(
        from_lat_deg=lat[fix],
        from_lon_deg=lon[fix],
        from_accuracy_m=np.where(is_first, believed["accuracy_m"][of], arrivals.accuracy_m[fix - 1]),
        from_us=np.where(is_first, believed["at_us"][of], arrivals.at_us[fix - 1]),
        lat_deg=arrivals.lat_deg[fix],
        lon_deg=arrivals.lon_deg[fix],
        accuracy_m=arrivals.accuracy_m[fix],
        at_us=arrivals.at_us[fix],
    )


def _before(column: FloatArray, known: FloatArray, first: Integers) -> FloatArray:
    """What the fix before each had; before a device's first fix, what is known of the device."""
    before = np.empty(len(column))
    before[1:] = column[:-1]
    before[first] = known
    return before


def _steady(fleet: Fleet, arrivals: Arrivals, device: Records, rules: Rules) -> Flags:
    first, pair_first = arrivals.first, arrivals.pair_first
    signature = np.zeros(len(arrivals.slot), np.int64)
    inside = (pair_first[1:] > pair_first[:-1]).nonzero()[0]
    if len(inside):
        begins = pair_first[inside]
        signature[inside] = np.add.reduceat(fleet.marks()[arrivals.pair_number], begins)
        if rules.mode == "accurate":
            unsure = np.minimum.reduceat(arrivals.pair_probability, begins) < rules.doubt_at
            signature[inside[unsure]] = UNSTEADY
    if arrivals.single:
        return np.asarray((signature == device["signature"]) & (arrivals.at_us < device["due_us"]))
    same = signature == np.repeat(device["signature"], np.diff(first))
    last_us = arrivals.at_us[first[1:] - 1]
    return np.asarray(np.logical_and.reduceat(same, first[:-1]) & (last_us < device["due_us"]))


def _round(arrivals: Arrivals, rows: Integers, fix: Integers) -> Round:
    """Some of the fixes, one of each device, with what they lie in."""
    begin = arrivals.pair_first[fix]
    of, pair = spread(begin, arrivals.pair_first[fix + 1] - begin)
    return Round(
        slot=arrivals.slot[fix],
        row=rows[fix],
        at_us=arrivals.at_us[fix],
        lat_deg=arrivals.lat_deg[fix],
        lon_deg=arrivals.lon_deg[fix],
        accuracy_m=arrivals.accuracy_m[fix],
        of=of.astype(np.int64),
        place=arrivals.pair_place[pair],
        number=arrivals.pair_number[pair],
        probability=arrivals.pair_probability[pair],
    )
