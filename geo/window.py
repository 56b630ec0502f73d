"""A device's recent sightings, in order of time: how new ones find their place among them."""

from bisect import bisect_left
from collections.abc import Sequence

import msgspec

from geo.distance import distance_m
from geo.fix import SECOND_US
from geo.transition import DeviceState, Rules, Sighting

#: A speed is derived from two fixes this far apart in time.
SHORTEST_SPEED_US, LONGEST_SPEED_US = 1 * SECOND_US, 120 * SECOND_US
#: An earlier fix at least this old is preferred: between near ones, noise passes for speed.
STEADY_SPEED_US = 10 * SECOND_US


def measured_at_us(sighting: Sighting) -> int:
    """The key by which sightings are ordered."""
    return sighting.at_us


def merged(
    state: DeviceState, arrived: Sequence[Sighting], rules: Rules
) -> tuple[tuple[Sighting, ...], int | None]:
    """The window with sightings put in their places, and the time from which it differs (None: nowhere)."""
    recent = state.recent
    by_time = _by_time(recent, arrived, rules)
    if not by_time:
        return recent, None
    changed_us = min(by_time)
    start = bisect_left(recent, changed_us, key=measured_at_us)
    for sighting in recent[start:]:
        by_time.setdefault(sighting.at_us, sighting)
    placed = [*recent[:start], *(by_time[time] for time in sorted(by_time))]
    if state.present or any(sighting.inside for sighting in arrived):
        for place in range(start, len(placed)):
            if placed[place].speed_mps is None:
                placed[place] = _with_speed(placed, place)
    return tuple(placed), changed_us


def _by_time(recent: Sequence[Sighting], arrived: Sequence[Sighting], rules: Rules) -> dict[int, Sighting]:
    """Those that arrived and are new, or better than the one known of the same time."""
    taken: dict[int, Sighting] = {}
    for sighting in arrived:
        known = taken.get(sighting.at_us) or _known_at(recent, sighting.at_us)
        if known is None or (rules.mode == "accurate" and _rank(sighting, rules) < _rank(known, rules)):
            taken[sighting.at_us] = sighting
    return taken


def _known_at(recent: Sequence[Sighting], time_us: int) -> Sighting | None:
    if not recent or recent[-1].at_us < time_us:
        return None
    place = bisect_left(recent, time_us, key=measured_at_us)
    return recent[place] if recent[place].at_us == time_us else None


def _rank(sighting: Sighting, rules: Rules) -> tuple[float, float, float]:
    """Of sightings with one time, the one with the smallest rank is kept."""
    accuracy_m = rules.default_accuracy_m if sighting.accuracy_m is None else sighting.accuracy_m
    return accuracy_m, sighting.lat_deg, sighting.lon_deg


def _with_speed(placed: Sequence[Sighting], place: int) -> Sighting:
    """The sighting with the speed that follows from an earlier one, where there is one."""
    sighting = placed[place]
    earlier = None
    for candidate in reversed(placed[:place]):
        apart_us = sighting.at_us - candidate.at_us
        if apart_us > LONGEST_SPEED_US:
            break
        if apart_us >= SHORTEST_SPEED_US:
            earlier = candidate
        if apart_us >= STEADY_SPEED_US:
            break
    if earlier is None:
        return sighting
    way_m = distance_m(earlier.lat_deg, earlier.lon_deg, sighting.lat_deg, sighting.lon_deg)
    return msgspec.structs.replace(sighting, speed_mps=way_m * SECOND_US / (sighting.at_us - earlier.at_us))
