"""The walk of `geo.walk` for all devices of a batch, on the fleet's tables: compiled.

Both say the same of the same fixes (a property test holds them together). This one takes devices whose fixes
are newer than all that is known of them, and none of which is doubted, passes by during a visit, or was in a
fence that is gone or temporary; it is two orders of magnitude faster.

While a device is on its way its visits lie behind the last record in use of their table: first those that
were open, then those that the fix at hand begins. `unused` says of each what has become of it.
"""

import math

import numpy as np

from geo.append import append, seal
from geo.compiled import compiled
from geo.distance import LONGEST_DEGREE_M
from geo.fences.ground import gap_m
from geo.fix import SECOND_US
from geo.index import PER_METRE
from geo.layout import DWELL, ENTER, EXIT, FOREVER, NEVER, NOWHERE, UNSTEADY
from geo.rows import Record
from geo.speed import DRIVE_MPS
from geo.tables import OPEN, VISITS, Fixes, Flags, Grounds, Limits, Tables
from geo.walk import LOST_CONFIDENCE

_GOES_ON, _MET, _OVER = range(3)


@compiled
def advance(
    tables: Tables, fixes: Fixes, grounds: Grounds, limits: Limits, goes: Flags, done: int, count: int
) -> tuple[int, int]:
    """Moves the devices on that go together, from the one at `done` on.

    Into `tables.told`, behind `count` records, goes what happened. Returns how many devices are done and how
    many records there are then. It ends before a device that visits an area which is not drawn.
    """
    for i in range(done, len(goes)):
        if not goes[i]:
            continue
        begin, end = fixes.first[i], fixes.first[i + 1]
        device = tables.devices[fixes.slot[begin]]
        steady = _is_steady(tables, fixes, limits, device, begin, end)
        if not (steady or limits.exact or _is_drawn(tables, grounds, device)):
            return i, count
        last_us = fixes.at_us[end - 1]
        seals = last_us - device.middle_us > limits.kept_us
        if device.steady and (seals or not steady):
            for row in range(device.visits, device.visits + device.visit_count):
                supported_us = tables.visits[row].supported_at_us
                tables.visits[row].supported_at_us = max(supported_us, device.newest_us)
        if seals:
            seal(tables, limits, device, last_us)
        row = append(tables, fixes, device, begin, end)
        device.steady = steady
        if not steady:
            count = _go(tables, fixes, grounds, limits, device, begin, end, row, count)
    return len(goes), count


@compiled
def _is_drawn(tables: Tables, grounds: Grounds, device: Record) -> bool:
    """Whether all areas that a device visits are drawn."""
    for row in range(device.visits, device.visits + device.visit_count):
        place, ground = grounds.place_by_number[tables.visits[row].number], grounds.main
        if place >= grounds.size:
            place, ground = place - grounds.size, grounds.overlay
        area = ground.area[place]
        if area >= 0 and ground.slot[area] < 0:
            return False
    return True


@compiled
def _is_steady(tables: Tables, fixes: Fixes, limits: Limits, device: Record, begin: int, end: int) -> bool:
    """Whether the fixes lie in the very fences that are visited, and no timer is due."""
    if device.signature == UNSTEADY or fixes.at_us[end - 1] >= device.due_us:
        return False
    for fix in range(begin, end):
        signature = 0
        for pair in range(fixes.pair_first[fix], fixes.pair_first[fix + 1]):
            signature += tables.marks[fixes.number[pair]]
            if not limits.exact and fixes.probability[pair] < limits.doubt_at:
                return False
        if signature != device.signature:
            return False
    return True


