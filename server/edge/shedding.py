"""What a ping is worth while not all can be taken.

The answer to a ping names a safe region: no fix inside it, for a time, can begin or end a visit. So a ping
whose fixes all lie in the region that its device was last told of can change nothing, and is the first to
be refused. Its answer says how far and how long the device may still go from where it is now: what is left
of the region. That has to be cheap: under an overload most answers are such.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from geo.distance import LONGEST_DEGREE_M
from geo.fix import SECOND_US, STALE_AFTER_US
from geo.region import RIM
from server.edge.room import Outlook, Worth
from server.inputs import RecordFixes

REGIONS_MOST = 200_000  #: devices whose regions are remembered; the least recently told go first
REACH_DEG = 0.05  #: of latitude; no region reaches so far (`MAX_AFTER_M`)
SAME_DEG = 1e-6  #: positions that are no farther apart are the same: JSON has rounded one of them


class Measured(Protocol):
    """A fix, here or on the wire."""

    @property
    def lat_deg(self) -> float: ...
    @property
    def lon_deg(self) -> float: ...
    @property
    def fixed_at_us(self) -> int: ...


class Left(NamedTuple):
    """What is left of a safe region."""

    within_s: int
    next: bytes  #: as JSON: what a phone is told


class Region(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A safe region that a device was told of."""

    narrows: float  #: a degree of longitude is no longer than that of one at the equator
    after_m: float
    until_us: int
    watch: bytes  #: the circles to watch, as JSON; the first is the region's rim


class Told(msgspec.Struct, kw_only=True, gc=False):
    """What a device was told around its newest fix."""

    version: int  #: what was published when it was
    lat_deg: float
    lon_deg: float
    at_us: int
    next: bytes  #: as JSON; empty once it was read
    read: Region | None = None

    def region(self) -> Region | None:
        """The safe region; None where every fix is wanted, or it is the one around another fix."""
        if self.next:
            self.read, self.next = self._region(_next.decode(self.next)), b""
        return self.read

    def _region(self, told: "_Next") -> Region | None:
        rim = next(iter(_circles.decode(told.watch)), None)
        if rim is None or rim.geofence_id != RIM:
            return None
        if max(abs(rim.lat - self.lat_deg), abs(rim.lon - self.lon_deg)) > SAME_DEG:
            return None
        return Region(
            narrows=math.cos(math.radians(max(0.0, abs(self.lat_deg) - REACH_DEG))),
            after_m=told.after_m,
            until_us=self.at_us + round(told.within_s * SECOND_US),
            watch=bytes(told.watch),
        )

    def left_around(self, fixes: Sequence[Measured], region: Region) -> Left | None:
        """What is left of the region for a device at the newest of these fixes; None where not all of them
        lie in it. The circles to watch are as they were.
        """
        newest_us, here_m = -1, 0.0
        for fix in fixes:
            at_us = fix.fixed_at_us
            north_deg, east_deg = fix.lat_deg - self.lat_deg, fix.lon_deg - self.lon_deg
            away_m = LONGEST_DEGREE_M * math.hypot(north_deg, east_deg * region.narrows)
            if not (self.at_us <= at_us < region.until_us and away_m < region.after_m):
                return None
            if at_us > newest_us:
                newest_us, here_m = at_us, away_m
        if newest_us < 0:
            return None
        within_ms = (region.until_us - newest_us) // 1000
        # Both round down.
        after_m = max(0.0, region.after_m - here_m - 0.005)
        told = b'{"after_m":%.2f,"within_s":%.3f,"watch":%b}' % (after_m, within_ms / 1000, region.watch)
        return Left(within_ms // 1000, told)


class _Next(msgspec.Struct, frozen=True, gc=False):
    after_m: float
    within_s: float
    watch: msgspec.Raw


class _Circle(msgspec.Struct, frozen=True, gc=False):
    geofence_id: str
    lat: float
    lon: float


_next = msgspec.json.Decoder(_Next)
_circles = msgspec.json.Decoder(list[_Circle])


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

    def what_is_left(self, ping: RecordFixes, outlook: Outlook) -> Left | None:
        """What is left of the region that the ping's device was told of, if it holds all of its fixes."""
        return self.left_of(ping.device_id, ping.fixes, outlook.version)

    def left_of(self, device_id: str, fixes: Sequence[Measured], version: int) -> Left | None:
        """Likewise, of a device and its fixes alone."""
        told = self._told.get(device_id)
        if told is None or told.version != version or (region := told.region()) is None:
            return None
        return told.left_around(fixes, region)

    def worth(self, ping: RecordFixes, outlook: Outlook) -> Worth:
        """What a ping is worth of which nothing is known to make it worthless."""
        if all(ping.received_at_us - fix.fixed_at_us > STALE_AFTER_US for fix in ping.fixes):
            return Worth.LITTLE
        return Worth.MUCH if outlook.interested else Worth.SOME
