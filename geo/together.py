"""Many devices at once whose fixes are newer than all that is known of them."""

import math

import msgspec
import numpy as np
import numpy.typing as npt

from geo.append import append_many
from geo.arrivals import Arrivals
from geo.crossing import Crossings, crossings
from geo.distance import LONGEST_DEGREE_M, FloatArray
from geo.fences.columns import NEVER_US
from geo.fences.ranges import numbers, spread
from geo.fleet import Fleet
from geo.index import FenceSet
from geo.layout import NEVER, NOWHERE, UNSTEADY, sums
from geo.motion import doubtful
from geo.rounds import Round, judge
from geo.rows import Records
from geo.steps import SHORTEST_STEP_M, Steps
from geo.told import Told
from geo.transition import Rules

Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

#: Steps shorter than this, in degrees, lead through nothing and are no jumps, wherever they are.
SHORTEST_DEG = SHORTEST_STEP_M / LONGEST_DEGREE_M


class Group(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The devices of a batch, with what is known of them; all columns but the arrivals' are by device."""

    arrivals: Arrivals
    slots: Integers
    device: Records
    plain: Flags  #: all fixes are in order, newer than all that is known, and believable
    steady: Flags  #: the fixes lie in the very fences that are visited, and no timer is due
    busy: Integers  #: the others, which go through the transition table
    passes: Crossings | None  #: ways through fences by fix; None where there can be none

    @classmethod
    def of(cls, fleet: Fleet, arrivals: Arrivals, fences: FenceSet, rules: Rules) -> "Group":
        """Looks at the devices of a batch; changes nothing."""
        slots = arrivals.slot if arrivals.single else arrivals.slot[arrivals.first[:-1]]
        gone = fleet.without_fence(fences)  # before devices are looked at: it may change their timers
        device = fleet.devices.take(slots)
        plain = _plain(fleet, arrivals, device, fences)
        if len(gone):
            plain &= ~np.isin(slots, gone)
        passes = None
        if rules.mode == "accurate":
            fix, steps = _steps(fleet, arrivals, device)
            if steps is not None:
                doubted = doubtful(steps, arrivals.speed_mps[fix], unknown_m=rules.default_accuracy_m)
                plain[arrivals.device_of(fix[doubted])] = False
                passes = crossings(steps, fences, rules)
                passes = msgspec.structs.replace(passes, step=fix[passes.step])
        steady = _steady(fleet, arrivals, device, rules)
        return cls(
            arrivals=arrivals,
            slots=slots,
            device=device,
            plain=plain,
            steady=steady,
            busy=(~steady).nonzero()[0],
            passes=passes,
        )

    def alone(self, few: int) -> Flags | None:
        """The devices to be judged one by one: late, doubted, passing while visiting, too few for rounds.

        None where there are none of these.
        """
        passed = () if self.passes is None else self.arrivals.device_of(self.passes.step)
        if not len(passed) and self.plain.all() and not self._are_few(self.busy, few):
            return None
        alone = ~self.plain
        if len(passed):
            passing = np.zeros(len(alone), bool)
            passing[passed] = True
            begins = self.arrivals.pair_first[self.arrivals.first]
            alone |= passing & ((begins[1:] > begins[:-1]) | (self.device["visit_count"] > 0))
        left = self.busy[~alone[self.busy]]
        if self._are_few(left, few):
            alone[left] = True
        return alone if alone.any() else None

    def _are_few(self, busy: Integers, few: int) -> bool:
        """Whether so many devices or less go through the table at a time, on average."""
        if self.arrivals.single or not len(busy):
            return len(busy) <= few
        counts = self.arrivals.first[busy + 1] - self.arrivals.first[busy]
        return bool(counts.sum() <= few * counts.max())

    def only(self, devices: Flags) -> "Group":
        """Some of the devices."""
        kept = devices.nonzero()[0]
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
            busy=(~self.steady[kept]).nonzero()[0],
            passes=passes,
        )


def sense_together(fleet: Fleet, group: Group, fences: FenceSet, rules: Rules, told: Told) -> None:
    """Moves the devices on, and tells what happened."""
    if not len(group.slots):
        return
    arrivals, first, device = group.arrivals, group.arrivals.first, group.device
    busy = group.busy
    before = fleet.devices.pick(device, busy)
    supported_us = np.where(before["steady"], before["newest_us"], NEVER)
    device["steady"] = group.steady
    row = append_many(fleet, arrivals, group.slots, device, rules)
    done = 0
    while len(busy):
        fix = busy if arrivals.single else first[busy] + done
        told.parts += judge(fleet, _round(fleet, arrivals, row, fix, supported_us), fences, rules)
        if arrivals.single:
            break
        done += 1
        busy = busy[first[busy + 1] - first[busy] > done]
        supported_us = np.full(len(busy), NEVER)
    if group.passes is not None and len(group.passes):
        slots = arrivals.slot[group.passes.step]
        told.passes.append((slots, fences.number[group.passes.place], group.passes))


