"""What a client is told of the circles that its phone is to watch: the safe region and the nearest fences.

A client is told what changed, and nothing when nothing did: OwnTracks on Android takes a region that it is
told again for a new one, and reports another `enter` for a phone that is already inside.

Circles around the phone itself (the rim, and fences that hold the phone) move with every fix. They are kept
for as long as the phone is inside: no boundary lies in them, so leaving them is still what matters.
"""

import itertools
from collections.abc import Sequence

import msgspec

from geo.distance import distance_m
from geo.region import RIM, Watch

#: The name by which phones know the rim of the safe region.
RIM_NAME = "vicino-rim"
#: Phones do not notice reliably that they left a smaller circle.
LEAST_RIM_M = 150.0
#: Circles have numbers from here on: OwnTracks takes them for seconds since 1970, and a user's own regions
#: are of the years in which the app was there.
FIRST_NUMBER = 1_000_000_000


class Circle(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A circle to watch, by the name and the number that the phone knows it by."""

    name: str  #: the geofence's id, or `RIM_NAME`
    number: int  #: of this device alone
    lat_deg: float
    lon_deg: float
    radius_m: float
    moving: bool = False  #: it lies around a position of the phone


class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is to be told now."""

    put: tuple[Circle, ...] = ()  #: new or changed
    gone: tuple[Circle, ...] = ()
    all: tuple[Circle, ...] = ()  #: everything that is to be watched


NOTHING = Change()


def changed(held: Sequence[Circle], wanted: Sequence[Watch], here: tuple[float, float]) -> Change:
    """What a phone at `here`, which watches `held`, is to be told so that it watches `wanted`.

    A number that has become free is given to the next circle: that replaces the old one on a phone which
    cannot be told to forget it.
    """
    by_name = {circle.name: circle for circle in held}
    named = {watch.geofence or RIM_NAME: watch for watch in wanted if _is_worth_watching(watch)}
    taken = {circle.number for circle in held if circle.name in named}
    free = (number for number in itertools.count(FIRST_NUMBER) if number not in taken)
    kept, put = [], []
    for name, watch in named.items():
        circle = by_name.get(name)
        if circle is not None and _is_the_same(circle, watch, here):
            kept.append(circle)
        else:
            number = next(free) if circle is None else circle.number
            put.append(_circle(name, number, watch, here))
    gone = tuple(circle for circle in held if circle.name not in named)
    return Change(put=tuple(put), gone=gone, all=(*kept, *put))


def _is_worth_watching(watch: Watch) -> bool:
    return watch.geofence != RIM or watch.radius_m >= LEAST_RIM_M


def _is_the_same(circle: Circle, watch: Watch, here: tuple[float, float]) -> bool:
    if (watch.lat_deg, watch.lon_deg) == here:
        return circle.moving and distance_m(circle.lat_deg, circle.lon_deg, *here) <= circle.radius_m
    if circle.moving:
        return False
    return (circle.lat_deg, circle.lon_deg) == (watch.lat_deg, watch.lon_deg) and (
        abs(circle.radius_m - watch.radius_m) < 1
    )


def _circle(name: str, number: int, watch: Watch, here: tuple[float, float]) -> Circle:
    return Circle(
        name=name,
        number=number,
        lat_deg=watch.lat_deg,
        lon_deg=watch.lon_deg,
        radius_m=watch.radius_m,
        moving=(watch.lat_deg, watch.lon_deg) == here,
    )
