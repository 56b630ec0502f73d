"""Safe regions: how far a device may go before it can matter.

While no fix of a device lies further than `after_m` from the place asked about, no fence's boundary has been
crossed, so no visit can begin or end and the phone need not report. Dwells and time-outs are the server's
timers. The idea is that of Hu, Xu and Lee (SIGMOD 2005) and Bamba and others (2009).
"""

import math

import msgspec

from geo.distance import MEAN_RADIUS_M, IndexArray
from geo.index import FenceSet
from geo.transition import DeviceState

MAX_AFTER_M = 5_000.0  #: no safe region reaches further
HEARTBEAT_S = 600.0  #: a phone reports at least this often
UNDECIDED_S = 30.0  #: … and this often while a fix left open whether it is inside
MAX_WATCHED = 20  #: iOS monitors 20 regions at a time


class Watch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A circle for the phone's own region monitoring."""

    geofence: str
    lat_deg: float
    lon_deg: float
    radius_m: float


class SafeRegion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """When the phone should report next: whichever of the two comes first."""

    after_m: float  #: having moved so far from where it was; 0: with its next fix
    within_s: float  #: after so long at the latest
    watch: tuple[Watch, ...] = ()  #: the nearest fences, nearest first (an area's bounding circle)


def safe_region(
    lat_deg: float, lon_deg: float, fences: FenceSet, state: DeviceState | None = None
) -> SafeRegion:
    """The safe region around a device's newest fix.

    With the device's state it also minds what that fix left open: a fix inside a fence that was not sure
    enough to enter it, or one outside that was not sure enough to exit. The phone is then asked for more.
    """
    place, gap_m = fences.nearest(lat_deg, lon_deg, MAX_WATCHED, within_m=MAX_AFTER_M)
    nearest_m = float(gap_m[0]) if len(gap_m) else MAX_AFTER_M
    undecided = state is not None and _undecided(state)
    return SafeRegion(
        after_m=0.0 if undecided else surely_within_m(nearest_m, lat_deg),
        within_s=UNDECIDED_S if undecided else HEARTBEAT_S,
        watch=_watched(fences, place),
    )


def _watched(fences: FenceSet, place: IndexArray) -> tuple[Watch, ...]:
    columns = (fences.centre_lat_deg[place], fences.centre_lon_deg[place], fences.radius_m[place])
    rows = zip(place.tolist(), *(column.tolist() for column in columns), strict=True)
    return tuple(
        Watch(geofence=fences.fences[index].external_id, lat_deg=lat, lon_deg=lon, radius_m=radius)
        for index, lat, lon, radius in rows
    )


def surely_within_m(distance_m: float, lat_deg: float) -> float:
    """A distance that was measured in the tangent plane, less all that it can be wrong by on the ellipsoid.

    Over a distance d the length of a degree of longitude changes by d/R·tan(latitude); 1 cm and 0.01 % cover
    the rest.
    """
    steepest = math.radians(min(abs(lat_deg) + 0.1, 89.9))
    wrong = 1e-4 + 1.1 * distance_m / MEAN_RADIUS_M * math.tan(steepest)
    return min(max(0.0, distance_m * (1 - wrong) - 0.01), MAX_AFTER_M)


def _undecided(state: DeviceState) -> bool:
    """Whether the newest fix says otherwise than the open visits."""
    if state.last is None:
        return False
    return {geofence for geofence, _, _ in state.last.inside} != {visit.geofence for visit in state.present}
