"""Whether a device is standing, since when, and where."""

import math
from collections.abc import Sequence

import msgspec

from geo.fix import SECOND_US
from geo.motion import UNKNOWN_M, VAGUE_M
from geo.plane import Plane
from geo.transition import Sighting

#: A device stands when all its fixes of so long …
STANDING_US = 60 * SECOND_US
#: … lie within this of their centre, or within their accuracy where that is less exact.
STANDING_M = 25.0
#: After so long without a fix nobody knows whether it still stands, or stood in between.
SILENCE_US = 600 * SECOND_US
#: No fix counts for more than one of this accuracy: phones that claim less are wrong as often.
FINEST_M = 5.0


class Stop(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A device that stands."""

    since_us: int  #: time of the first fix of it
    seen_us: int  #: time of the newest fix of it
    lat_deg: float  #: centre of its fixes, weighted by their accuracy
    lon_deg: float


class _Fix(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    at_us: int
    east_m: float
    north_m: float
    reach_m: float
    weight: float


def stop(recent: Sequence[Sighting], now_us: int, *, unknown_m: float = UNKNOWN_M) -> Stop | None:
    """Where a device stands, by its believed sightings up to now, in order of time; None: moving, or unknown.

    Sightings vaguer than `VAGUE_M` are left out. A slow walk of less than twice `STANDING_M` in `STANDING_US`
    passes for standing, as does a look around a shop.
    """
    if not recent:
        return None
    plane = Plane.at(recent[-1].lat_deg, recent[-1].lon_deg)
    later_us, centre, shown = now_us, _Centre(), False
    for sighting in reversed(recent):
        accuracy_m = unknown_m if sighting.accuracy_m is None else sighting.accuracy_m
        if accuracy_m > VAGUE_M:
            continue
        fix = _fix(sighting, accuracy_m, plane)
        if later_us - fix.at_us > SILENCE_US or not centre.holds(fix):
            break
        centre.add(fix)
        later_us = fix.at_us
        if not shown and centre.fixes[0].at_us - fix.at_us >= STANDING_US:
            if not all(centre.holds(one) for one in centre.fixes):
                return None
            shown = True
    if not shown:
        return None
    lat_deg, lon_deg = plane.degrees(centre.east_m, centre.north_m)
    return Stop(since_us=later_us, seen_us=centre.fixes[0].at_us, lat_deg=lat_deg, lon_deg=lon_deg)


def _fix(sighting: Sighting, accuracy_m: float, plane: Plane) -> _Fix:
    east_m, north_m = plane.metres(sighting.lat_deg, sighting.lon_deg)
    return _Fix(
        at_us=sighting.at_us,
        east_m=east_m,
        north_m=north_m,
        reach_m=max(STANDING_M, accuracy_m),
        weight=1 / max(FINEST_M, accuracy_m) ** 2,
    )


class _Centre:
    """The weighted centre of fixes, as they are added from the newest to older ones."""

    def __init__(self) -> None:
        self.fixes: list[_Fix] = []
        self.east_m = self.north_m = self._weight = 0.0

    def holds(self, fix: _Fix) -> bool:
        """Whether a fix may be of a device that stands here."""
        off_m = math.hypot(fix.east_m - self.east_m, fix.north_m - self.north_m)
        return not self.fixes or off_m <= fix.reach_m

    def add(self, fix: _Fix) -> None:
        """Moves the centre towards a fix."""
        self.fixes.append(fix)
        self._weight += fix.weight
        share = fix.weight / self._weight
        self.east_m += share * (fix.east_m - self.east_m)
        self.north_m += share * (fix.north_m - self.north_m)
