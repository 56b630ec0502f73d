"""A device's recent sightings by time: which still count, and where they go."""

from bisect import bisect_left
from collections.abc import Sequence

from geo.fix import SECOND_US
from geo.speed import LONGEST_SPEED_US
from geo.transition import DeviceState, Rules, Sighting


def measured_at_us(sighting: Sighting) -> int:
    """The key by which sightings are ordered."""
    return sighting.at_us


def kept_us(rules: Rules) -> int:
    """How far back a device's sightings are remembered at least: for late fixes, and for speeds."""
    return max(round(rules.lateness_s * SECOND_US), LONGEST_SPEED_US)


def accepted(state: DeviceState, arrived: Sequence[Sighting], rules: Rules) -> list[Sighting]:
    """The sightings that are not too late: by time, or because too many newer ones are known."""
    oldest_us = state.newest_us - round(rules.lateness_s * SECOND_US)
    if len(state.recent) >= rules.window_fixes:
        oldest_us = max(oldest_us, state.recent[-rules.window_fixes].at_us)
    anchor_us = -1 if state.anchor is None else state.anchor.at_us
    return [one for one in arrived if one.at_us >= oldest_us and one.at_us > anchor_us]


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
