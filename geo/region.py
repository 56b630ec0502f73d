"""Safe regions: how far and how long a device may go before it can matter.

While a device stays nearer than `after_m` to its newest fix, and until `within_s` have passed, no fix of it
can begin or end a visit: between the two it has crossed no boundary of a fence, and no fence has come or
gone. So it need not report. Dwells and time-outs are the server's timers. docs/safe-regions.md says why no
transition is missed and what a phone has to do; the idea is that of Hu, Xu and Lee (SIGMOD 2005) and of
Bamba, Liu, Iyengar and Yu (ICDCS 2009).

Fences count that are enabled, and that are valid at some time before the device will report again.
"""

import math
from collections.abc import Sequence
from itertools import pairwise, repeat
from typing import NamedTuple

import msgspec
import numpy as np

from geo.distance import MEAN_RADIUS_M, distance_m
from geo.fences.columns import Shown
from geo.fix import SECOND_US
from geo.index import FenceSet
from geo.transition import Presence, Rules, Sighting

MAX_AFTER_M = 5_000.0  #: no safe region reaches further
HEARTBEAT_S = 600.0  #: a phone that visits something reports at least this often …
HEARTBEATS = 3  #: … and so many times before its visit would be ended for silence
IDLE_HEARTBEAT_S = 7_200.0  #: … and this often elsewhere, which is how late it may learn of a new fence
UNDECIDED_S = 30.0  #: … and this often while every fix is wanted
PLAIN_S = 60.0  #: … and this often where safe regions are turned off
APPROACH_MPS = 2.0  #: who comes to a door on foot is no faster, and is to be heard of on the way
MAX_WATCHED = 20  #: iOS monitors 20 regions at a time: the rim and the nearest fences
RIM = ""  #: in place of a geofence's id (which is never empty): the rim of the safe region
#: A phone that measures on a sphere of mean radius measures up to 0.45 % too little (northward at a pole).
SPHERE_SHARE = 0.005


class Watch(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    rename={"geofence": "geofence_id", "lat_deg": "lat", "lon_deg": "lon"},
):
    """A circle for the phone's own region monitoring, and as JSON what the phone is told of it.

    For a geofence it is such that a phone that stays on the same side of it as its newest fix stays on the
    same side of the geofence.
    """

    geofence: str  #: or `RIM`
    lat_deg: float
    lon_deg: float
    radius_m: float


class SafeRegion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """When the phone should report next: whichever of the two comes first."""

    after_m: float  #: being at least so far from its newest fix; 0: with its next fix, wherever that is
    within_s: float  #: so long after its newest fix
    watch: tuple[Watch, ...] = ()  #: the rim, then the nearest fences, the nearest first


#: The answer where a retailer has turned safe regions off: report every fix, and one a minute.
EVERY_FIX = SafeRegion(after_m=0.0, within_s=PLAIN_S)


class Asked(NamedTuple):
    """A device whose safe region is asked for."""

    seen: Sighting  #: its newest fix
    present: Sequence[Presence]  #: the visits open after it
    believed: bool = True  #: whether that fix is
    approach_s: float = 0.0  #: it is to be heard of from where it takes so long to walk to a fence


def safe_region(
    seen: Sighting,
    present: Sequence[Presence],
    fences: FenceSet,
    rules: Rules,
    *,
    believed: bool = True,
    approach_s: float = 0.0,
) -> SafeRegion:
    """The safe region around a device's newest fix, `seen`, given the visits open after it.

    Where that fix leaves something open there is no region, and the phone is asked for every fix: it lies in
    a fence and was not sure enough to enter it, or an open visit is not supported by it, or it was not
    `believed`. The next fix may be more accurate wherever it is. So is a phone from which it takes less than
    `approach_s` to walk to a fence.
    """
    [region] = safe_regions([Asked(seen, present, believed, approach_s)], fences, rules)
    return region


def safe_regions(asked: Sequence[Asked], fences: FenceSet, rules: Rules) -> list[SafeRegion]:
    """The safe region of each of some devices: all fences are looked for at once."""
    if not asked:
        return []
    lat_deg, lon_deg = [one.seen.lat_deg for one in asked], [one.seen.lon_deg for one in asked]
    begin_us = [one.seen.at_us for one in asked]
    until_us = [one.seen.at_us + round(_heartbeat_s(one.present, rules) * SECOND_US) for one in asked]
    around = fences.match_each(np.array(lat_deg), np.array(lon_deg))
    times_us = list(zip(begin_us, until_us, strict=True))
    near = fences.nearest_each(lat_deg, lon_deg, MAX_WATCHED - 1, within_m=MAX_AFTER_M, times_us=times_us)
    names = map(fences.roll.external_id, fences.number[near.place].tolist())
    rows = list(map(_Near, near.place.tolist(), names, fences.shown(near.place), near.gap_m.tolist()))
    ends = near.point.searchsorted(np.arange(len(asked) + 1)).tolist()
    each = [rows[begin:end] for begin, end in pairwise(ends)]
    return list(map(_region, asked, until_us, around, each, repeat(fences)))


