"""What a ping is worth while not all can be taken.

The answer to a ping names a safe region: no fix inside it, for a time, can begin or end a visit. So a ping
whose fixes all lie in the region that its device was last told of can change nothing, and is the first to
be refused. Its answer says how far and how long the device may still go from where it is now: what is left
of the region.
"""

from typing import Any

import msgspec

from geo.distance import distance_m
from geo.fix import SECOND_US, STALE_AFTER_US, Fix
from geo.region import RIM, surely_within_m
from server.edge.room import Outlook, Worth
from server.inputs import RecordFixes

REGIONS_MOST = 200_000  #: devices whose regions are remembered; the least recently told go first
SAME_DEG = 1e-6  #: positions that are no farther apart are the same: JSON has rounded one of them


class Next(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a device was told: when to report next."""

    after_m: float
    within_s: float
    watch: list[dict[str, Any]]


class Told(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a device was told around its newest fix."""

    version: int  #: what was published when it was
    lat_deg: float
    lon_deg: float
    at_us: int
    next: bytes  #: as JSON, read only when it is needed

    def region(self) -> Next | None:
        """The safe region; None where every fix is wanted, or it is the one around another fix."""
        told = _next.decode(self.next)
        rim = told.watch[0] if told.watch else {}
        if rim.get("geofence_id") != RIM:
            return None
        away_deg = max(abs(rim["lat"] - self.lat_deg), abs(rim["lon"] - self.lon_deg))
        return told if away_deg <= SAME_DEG else None

    def left_around(self, fixes: list[Fix], region: Next) -> Next | None:
        """What is left of the region around the newest of some fixes; None where not all lie in it."""
        until_us = self.at_us + round(region.within_s * SECOND_US)
        away_m = [distance_m(self.lat_deg, self.lon_deg, fix.lat_deg, fix.lon_deg) for fix in fixes]
        times_us = [fix.fixed_at_us for fix in fixes]
        if not (self.at_us <= min(times_us) and max(times_us) < until_us and max(away_m) < region.after_m):
            return None
        newest = max(range(len(fixes)), key=times_us.__getitem__)
        here = fixes[newest]
        after_m = surely_within_m(region.after_m - away_m[newest], here.lat_deg)
        rim = {"geofence_id": RIM, "lat": here.lat_deg, "lon": here.lon_deg, "radius_m": after_m}
        within_s = (until_us - times_us[newest]) / SECOND_US
        return Next(after_m=after_m, within_s=within_s, watch=[rim, *region.watch[1:]])


_next = msgspec.json.Decoder(Next)


class Shedding:
    """What devices were told, and what follows from it."""

    def __init__(self) -> None:
        self._told: dict[str, Told] = {}

    def remember(self, ping: RecordFixes, told: bytes, version: int) -> None:
        """A device was told that, as `next`, when a ping of it had been taken."""
        self._told.pop(ping.device_id, None)
        if len(self._told) >= REGIONS_MOST:
            del self._told[next(iter(self._told))]
        newest = ping.fixes[-1]  # if it is not, the region is not around it
        self._told[ping.device_id] = Told(
            version=version,
            lat_deg=newest.lat_deg,
            lon_deg=newest.lon_deg,
            at_us=newest.fixed_at_us,
            next=told,
        )

    def forget(self, device_id: str) -> None:
        """The device's shopper has become interested in something: her region is another now."""
        self._told.pop(device_id, None)

    def what_is_left(self, ping: RecordFixes, outlook: Outlook) -> Next | None:
        """What is left of the region that the ping's device was told of, if it holds all of its fixes."""
        told = self._told.get(ping.device_id)
        if told is None or told.version != outlook.version or (region := told.region()) is None:
            return None
        return told.left_around(list(ping.fixes), region)

    def worth(self, ping: RecordFixes, outlook: Outlook) -> Worth:
        """What a ping is worth of which nothing is known to make it worthless."""
        if all(ping.received_at_us - fix.fixed_at_us > STALE_AFTER_US for fix in ping.fixes):
            return Worth.LITTLE
        return Worth.MUCH if outlook.interested else Worth.SOME
