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
from geo.region import RIM, SafeRegion, surely_within_m
from server.edge.room import Outlook, Worth
from server.inputs import RecordFixes

REGIONS_MOST = 200_000  #: devices whose regions are remembered; the least recently told go first


class Told(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The region that a device was told of."""

    version: int  #: what was published when it was
    lat_deg: float
    lon_deg: float
    from_us: int
    until_us: int
    region: SafeRegion

    def holds(self, fix: Fix) -> bool:
        """Whether the fix lies in it."""
        away_m = distance_m(self.lat_deg, self.lon_deg, fix.lat_deg, fix.lon_deg)
        return self.from_us <= fix.fixed_at_us < self.until_us and away_m < self.region.after_m

    def from_there(self, fix: Fix) -> SafeRegion:
        """What is left of it around a fix in it: as far as its rim, as long as it lasts."""
        away_m = distance_m(self.lat_deg, self.lon_deg, fix.lat_deg, fix.lon_deg)
        after_m = surely_within_m(self.region.after_m - away_m, fix.lat_deg)
        rim, *others = self.region.watch
        rim = msgspec.structs.replace(rim, lat_deg=fix.lat_deg, lon_deg=fix.lon_deg, radius_m=after_m)
        within_s = (self.until_us - fix.fixed_at_us) / SECOND_US
        return SafeRegion(after_m=after_m, within_s=within_s, watch=(rim, *others))


class Shedding:
    """The regions that devices were told of, and what follows from them."""

    def __init__(self) -> None:
        self._told: dict[str, Told] = {}

    def remember(self, ping: RecordFixes, region: SafeRegion, outlook: Outlook) -> None:
        """A device is told of a region, after a ping of it was taken."""
        self._told.pop(ping.device_id, None)
        newest = max(ping.fixes, key=_time)
        centre = region.watch[0] if region.watch else None
        # No rim: every fix is wanted. Another centre: the newest fix came with another ping, and its time is
        # not known here.
        if centre is None or centre.geofence != RIM:
            return
        if (centre.lat_deg, centre.lon_deg) != (newest.lat_deg, newest.lon_deg):
            return
        if len(self._told) >= REGIONS_MOST:
            del self._told[next(iter(self._told))]
        self._told[ping.device_id] = Told(
            version=outlook.version,
            lat_deg=newest.lat_deg,
            lon_deg=newest.lon_deg,
            from_us=newest.fixed_at_us,
            until_us=newest.fixed_at_us + round(region.within_s * SECOND_US),
            region=region,
        )

    def forget(self, device_id: str) -> None:
        """The device's shopper has become interested in something: her region is another now."""
        self._told.pop(device_id, None)

    def region_holding(self, ping: RecordFixes, outlook: Outlook) -> Told | None:
        """The region that the ping's device was told of, if it still holds and all fixes lie in it."""
        told = self._told.get(ping.device_id)
        if told is None or told.version != outlook.version or not all(map(told.holds, ping.fixes)):
            return None
        return told

    def worth(self, ping: RecordFixes, outlook: Outlook) -> Worth:
        """What a ping is worth of which nothing is known to make it worthless."""
        if all(ping.received_at_us - fix.fixed_at_us > STALE_AFTER_US for fix in ping.fixes):
            return Worth.LITTLE
        return Worth.MUCH if outlook.interested else Worth.SOME


def region_body(region: SafeRegion) -> dict[str, Any]:
    """When the phone should report next, and which circles it may watch for itself."""
    watch = [
        {"geofence_id": w.geofence, "lat": w.lat_deg, "lon": w.lon_deg, "radius_m": w.radius_m}
        for w in region.watch
    ]
    return {"after_m": region.after_m, "within_s": region.within_s, "watch": watch}


def _time(fix: Fix) -> int:
    return fix.fixed_at_us
