"""The `next` of an answer: when a phone should report again, as the JSON that it gets.

Finding a safe region takes as long as everything else about a ping together. So the last one is carried
over: a phone that has moved by `d` within it has its `after_m` less `d` left, among the same fences. When
less than half of that or of its time is left, it is found anew.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from geo.fix import SECOND_US
from geo.region import EVERY_FIX, Asked, SafeRegion, Watch, safe_regions
from geo.transition import Sighting
from server.phones import Phones
from server.world import World

#: No degree, of latitude or at the equator of longitude, is longer; the latter shrinks with the cosine.
LONGEST_DEGREE_M = 112_100.0
#: So many regions are found at once: what is looked at for more of them does not stay near the processor.
AT_ONCE = 64


class Hint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A safe region as it was found."""

    world: World
    ahead: bool  #: whether the phone is to be heard of before it reaches a fence
    lat_deg: float
    lon_deg: float
    after_m: float
    until_us: int
    within_us: int
    watch: bytes  #: JSON of the fences' circles


class Hints:
    """The hints of a pipeline's devices."""

    def __init__(self, phones: Phones) -> None:
        self._phones = phones

    def json(self, slots: npt.NDArray[np.int32], ahead: list[bool], world: World) -> list[bytes]:
        """What these devices are told after a batch; `ahead`: whether a moment may come before a fence."""
        if not world.catalogue.settings.safe_region:
            return [_json(EVERY_FIX)] * len(slots)
        phones = self._phones
        device = phones.devices.take(slots)
        newest = phones.sightings.take(np.maximum(device["head"], 0))
        outside = (device["visit_count"] == 0) & (newest["pair_count"] == 0)
        calm = (device["doubts"] == 0) & (outside | (device["steady"] == 1)) & (device["head"] >= 0)
        columns = (slots, newest["at_us"], newest["lat_deg"], newest["lon_deg"], calm)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        told = [self._carried_over(row, comes, world) for row, comes in zip(rows, ahead, strict=True)]
        anew = [(at, slot) for at, slot in enumerate(slots.tolist()) if not told[at]]
        for first in range(0, len(anew), AT_ONCE):
            for at, hint in self._anew(anew[first : first + AT_ONCE], ahead, world):
                told[at] = hint
        return told

    def _carried_over(self, row: tuple[int, int, float, float, bool], ahead: bool, world: World) -> bytes:
        """What is left of the device's last region; empty where one has to be found anew."""
        slot, at_us, lat_deg, lon_deg, calm = row
        hint: Hint | None = self._phones.hints.get(slot)
        if hint is not None and calm and hint.world is world and hint.ahead == ahead:
            north_m = (lat_deg - hint.lat_deg) * LONGEST_DEGREE_M
            nearer_deg = min(abs(lat_deg), abs(hint.lat_deg))
            east_m = (lon_deg - hint.lon_deg) * LONGEST_DEGREE_M * math.cos(math.radians(nearer_deg))
            left_m = hint.after_m - math.hypot(north_m, east_m)
            left_us = hint.until_us - at_us
            if 2 * left_m >= hint.after_m and hint.within_us <= 2 * left_us:
                return _told(left_m, min(left_us, hint.within_us), lat_deg, lon_deg, hint.watch)
        return b""

    def _anew(
        self, places: Iterable[tuple[int, int]], ahead: list[bool], world: World
    ) -> Iterator[tuple[int, bytes]]:
        """The same for devices by place in the batch and slot, with the place. Who was never seen is left
        out.
        """
        phones, approach_s = self._phones, float(world.catalogue.settings.approach_s)
        asked = {
            (at, slot): Asked(
                seen,
                phones.present(slot),
                believed=not phones.devices.get_one(slot).doubts,
                approach_s=approach_s if ahead[at] else 0.0,
            )
            for at, slot in places
            if (seen := phones.newest(slot)) is not None
        }
        regions = safe_regions(list(asked.values()), world.fences, world.rules)
        for ((at, slot), one), region in zip(asked.items(), regions, strict=True):
            yield at, self._found(slot, one.seen, region, ahead[at], world)

    def _found(self, slot: int, seen: Sighting, region: SafeRegion, ahead: bool, world: World) -> bytes:
        """Remembers a region that was found; the JSON of it."""
        self._phones.hints.pop(slot, None)
        if not region.after_m:
            return _json(region)
        within_us = int(region.within_s * SECOND_US)
        hint = self._phones.hints[slot] = Hint(
            world=world,
            ahead=ahead,
            lat_deg=seen.lat_deg,
            lon_deg=seen.lon_deg,
            after_m=region.after_m,
            until_us=seen.at_us + within_us,
            within_us=within_us,
            watch=_circles(region.watch[1:]),
        )
        return _told(region.after_m, within_us, seen.lat_deg, seen.lon_deg, hint.watch)


class _Next(msgspec.Struct, frozen=True):
    watch: list[Watch]


class Glance(NamedTuple):
    """What a look at a hint's bytes says, without reading them all."""

    after_m: float
    fences: bytes  #: its circles but for the rim; of a carried-over region the same bytes


def at_a_glance(hint: bytes) -> Glance:
    """Splits a hint after its rim, which `_told` and `_json` write first."""
    return Glance(float(hint[len(b'{"after_m":') : hint.index(b",")]), hint.partition(b"}")[2])


def watched_by(hint: bytes) -> list[Watch]:
    """The circles that a hint tells to watch."""
    return msgspec.json.decode(hint, type=_Next).watch


def _told(after_m: float, within_us: int, lat_deg: float, lon_deg: float, watch: bytes) -> bytes:
    """The JSON of a region: its rim is the first circle to watch."""
    return (
        f'{{"after_m":{after_m!r},"within_s":{within_us / SECOND_US!r},"watch":[{{"geofence_id":"",'
        f'"lat":{lat_deg!r},"lon":{lon_deg!r},"radius_m":{after_m!r}}}'
    ).encode() + (b",%b]}" % watch if watch else b"]}")


def _json(region: SafeRegion) -> bytes:
    return b'{"after_m":%b,"within_s":%b,"watch":[%b]}' % (
        repr(region.after_m).encode(),
        repr(region.within_s).encode(),
        _circles(region.watch),
    )


def _circles(watch: Sequence[Watch]) -> bytes:
    """The JSON of some circles, with commas between."""
    return msgspec.json.encode(watch)[1:-1]
