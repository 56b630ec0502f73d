"""How often the visits of a phone that lies still begin or end: transitions per device-day and fence.

The phones are those of MobilityNet's stationary calibration, which lay in one place on eight runs. The fences
are circles of 50, 100 and 150 m whose boundary passes 10 or 30 m from the phone's median fix, inside and
outside, in six directions. The one enter by which a run of a phone that lies inside begins is right, and not
counted (`stationary_with_it` does).

These phones slept for up to nine hours where they lay, and nobody asked them for the heartbeat that Vicino
asks a phone for. `stationary` is with the default presence time-out, which outlasts that;
`stationary_timeout_*` are the same with shorter ones: how long to wait for a silent phone is a retailer's
choice.
"""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from bench._mobilitynet import follow, recorded
from bench._together import STATIONARY, Phone, phones
from geo.fence import Circle, Fence
from geo.fix import Fix
from geo.index import FenceSet
from geo.plane import Plane
from geo.transition import Rules, Transition

RADII_M, OFFSETS_M, BEARINGS = (50.0, 100.0, 150.0), (10.0, 30.0), 6
DAY_S = 86_400.0
TIMEOUTS = {"30_min": 1800.0, "1_h": 3600.0, "4_h": 4 * 3600.0, "8_h": 8 * 3600.0}


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a phone, and the circles around where it lay."""

    os: str
    fixes: list[Fix]
    days: float
    fences: FenceSet
    around: set[str]  #: the circles that it lay in
    near: set[str]  #: those whose boundary passes at the smaller distance


Followed: TypeAlias = tuple[Recording, list[Transition]]


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Transitions in some days at some fences."""

    told: int  #: without the enters by which visits begin that are right
    all: int
    fence_days: float


def run() -> Iterator[dict[str, Any]]:
    """The figures; the baseline is `exact` mode."""
    recordings = [one for of_phone in by_phone().values() for one in recordings_of(of_phone)]
    by_judgement = list(followed(recordings, Rules()))
    exactly = list(followed(recordings, Rules(mode="exact")))
    told, baseline = count(by_judgement), count(exactly)
    yield _figure("stationary", told.told, told, baseline.told)
    yield _figure("stationary_with_it", told.all, told, baseline.all)
    for name, timeout_s in TIMEOUTS.items():
        waiting = count(followed(recordings, Rules(presence_timeout_s=timeout_s)))
        yield _figure(f"stationary_timeout_{name}", waiting.told, waiting)
    for os in ("android", "ios"):
        for inside in (True, False):
            for near, offset_m in zip((True, False), OFFSETS_M, strict=True):
                told, baseline = (
                    count(told, os=os, inside=inside, near=near) for told in (by_judgement, exactly)
                )
                name = f"stationary {os} {offset_m:.0f} m {'inside' if inside else 'outside'}"
                yield _figure(name, told.told, told, baseline.told)


def _figure(name: str, transitions: int, of: Count, baseline: int | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": name,
        "value": round(transitions / of.fence_days, 2),
        "unit": f"per device-day and fence, in {of.fence_days:.0f} of them",
    }
    if baseline:
        told["baseline"] = {"name": "exact", "value": round(baseline / of.fence_days, 2)}
    return told


def followed(recordings: Iterable[Recording], rules: Rules) -> Iterator[Followed]:
    """The enters and exits of recordings."""
    for one in recordings:
        told = follow(one.fixes, one.fences, rules)
        yield one, [transition for transition in told if transition.kind in ("enter", "exit")]


def count(
    several: Iterable[Followed],
    *,
    os: str | None = None,
    inside: bool | None = None,
    near: bool | None = None,
) -> Count:
    """The transitions of recordings, or of one kind of phones and circles."""
    told = every = 0
    fence_days = 0.0
    for one, transitions in several:
        if os not in (None, one.os):
            continue
        counted = {
            name
            for name in one.fences.by_id
            if inside in (None, name in one.around) and near in (None, name in one.near)
        }
        changes = [transition for transition in transitions if transition.geofence in counted]
        first = {transition.geofence for transition in changes} & one.around
        every += len(changes)
        told += len(changes) - len(first)
        fence_days += one.days * len(counted)
    return Count(told=told, all=every, fence_days=fence_days)


def by_phone() -> dict[str, list[Phone]]:
    """The runs of every phone."""
    found: dict[str, list[Phone]] = {}
    for phone in phones(STATIONARY):
        found.setdefault(phone.name, []).append(phone)
    return found


def recordings_of(runs: Sequence[Phone]) -> Iterator[Recording]:
    """The runs of one phone, with the circles around its median fix on all of them."""
    fixes = {phone.run: recorded(phone) for phone in runs}
    every = [fix for of_run in fixes.values() for fix in of_run]
    lay = Plane.at(
        statistics.median(fix.lat_deg for fix in every), statistics.median(fix.lon_deg for fix in every)
    )
    fences, around, near = circles(lay)
    for phone in runs:
        begin_s, end_s = map(float, phone.run.split("_"))
        yield Recording(
            os=phone.os,
            fixes=fixes[phone.run],
            days=(end_s - begin_s) / DAY_S,
            fences=fences,
            around=around,
            near=near,
        )


def circles(lay: Plane) -> tuple[FenceSet, set[str], set[str]]:
    """The circles around a place, those that hold it, and those with the nearer boundaries."""
    fences: list[Fence] = []
    around, near = set(), set()
    for radius_m in RADII_M:
        for offset_m in OFFSETS_M:
            for inside in (True, False):
                for turn in range(BEARINGS):
                    name = f"f{len(fences)}"
                    away_m = radius_m - offset_m if inside else radius_m + offset_m
                    angle = 2 * math.pi * turn / BEARINGS
                    lat_deg, lon_deg = lay.degrees(away_m * math.sin(angle), away_m * math.cos(angle))
                    shape = Circle(lat_deg=lat_deg, lon_deg=lon_deg, radius_m=radius_m)
                    fences.append(Fence(external_id=name, store=name, shape=shape))
                    if inside:
                        around.add(name)
                    if offset_m == min(OFFSETS_M):
                        near.add(name)
    return FenceSet.build(fences), around, near