class _Near(NamedTuple):
    """A fence that counts."""

    place: int
    geofence: str
    shown: Shown
    gap_m: float  #: to its boundary


def _region(
    asked: Asked, until_us: int, around: Sequence[int], near: Sequence[_Near], fences: FenceSet
) -> SafeRegion:
    """`around` are the places of the fences that hold the newest fix, `near` those that are nearest to it."""
    seen, belt_m = asked.seen, asked.approach_s * APPROACH_MPS
    undecided = not asked.believed or _is_open(seen, asked.present, around, fences)
    # How far around a fence a device that is outside is to be heard of.
    belts_m = [0.0 if one.place in around else belt_m for one in near]
    free_m = min(
        (one.gap_m - around_m for one, around_m in zip(near, belts_m, strict=True)),
        default=MAX_AFTER_M - belt_m,
    )
    after_m = 0.0 if undecided else surely_within_m(free_m, seen.lat_deg)
    circles = tuple(map(_watched, repeat(seen), near, belts_m))
    if not after_m:
        return SafeRegion(after_m=0.0, within_s=UNDECIDED_S, watch=circles)
    rim = Watch(geofence=RIM, lat_deg=seen.lat_deg, lon_deg=seen.lon_deg, radius_m=after_m)
    within_s = _within_s(seen.at_us, until_us, around, fences)
    return SafeRegion(after_m=after_m, within_s=within_s, watch=(rim, *circles))


def surely_within_m(measured_m: float, lat_deg: float) -> float:
    """A distance less all that it can be wrong by, here or on a phone.

    Areas are measured in the plane that touches the Earth at the fix: over a distance d the length of a
    degree of longitude changes by d/R·tan(latitude). 1 cm and 0.01 % cover the rest.
    """
    steepest = math.radians(min(abs(lat_deg) + 0.1, 89.9))
    wrong = SPHERE_SHARE + 1e-4 + 1.1 * measured_m / MEAN_RADIUS_M * math.tan(steepest)
    return min(max(0.0, measured_m * (1 - wrong) - 0.01), MAX_AFTER_M)


def _heartbeat_s(present: Sequence[Presence], rules: Rules) -> float:
    """How often a device reports at least."""
    return min(HEARTBEAT_S, rules.presence_timeout_s / HEARTBEATS) if present else IDLE_HEARTBEAT_S


def _is_open(seen: Sighting, present: Sequence[Presence], around: Sequence[int], fences: FenceSet) -> bool:
    """Whether the newest fix says anything else than the open visits."""
    if any(visit.supported_at_us < seen.at_us or visit.doubted_at_us is not None for visit in present):
        return True
    inside = {_name(place, fences) for place in around if _is_valid(place, seen.at_us, fences)}
    return inside != {(visit.geofence, visit.store) for visit in present}


def _within_s(at_us: int, until_us: int, around: Sequence[int], fences: FenceSet) -> float:
    """Seconds until a time, or until one of the fences around a place begins or ends, if that is sooner.

    A fence elsewhere that begins or ends changes nothing for a device that stays out of it. A millisecond is
    taken off for phones that count seconds in floating point.
    """
    changes = [change for place in around for change in fences.validity_us(place)] if fences.temporary else []
    sooner_us = min((change for change in changes if at_us < change <= until_us), default=None)
    if sooner_us is None:
        return (until_us - at_us) / SECOND_US
    return max(0, (sooner_us - at_us) // 1000 - 1) / 1000


def _watched(seen: Sighting, near: _Near, belt_m: float) -> Watch:
    """The circle to watch for a fence.

    A circle's is itself. An area's is one that holds it; if that holds the fix as well, it says nothing, and
    the circle around the fix that touches the area's boundary is watched.
    """
    lat_deg, lon_deg, radius_m, is_area = near.shown
    radius_m += belt_m
    if is_area and distance_m(seen.lat_deg, seen.lon_deg, lat_deg, lon_deg) <= radius_m:
        lat_deg, lon_deg = seen.lat_deg, seen.lon_deg
        radius_m = surely_within_m(near.gap_m - belt_m, lat_deg)
    return Watch(geofence=near.geofence, lat_deg=lat_deg, lon_deg=lon_deg, radius_m=radius_m)


def _is_valid(place: int, at_us: int, fences: FenceSet) -> bool:
    from_us, until_us = fences.validity_us(place)
    return from_us <= at_us < until_us


def _name(place: int, fences: FenceSet) -> tuple[str, str]:
    """The external ids of a fence and its store."""
    return fences.roll.name(int(fences.number[place]))
