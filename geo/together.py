"""Many devices at once whose fixes are newer than all that is known of them."""

import math
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from geo.arrivals import Arrivals
from geo.compiled import compiled
from geo.crossing import Crossings, crossings
from geo.distance import LONGEST_DEGREE_M, FloatArray, IndexArray
from geo.fences.columns import NEVER_US
from geo.fleet import Fleet
from geo.index import FenceSet
from geo.layout import NOWHERE, PASS_BY
from geo.motion import doubtful
from geo.rounds import advance
from geo.rows import Record, Records
from geo.speed import drives_through
from geo.steps import SHORTEST_STEP_M, Steps
from geo.tables import Fixes, Grounds, Limits, Tables
from geo.told import Told
from geo.transition import Rules

Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

#: Steps shorter than this, in degrees, lead through nothing and are no jumps, wherever they are.
SHORTEST_DEG = SHORTEST_STEP_M / LONGEST_DEGREE_M


class Group(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The devices of a batch, with what is known of them; columns but the arrivals' are by device."""

    arrivals: Arrivals
    slots: IndexArray
    visits: int  #: that are open
    crowded: bool  #: whether the window of any may become too long
    plain: Flags  #: all fixes are in order, newer than all that is known, and believable
    passes: Crossings | None  #: ways through fences by fix; None where there can be none

    @classmethod
    def of(cls, fleet: Fleet, arrivals: Arrivals, fences: FenceSet, rules: Rules) -> "Group":
        """Looks at the devices of a batch; changes nothing."""
        slots = arrivals.slot if arrivals.single else arrivals.slot[arrivals.first[:-1]]
        gone = fleet.without_fence(fences)  # before devices are looked at: it may change their timers
        plain = np.empty(len(slots), bool)
        odd = np.empty(len(arrivals.slot), np.int64)
        count, visits, since = _look(
            fleet.devices.data,
            fleet.sightings.data,
            arrivals.at_us,
            arrivals.lat_deg,
            arrivals.lon_deg,
            arrivals.speed_mps,
            slots,
            arrivals.first,
            rules.mode == "exact",
            plain,
            odd,
        )
        if len(gone):
            plain &= ~np.isin(slots, gone)
        if fences.temporary:
            _leave_out_temporary(fleet, arrivals, slots, fences, plain)
        passes = None
        if count:
            fix = odd[:count]
            steps = _steps(fleet, arrivals, slots, fix)
            doubted = doubtful(steps, arrivals.speed_mps[fix], unknown_m=rules.default_accuracy_m)
            plain[arrivals.device_of(fix[doubted])] = False
            passes = crossings(steps, fences, rules)
            passes = msgspec.structs.replace(passes, step=fix[passes.step])
        return cls(
            arrivals=arrivals,
            slots=slots,
            visits=visits,
            crowded=since > rules.window_fixes,
            plain=plain,
            passes=passes,
        )

    def together(self, fleet: Fleet) -> Flags:
        """The devices to be judged together: neither late nor doubted, nor passing while visiting."""
        if self.passes is None or not len(self.passes):
            return self.plain
        passing = np.zeros(len(self.plain), bool)
        passing[self.arrivals.device_of(self.passes.step)] = True
        begins = self.arrivals.pair_first[self.arrivals.first]
        visiting = fleet.devices.data["visit_count"][self.slots] > 0
        return self.plain & ~(passing & ((begins[1:] > begins[:-1]) | visiting))


def sense_together(
    fleet: Fleet, group: Group, goes: Flags, fences: FenceSet, rules: Rules, told: Told
) -> None:
    """Moves some of the devices on, and tells what happened."""
    arrivals = group.arrivals
    tables = Tables.of(fleet, len(arrivals.slot), len(arrivals.pair_place), group.visits)
    fixes, limits, done, count = Fixes.of(arrivals), Limits.of(rules), 0, 0
    while True:
        done, count = advance(tables, fixes, Grounds.of(fences), limits, goes, done, count)
        if done == len(goes):
            break
        _, row = fleet.visits_of(group.slots[done : done + 1])
        fences.draw(fences.place_of_number(fleet.visits.data["number"][row]))
    tables.written(fleet)
    if count:
        found = fleet.told.first(count)
        told.parts += [found, *_driven(fleet, found, rules)]
    if group.passes is not None and len(group.passes):
        passes = group.passes.of_steps(goes[arrivals.device_of(group.passes.step)])
        told.passes.append((arrivals.slot[passes.step], fences.number[passes.place], passes))


def _driven(fleet: Fleet, told: Records, rules: Rules) -> list[Records]:
    """The visits that ended without dwelling and were driven through, as passed by."""
    if not told["brief"].any():
        return []
    left = told[told["brief"] > 0]
    seen = fleet.sightings.take(left["row"])
    speed_mps = drives_through(
        entered_lat_deg=left["entered_lat_deg"],
        entered_lon_deg=left["entered_lon_deg"],
        entered_at_us=left["entered_at_us"],
        left_lat_deg=seen["lat_deg"],
        left_lon_deg=seen["lon_deg"],
        left_accuracy_m=seen["accuracy_m"].astype(np.float64),
        left_at_us=seen["at_us"],
        unknown_m=rules.default_accuracy_m,
    )
    driven = left[speed_mps > 0]
    driven["kind"] = PASS_BY
    return [driven] if len(driven) else []


@compiled
def _look(
    devices: Record,
    sightings: Record,
    at_us: Integers,
    lat_deg: FloatArray,
    lon_deg: FloatArray,
    speed_mps: FloatArray,
    slots: IndexArray,
    first: Integers,
    exact: bool,
    plain: Flags,
    odd: Integers,
) -> tuple[int, int, int]:
    """Tells which devices are `plain`: those whose fixes are neither late nor repeated.

    Into `odd` go, but in `exact` mode, the fixes to which the way from the believed sighting before may be
    long, or is of length 0 though they tell a speed. Returns how many these are, how many visits are open,
    and how many sightings after its middle the longest window may have.
    """
    count, visits, since = 0, 0, 0
    for i in range(len(slots)):
        device = devices[slots[i]]
        visits += device.visit_count
        since = max(since, device.since + first[i + 1] - first[i])
        before_us = max(device.newest_us, device.clock_us)
        plain[i] = device.doubts == 0
        known = not exact and device.believed != NOWHERE
        lat, lon = 0.0, 0.0
        if known:
            lat, lon = sightings[device.believed].lat_deg, sightings[device.believed].lon_deg
        for fix in range(first[i], first[i + 1]):
            plain[i] &= at_us[fix] > before_us
            if known and _is_odd(lat, lon, lat_deg[fix], lon_deg[fix], speed_mps[fix]):
                odd[count] = fix
                count += 1
            before_us, lat, lon, known = at_us[fix], lat_deg[fix], lon_deg[fix], not exact
    return count, visits, since


@compiled
def _is_odd(lat0_deg: float, lon0_deg: float, lat_deg: float, lon_deg: float, speed_mps: float) -> bool:
    """Whether a way may be long, or is of length 0 though a speed is told. A whole turn seems long."""
    north_deg, east_deg = lat_deg - lat0_deg, lon_deg - lon0_deg
    if north_deg == 0 and speed_mps > 0:
        return True
    if north_deg * north_deg + east_deg * east_deg < SHORTEST_DEG * SHORTEST_DEG:
        return False
    lowest = math.radians(max(min(abs(lat0_deg), abs(lat_deg)) - SHORTEST_DEG, 0.0))
    east_deg *= math.cos(lowest)
    return north_deg * north_deg + east_deg * east_deg >= SHORTEST_DEG * SHORTEST_DEG


def _leave_out_temporary(
    fleet: Fleet, arrivals: Arrivals, slots: IndexArray, fences: FenceSet, plain: Flags
) -> None:
    """Temporary fences end visits by timers of their own, and are few."""
    of, row = fleet.visits_of(slots)
    visited = fences.place_of_number(fleet.visits.data["number"][row])
    plain[of[_ends(visited, fences)]] = False
    fix = np.arange(len(arrivals.at_us)).repeat(np.diff(arrivals.pair_first))
    plain[arrivals.device_of(fix[_ends(arrivals.pair_place, fences)])] = False


def _ends(place: npt.NDArray[np.integer], fences: FenceSet) -> Flags:
    """Whether the fences at these places (-1: gone) are valid for a time only."""
    return np.array([at >= 0 and fences.validity_us(at)[1] != NEVER_US for at in place.tolist()], bool)


def _steps(fleet: Fleet, arrivals: Arrivals, slots: IndexArray, fix: Integers) -> Steps:
    """The ways to some fixes from the believed sightings before."""
    of = arrivals.device_of(fix)
    is_first = fix == arrivals.first[of]
    known = fleet.sightings.empty(len(fix))
    known[is_first] = fleet.sightings.take(fleet.devices.data["believed"][slots[of[is_first]]])

    def before(name: str) -> Any:
        return np.where(is_first, known[name], getattr(arrivals, name)[fix - 1])

    return Steps(
        from_lat_deg=before("lat_deg"),
        from_lon_deg=before("lon_deg"),
        from_accuracy_m=before("accuracy_m"),
        from_us=before("at_us"),
        lat_deg=arrivals.lat_deg[fix],
        lon_deg=arrivals.lon_deg[fix],
        accuracy_m=arrivals.accuracy_m[fix],
        at_us=arrivals.at_us[fix],
    )
