"""A device's recent sightings by time: which still count, where they go, and the speeds they imply."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

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


def in_window(state: DeviceState, arrived: Iterable[Sighting], rules: Rules) -> list[Sighting]:
    """The sightings that were not too late when they arrived."""
    newest_us, lateness_us = state.newest_us, round(rules.lateness_s * SECOND_US)
    accepted = []
    for sighting in arrived:
        newest_us = max(newest_us, sighting.at_us)
        if sighting.at_us >= newest_us - lateness_us and sighting.at_us > state.sealed_us:
            accepted.append(sighting)
    return accepted


def merged(
    recent: tuple[Sighting, ...], arrived: Sequence[Sighting], rules: Rules
) -> tuple[tuple[Sighting, ...], int | None]:
    """The window with sightings put in their places, and the first place that differs (None: none does)."""
    if len(arrived) == 1 and (not recent or recent[-1].at_us < arrived[0].at_us):
        return (*recent, arrived[0]), len(recent)
    by_time: dict[int, Sighting] = {}
    for sighting in arrived:
        known = by_time.get(sighting.at_us) or _known_at(recent, sighting.at_us)
        if known is None or (rules.mode == "accurate" and _rank(sighting, rules) < _rank(known, rules)):
            by_time[sighting.at_us] = sighting
    if not by_time:
        return recent, None
    start = bisect_left(recent, min(by_time), key=measured_at_us)
    for sighting in recent[start:]:
        by_time.setdefault(sighting.at_us, sighting)
    return (*recent[:start], *(by_time[time] for time in sorted(by_time))), start


def _known_at(recent: Sequence[Sighting], at_us: int) -> Sighting | None:
    place = bisect_left(recent, at_us, key=measured_at_us)
    return recent[place] if place < len(recent) and recent[place].at_us == at_us else None


def _rank(sighting: Sighting, rules: Rules) -> tuple[float, float, float]:
    """Of sightings with one time, the one with the smallest rank is kept."""
    accuracy_m = rules.default_accuracy_m if sighting.accuracy_m is None else sighting.accuracy_m
    return accuracy_m, sighting.lat_deg, sighting.lon_deg


def speed_at(recent: Sequence[Sighting], at_us: int) -> float | None:
    """The device's speed at its last fix by a time: measured, else derived from an earlier fix, else None."""
    place = bisect_right(recent, at_us, key=measured_at_us) - 1
    if place < 0:
        return None
    sighting, earlier = recent[place], None
    if sighting.speed_mps is not None:
        return sighting.speed_mps
    for index in range(place - 1, -1, -1):
        apart_us = sighting.at_us - recent[index].at_us
        if apart_us > LONGEST_SPEED_US:
            break
        if apart_us >= SHORTEST_SPEED_US:
            earlier = recent[index]
        if apart_us >= STEADY_SPEED_US:
            break
    if earlier is None:
        return None
    way_m = distance_m(earlier.lat_deg, earlier.lon_deg, sighting.lat_deg, sighting.lon_deg)
    return way_m * SECOND_US / (sighting.at_us - earlier.at_us)