def _plain(fleet: Fleet, arrivals: Arrivals, device: Records, fences: FenceSet) -> Flags:
    at_us = arrivals.at_us
    first_us = at_us if arrivals.single else at_us[arrivals.first[:-1]]
    plain: Flags = first_us > device["newest_us"]
    plain &= first_us > device["clock_us"]
    plain &= device["doubts"] == 0
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
    return plain


def _ends(place: npt.NDArray[np.integer], fences: FenceSet) -> Flags:
    """Whether the fences at these places (-1: gone) are valid for a time only."""
    return np.array([at >= 0 and fences.validity_us(at)[1] != NEVER_US for at in place.tolist()], bool)


def _steps(fleet: Fleet, arrivals: Arrivals, device: Records) -> tuple[Integers, Steps | None]:
    """The ways to the fixes from the believed sightings before: those long enough to matter, or of length 0.

    Returns which fixes they lead to, too; None where there are none.
    """
    if len(fleet.sightings):
        believed = fleet.sightings.take(np.maximum(device["believed"], 0).astype(np.int64))
    else:
        believed = fleet.sightings.empty(len(device))
    first = arrivals.first[:-1]
    lat, lon = believed["lat_deg"], believed["lon_deg"]
    if not arrivals.single:
        lat, lon = _before(arrivals.lat_deg, lat, first), _before(arrivals.lon_deg, lon, first)
    fix = _long_or_still(arrivals, lat, lon)
    if not len(fix):
        return fix, None
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


def _long_or_still(arrivals: Arrivals, lat: FloatArray, lon: FloatArray) -> Integers:
    """The fixes whose ways, from these places, may be long, or are of length 0 though they tell a speed."""
    north_deg, east_deg = arrivals.lat_deg - lat, arrivals.lon_deg - lon
    still = () if north_deg.all() else ((north_deg == 0) & (arrivals.speed_mps > 0)).nonzero()[0]
    # At the lowest latitude a degree of longitude is longest. Ways over the antimeridian seem long.
    lowest_deg = max(float(np.abs(arrivals.lat_deg).min()) - SHORTEST_DEG, 0.0)
    east_deg *= math.cos(math.radians(lowest_deg))
    north_deg *= north_deg
    east_deg *= east_deg
    north_deg += east_deg
    long = (north_deg >= SHORTEST_DEG * SHORTEST_DEG).nonzero()[0]
    return np.union1d(long, still) if len(still) else long


def _before(column: FloatArray, known: FloatArray, first: Integers) -> FloatArray:
    """What the fix before each had; before a device's first fix, what is known of the device."""
    before = np.empty(len(column))
    before[1:] = column[:-1]
    before[first] = known
    return before


def _steady(fleet: Fleet, arrivals: Arrivals, device: Records, rules: Rules) -> Flags:
    first = arrivals.first
    signature = sums(fleet.marks().take(arrivals.pair_number), arrivals.pair_first)
    if rules.mode == "accurate":
        unsure = (arrivals.pair_probability < rules.doubt_at).nonzero()[0]
        signature[arrivals.pair_first.searchsorted(unsure, side="right") - 1] = UNSTEADY
    if arrivals.single:
        steady = signature == device["signature"]
        steady &= arrivals.at_us < device["due_us"]
        return np.asarray(steady)
    same = signature == np.repeat(device["signature"], np.diff(first))
    last_us = arrivals.at_us[first[1:] - 1]
    return np.asarray(np.logical_and.reduceat(same, first[:-1]) & (last_us < device["due_us"]))


def _round(fleet: Fleet, arrivals: Arrivals, row: int, fix: Integers, supported_us: Integers) -> Round:
    """Some of the fixes, one of each device, with what they lie in. The rows of all fixes begin at `row`."""
    begin = arrivals.pair_first.take(fix)
    count = arrivals.pair_first.take(fix + 1)
    count -= begin
    pair = numbers(begin, count)
    rows = fix + row
    return Round(
        slot=arrivals.slot.take(fix),
        row=rows,
        seen=fleet.sightings.take(rows),
        sigma_m=arrivals.sigma_m.take(fix) if len(arrivals.sigma_m) else arrivals.sigma_m,
        supported_us=supported_us,
        of=np.arange(len(fix)).repeat(count),
        place=arrivals.pair_place.take(pair),
        number=arrivals.pair_number.take(pair),
        probability=arrivals.pair_probability.take(pair),
    )
