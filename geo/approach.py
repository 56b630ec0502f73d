"""Whether a device comes nearer to a place: how fast, how straight, and when it will be there."""

import math
from collections.abc import Callable, Sequence

import msgspec

from geo.accuracy import SIGMA_PER_ACCURACY
from geo.distance import point_distance_m, point_earth_centred
from geo.fence import Circle, Fence
from geo.fix import SECOND_US
from geo.motion import UNKNOWN_M, VAGUE_M
from geo.plane import Plane
from geo.stop import FINEST_M
from geo.transition import Sighting

#: The closing speed is taken from the fixes of at least so long, and of no longer than this.
SHORTEST_US, LONGEST_US = 15 * SECOND_US, 90 * SECOND_US
FEWEST_FIXES = 3
#: So many seconds are enough as leave the closing speed uncertain by this, or by this share of it …
SURE_MPS, SURE_SHARE = 0.15, 0.25
#: … and where the longest time leaves it more uncertain than this, nothing is told.
UNSURE_MPS, UNSURE_SHARE = 0.3, 0.5
#: Slower than this a device is not on its way: it has no course, and no time of arrival.
SLOWEST_MPS = 0.3


class Approach(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a device moves towards a place, at its newest fix."""

    closing_mps: float  #: how fast the distance shrinks; negative: it grows
    heading_off_deg: float | None  #: 0 (straight towards it) to 180; None: standing, or there
    eta_s: float | None  #: time until it is there, at this closing speed; None: not coming
    distance_m: float  #: by all fixes looked at
    since_us: int  #: time of the first of them


def approach(
    recent: Sequence[Sighting], target: Fence | tuple[float, float], *, unknown_m: float = UNKNOWN_M
) -> Approach | None:
    """How a device comes nearer to a fence's boundary, or to a point (latitude, longitude).

    `recent` are its believed sightings in order of time; those vaguer than `VAGUE_M` are left out. The
    distance is fitted by a straight line over time (least squares, weighted by accuracy), over the shortest
    time back from the newest fix that makes it sure. None: too few fixes, or noise hides the motion.
    """
    if len(recent) < FEWEST_FIXES or recent[-1].at_us - recent[0].at_us < SHORTEST_US:
        return None
    away = _distance_to(target)
    fit, plane, newest_us, since_us = _Fit(), None, 0, 0
    for sighting in reversed(recent):
        accuracy_m = unknown_m if sighting.accuracy_m is None else sighting.accuracy_m
        if accuracy_m > VAGUE_M:
            continue
        if plane is None:
            plane, newest_us = Plane.at(sighting.lat_deg, sighting.lon_deg), sighting.at_us
        if newest_us - sighting.at_us > LONGEST_US:
            break
        since_us = sighting.at_us
        away_m = away(sighting.lat_deg, sighting.lon_deg)
        east_m, north_m = plane.metres(sighting.lat_deg, sighting.lon_deg)
        sigma_m = max(FINEST_M, accuracy_m) * SIGMA_PER_ACCURACY
        fit.add((since_us - newest_us) / SECOND_US, sigma_m, (away_m, east_m, north_m))
        if newest_us - since_us >= SHORTEST_US and fit.is_sure(SURE_MPS, SURE_SHARE):
            break
    if plane is None or newest_us - since_us < SHORTEST_US or not fit.is_sure(UNSURE_MPS, UNSURE_SHARE):
        return None
    closing_mps, away_m = -fit.slope(_AWAY), max(0.0, fit.level(_AWAY))
    return Approach(
        closing_mps=closing_mps,
        heading_off_deg=_heading_off_deg(fit, plane.metres(*_middle(target))),
        eta_s=away_m / closing_mps if closing_mps >= SLOWEST_MPS else None,
        distance_m=away_m,
        since_us=since_us,
    )


def _distance_to(target: Fence | tuple[float, float]) -> Callable[[float, float], float]:
    """What measures the distance to it."""
    if isinstance(target, Fence):
        return target.distance_m
    there = point_earth_centred(*target)
    return lambda lat_deg, lon_deg: point_distance_m(there, point_earth_centred(lat_deg, lon_deg))


def _middle(target: Fence | tuple[float, float]) -> tuple[float, float]:
    if not isinstance(target, Fence):
        return target
    circle = target.shape if isinstance(target.shape, Circle) else target.shape.bounding_circle
    return circle.lat_deg, circle.lon_deg


def _heading_off_deg(fit: "_Fit", to_m: tuple[float, float]) -> float | None:
    """The angle between the course and the way to a place, metres east and north of the newest fix."""
    course = fit.slope(_EAST), fit.slope(_NORTH)
    way = to_m[0] - fit.level(_EAST), to_m[1] - fit.level(_NORTH)
    if math.hypot(*course) < SLOWEST_MPS or math.hypot(*way) < 1.0:
        return None
    turn = math.atan2(course[0], course[1]) - math.atan2(way[0], way[1])
    return abs(math.degrees(math.remainder(turn, 2 * math.pi)))


#: The values fitted: the distance, and metres east and north.
_AWAY, _EAST, _NORTH = range(3)


class _Fit:
    """Straight lines through values over time, by least squares."""

    def __init__(self) -> None:
        self._count = 0
        self._weight = self._time = self._time2 = 0.0
        self._value, self._product = [0.0] * 3, [0.0] * 3

    def add(self, time_s: float, sigma: float, values: tuple[float, float, float]) -> None:
        """Takes the values at a time into account."""
        weight = 1 / sigma**2
        self._count += 1
        self._weight += weight
        self._time += weight * time_s
        self._time2 += weight * time_s * time_s
        moment = weight * time_s
        for which, value in enumerate(values):
            self._value[which] += weight * value
            self._product[which] += moment * value

    def slope(self, which: int) -> float:
        """By how much a value grows in a second."""
        return (self._weight * self._product[which] - self._time * self._value[which]) / self._spread

    def level(self, which: int) -> float:
        """A value at time 0."""
        return (self._value[which] - self.slope(which) * self._time) / self._weight

    def is_sure(self, least: float, share: float) -> bool:
        """Whether the slope of the distance is certain to `least`, or to a share of it."""
        if self._count < FEWEST_FIXES:
            return False
        return math.sqrt(self._weight / self._spread) <= max(least, share * abs(self.slope(_AWAY)))

    @property
    def _spread(self) -> float:
        return self._weight * self._time2 - self._time**2