@compiled
def _go(
    tables: Tables,
    fixes: Fixes,
    grounds: Grounds,
    limits: Limits,
    device: Record,
    begin: int,
    end: int,
    row: int,
    count: int,
) -> int:
    """Runs a device's fixes, whose rows begin at `row`, through the transition table."""
    visits, told = tables.visits, tables.told
    first, open_ = tables.used[VISITS], device.visit_count
    for i in range(open_):
        visits[first + i] = visits[device.visits + i]
    for fix in range(begin, end):
        for i in range(first, first + open_):
            visits[i].unused = _GOES_ON
            count = _pass_time(visits[i], fixes.at_us[fix], row, limits, told, count)
        stop = first + open_
        for pair in range(fixes.pair_first[fix], fixes.pair_first[fix + 1]):
            if _meet(visits, first, first + open_, fixes, fix, pair, limits):
                continue
            if limits.exact or (
                fixes.probability[pair] >= limits.enter_at and not fixes.accuracy_m[fix] > limits.coarse_m
            ):
                _begin(visits[stop], fixes, fix, pair, grounds.dwell_us[fixes.place[pair]])
                stop += 1
        for i in range(first, first + open_):
            if visits[i].unused == _GOES_ON:
                count = _leave(visits[i], fixes, fix, row, grounds, limits, told, count)
        for i in range(first + open_, stop):
            count = _enter(visits[i], fixes.at_us[fix], row, told, count)
        open_ = _tidy(visits, first, open_, stop)
        row += 1
    _write(tables, limits, device, first, open_)
    return count


@compiled
def _tell(told: Record, count: int, visit: Record, kind: int, at_us: int, row: int, confidence: float) -> int:
    one = told[count]
    one.kind, one.slot, one.number, one.row = kind, visit.slot, visit.number, row
    one.at_us, one.entered_at_us = at_us, visit.entered_at_us
    one.entered_lat_deg, one.entered_lon_deg = visit.entered_lat_deg, visit.entered_lon_deg
    one.confidence, one.outside_sigma = confidence, np.nan
    one.before, one.brief = False, False
    return count + 1


@compiled
def _pass_time(visit: Record, at_us: int, row: int, limits: Limits, told: Record, count: int) -> int:
    """Fires the timers due by a fix; one of a visit's very last moment still saves it."""
    lost_us = FOREVER if limits.exact else visit.supported_at_us + limits.timeout_us
    due_us = visit.due_us
    if due_us <= min(at_us, lost_us):
        visit.dwelled_at_us, visit.due_us = due_us, FOREVER
        count = _tell(told, count, visit, DWELL, due_us, row, visit.confidence)
        told[count - 1].before = True
    if lost_us < at_us:
        visit.unused = _OVER
        left_us = max(visit.supported_at_us, visit.dwelled_at_us)
        count = _tell(told, count, visit, EXIT, left_us, row, LOST_CONFIDENCE)
        told[count - 1].before = True
    return count


@compiled
def _meet(visits: Record, low: int, stop: int, fixes: Fixes, fix: int, pair: int, limits: Limits) -> bool:
    """Lets a fix support the visit to a fence it lies in; False where there is none."""
    number, high = fixes.number[pair], stop
    while low < high:
        middle = (low + high) // 2
        if visits[middle].number < number:
            low = middle + 1
        else:
            high = middle
    if low == stop or visits[low].number != number or visits[low].unused == _OVER:
        return False
    visits[low].unused = _MET
    if limits.exact or fixes.probability[pair] >= limits.doubt_at:
        visits[low].supported_at_us = fixes.at_us[fix]
        visits[low].doubted_at_us = NEVER
    return True


@compiled
def _begin(visit: Record, fixes: Fixes, fix: int, pair: int, dwell_us: int) -> None:
    """Writes down a visit that a fix begins."""
    visit.entered_at_us = visit.supported_at_us = fixes.at_us[fix]
    visit.entered_lat_deg, visit.entered_lon_deg = fixes.lat_deg[fix], fixes.lon_deg[fix]
    visit.dwelled_at_us = visit.doubted_at_us = NEVER
    visit.due_us = fixes.at_us[fix] + dwell_us
    visit.number, visit.slot = fixes.number[pair], fixes.slot[fix]
    visit.confidence, visit.unused = fixes.probability[pair], _GOES_ON


@compiled
def _enter(visit: Record, at_us: int, row: int, told: Record, count: int) -> int:
    """Tells of a visit that begins; where there is no dwell to wait for, that comes at once."""
    count = _tell(told, count, visit, ENTER, at_us, row, visit.confidence)
    if visit.due_us == at_us:
        visit.dwelled_at_us, visit.due_us = at_us, FOREVER
        count = _tell(told, count, visit, DWELL, at_us, row, visit.confidence)
    return count


@compiled
def _leave(
    visit: Record,
    fixes: Fixes,
    fix: int,
    row: int,
    grounds: Grounds,
    limits: Limits,
    told: Record,
    count: int,
) -> int:
    """Ends a visit that a fix has left clearly, or that contrary ones have spoken against for long."""
    at_us = fixes.at_us[fix]
    if limits.exact:
        visit.unused = _OVER
        return _tell(told, count, visit, EXIT, at_us, row, 1.0)
    place, ground = grounds.place_by_number[visit.number], grounds.main
    if place >= grounds.size:
        place, ground = place - grounds.size, grounds.overlay
    outside_m = gap_m(ground, fixes.lat_deg[fix], fixes.lon_deg[fix], place)
    outside_m, sigma_m = np.rint(outside_m * PER_METRE) / PER_METRE, fixes.sigma_m[fix]
    if outside_m < limits.doubt_sigma * sigma_m:
        return count
    if visit.doubted_at_us == NEVER:
        visit.doubted_at_us = at_us
    since_us = visit.doubted_at_us
    if outside_m < limits.exit_sigma * sigma_m and at_us - since_us < limits.settle_us:
        return count
    visit.unused = _OVER
    count = _tell(told, count, visit, EXIT, max(since_us, visit.dwelled_at_us), row, math.nan)
    told[count - 1].outside_sigma = outside_m / sigma_m
    told[count - 1].brief = visit.dwelled_at_us == NEVER and _may_drive(visit, fixes, fix)
    return count


@compiled
def _may_drive(visit: Record, fixes: Fixes, fix: int) -> bool:
    """False only where nobody drove from the fix that entered to this one: it may be for `drives_through`."""
    north_deg = fixes.lat_deg[fix] - visit.entered_lat_deg
    east_deg = fixes.lon_deg[fix] - visit.entered_lon_deg
    takes_s = (fixes.at_us[fix] - visit.entered_at_us) / SECOND_US
    return LONGEST_DEGREE_M * math.hypot(north_deg, east_deg) >= 0.999 * DRIVE_MPS * takes_s


@compiled
def _tidy(visits: Record, first: int, open_: int, stop: int) -> int:
    """Puts the visits that go on and those that begin in order of their numbers; how many there are."""
    end = first
    for i in range(first, stop):
        if i < first + open_ and visits[i].unused == _OVER:
            continue
        if end != i:
            visits[end] = visits[i]
        end += 1
    for i in range(first + 1, end):
        at = i
        while at > first and visits[at - 1].number > visits[i].number:
            at -= 1
        if at < i:
            _rotate(visits, at, i, stop)
    return end - first


@compiled
def _rotate(visits: Record, begin: int, last: int, spare: int) -> None:
    """Moves the last of some records before the others."""
    visits[spare] = visits[last]
    for i in range(last, begin, -1):
        visits[i] = visits[i - 1]
    visits[begin] = visits[spare]


@compiled
def _write(tables: Tables, limits: Limits, device: Record, first: int, open_: int) -> None:
    """Writes a device's visits down where they were, or else where they are; and what follows from them."""
    visits, fits = tables.visits, open_ <= device.visit_count
    signature, due_us = 0, FOREVER
    for i in range(first, first + open_):
        visits[i].unused = 0
        lost_us = FOREVER if limits.exact else visits[i].supported_at_us + limits.timeout_us
        due_us = min(due_us, visits[i].due_us, lost_us)
        signature += tables.marks[visits[i].number]
    unsteady = False
    for i in range(open_):
        unsteady |= not limits.exact and visits[first + i].doubted_at_us != NEVER
        if fits:
            visits[device.visits + i] = visits[first + i]
    for row in range(device.visits + (open_ if fits else 0), device.visits + device.visit_count):
        visits[row].slot = NOWHERE
    tables.held[OPEN] += open_ - device.visit_count
    if not fits:
        tables.used[VISITS] += open_
        device.visits = first
    device.visit_count = open_
    device.signature = UNSTEADY if unsteady else signature
    device.due_us = due_us
