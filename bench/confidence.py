"""How sure transitions are, against how often they are true; and how inaccurate fixes are.

The truth is the way of another phone that was carried beside (`bench._together.ways`); it is some 3 to 5 m
wrong itself, for which only `sigma` is corrected. Fences are circles of 50, 100 and 150 m at random along the
ways. An enter is true when the other phone was inside at its time, an exit when it was outside.
`confidence_error` is the expected calibration error: the mean of how far confidence and share of true ones
lie apart, in bins. Of visits that were lost (half an hour was waited for a silent phone) it is told how many
devices had left when that was noticed: at their next fix after the time-out (phones that went on moving), and
in `stationary` (phones that slept where they lay).

`sigma_*` is the spread of fixes by their accuracy that fits best (greatest likelihood), beside those control
phones that measured once a second with all they had. The halves are those of even and of odd runs, which say
how far one may trust it.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from bench._mobilitynet import follow, recorded, run_of
from bench._together import TRIPS, Array, Phone, phones, plane, ways
from bench.stationary import by_phone, recordings_of
from geo.accuracy import SIGMA_LEAST_M, SIGMA_SHARE
from geo.distance import distance_m
from geo.fence import Circle, Fence
from geo.fix import SECOND_US
from geo.index import FenceSet
from geo.transition import Rules, Transition
from geo.walk import LOST_CONFIDENCE

RADII_M, CIRCLES, SEED = (50.0, 100.0, 150.0), 200, 1
BINS = (0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
#: How wrong the other phone's way is taken to be, along each axis.
WAY_SIGMA_M = 3.0
CONTROL = "accuracy_control"
#: No phone on one run counts for more fixes than this, however often it reports.
MOST_FIXES = 200
SHARES, LEASTS_M = np.arange(0.1, 0.9, 0.02), np.arange(0.5, 8.0, 0.25)
RULES = Rules(presence_timeout_s=1800.0)
TIMEOUT_US = round(RULES.presence_timeout_s * SECOND_US)


class Errors(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """How far the fixes of one phone on one run were from where another phone was."""

    run: int
    accuracy_m: Array
    off_m: Array


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A transition of which the truth is known."""

    kind: str
    confidence: float
    true: bool


def run() -> Iterator[dict[str, Any]]:
    """The figures: the spread of fixes, and enters and exits by how sure they are."""
    errors = [one for trip in TRIPS for phone in phones(trip) for one in errors_of(phone)]
    for name, some in (
        ("", errors),
        ("_even", [one for one in errors if one.run % 2 == 0]),
        ("_odd", [one for one in errors if one.run % 2]),
    ):
        share, least_m = fitted(some)
        yield _figure(f"sigma_share{name}", share, "of the accuracy", ("used", SIGMA_SHARE))
        yield _figure(f"sigma_least{name}", least_m, "m", ("used", SIGMA_LEAST_M))
    found = [one for trip in TRIPS for one in outcomes(trip)]
    lost = [one.true for one in found if one.kind == "lost"]
    told = ("told", LOST_CONFIDENCE)
    yield _figure("confidence lost, moving", float(np.mean(lost)), f"had left of {len(lost)}", told)
    asleep = sum(lost_asleep(of_phone) for of_phone in by_phone().values())
    yield _figure("confidence lost, stationary", 0.0, f"had left of {asleep}", told)
    for kind in ("enter", "exit"):
        of_kind = [one for one in found if one.kind == kind]
        yield _figure(f"confidence_error_{kind}", calibration_error(of_kind), f"{len(of_kind)} of them")
        for begin, end, some in binned(of_kind):
            told = float(np.mean([one.confidence for one in some]))
            true = float(np.mean([one.true for one in some]))
            yield _figure(
                f"confidence {kind} {begin:.2f}-{end:.2f}", true, f"true of {len(some)}", ("told", told)
            )


def _figure(name: str, value: float, unit: str, baseline: tuple[str, float] | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "value": round(value, 3), "unit": unit}
    if baseline is not None:
        told["baseline"] = {"name": baseline[0], "value": round(baseline[1], 3)}
    return told


def errors_of(phone: Phone) -> Iterator[Errors]:
    """The errors of a phone's fixes of known accuracy, where another phone knows the way."""
    seen = [one for one in phone.seen if one.accuracy_m is not None and one.accuracy_m <= RULES.coarse_m]
    lat_deg, lon_deg = whereabouts(phone, np.array([one.at_us for one in seen], np.int64), role=CONTROL)
    known = np.flatnonzero(~np.isnan(lat_deg))
    if not len(known):
        return
    found = [seen[index] for index in known.tolist()]
    off_m = distance_m(
        np.array([one.lat_deg for one in found]),
        np.array([one.lon_deg for one in found]),
        lat_deg[known],
        lon_deg[known],
    )
    accuracy_m = np.array([one.accuracy_m for one in found], np.float64)
    yield Errors(run=run_of(phone).number, accuracy_m=accuracy_m, off_m=off_m)


def fitted(errors: Iterable[Errors]) -> tuple[float, float]:
    """The share of the accuracy and the least spread under which the errors are likeliest (Rayleigh's)."""
    share, least_m = (axis[..., None] for axis in np.meshgrid(SHARES, LEASTS_M, indexing="ij"))
    likelihood = np.zeros(share.shape[:2])
    for one in errors:
        variance = (share * one.accuracy_m) ** 2 + least_m**2 + WAY_SIGMA_M**2
        log = -np.log(variance) - one.off_m**2 / (2 * variance)
        likelihood += log.mean(axis=-1) * min(len(one.off_m), MOST_FIXES)
    best = np.unravel_index(np.argmax(likelihood), likelihood.shape)
    return float(SHARES[best[0]]), float(LEASTS_M[best[1]])


def outcomes(trip: str) -> Iterator[Outcome]:
    """The enters and exits of all phones of a trip at circles along its ways, where the truth is known."""
    fences = circles(trip)
    for phone in phones(trip):
        fixes = recorded(phone)
        fixed_at_us = np.array([fix.fixed_at_us for fix in fixes])
        told = [one for one in follow(fixes, fences, RULES) if one.kind in ("enter", "exit")]
        lost = np.array([_is_lost(one) for one in told], bool)
        at_us = np.array([one.at_us for one in told], np.int64)
        noticed = np.searchsorted(fixed_at_us, at_us + TIMEOUT_US)
        at_us = np.where(lost, fixed_at_us[np.minimum(noticed, len(fixes) - 1)], at_us)
        where = whereabouts(phone, at_us)
        for one, lat_deg, lon_deg in zip(told, *(column.tolist() for column in where), strict=True):
            if not math.isnan(lat_deg):
                inside = fences.by_id[one.geofence].contains(lat_deg, lon_deg)
                kind = "lost" if _is_lost(one) else one.kind
                yield Outcome(kind=kind, confidence=one.confidence, true=inside == (kind == "enter"))


def lost_asleep(runs: Sequence[Phone]) -> int:
    """How often a phone that lay still was lost at circles that it lay in."""
    return sum(
        _is_lost(told) and told.geofence in one.around
        for one in recordings_of(runs)
        for told in follow(one.fixes, one.fences, RULES)
    )


def _is_lost(one: Transition) -> bool:
    return one.kind == "exit" and one.confidence == LOST_CONFIDENCE


def circles(trip: str) -> FenceSet:
    """Circles at random along the ways of a trip, so that the ways lead through or past them."""
    random = np.random.default_rng(SEED)
    chosen = random.choice(len(ways(trip)), CIRCLES, p=_shares([len(way.at_s) for way in ways(trip)]))
    fences = []
    for number, way in enumerate(ways(trip)[index] for index in chosen):
        radius_m = RADII_M[number % len(RADII_M)]
        at = random.integers(len(way.at_s))
        away_m, angle = 1.2 * radius_m * math.sqrt(random.random()), 2 * math.pi * random.random()
        east_m = float(way.east_m[at]) + away_m * math.cos(angle)
        north_m = float(way.north_m[at]) + away_m * math.sin(angle)
        lat_deg, lon_deg = plane(trip).degrees(east_m, north_m)
        shape = Circle(lat_deg=lat_deg, lon_deg=lon_deg, radius_m=radius_m)
        fences.append(Fence(external_id=f"f{number}", store=f"s{number}", shape=shape))
    return FenceSet.build(fences)


def _shares(counts: Sequence[int]) -> Array:
    return np.array(counts, np.float64) / sum(counts)


def whereabouts(
    phone: Phone, at_us: npt.NDArray[np.int64], *, role: str | None = None
) -> tuple[Array, Array]:
    """Where another phone (of a role) was at some times: latitudes and longitudes, NaN where none knows."""
    at_s = at_us / SECOND_US
    east_m, north_m = np.full(len(at_s), np.nan), np.full(len(at_s), np.nan)
    for way in ways(phone.trip):
        if way.phone is phone or role not in (None, way.phone.role):
            continue
        new = (at_s >= way.at_s[0]) & (at_s <= way.at_s[-1]) & np.isnan(east_m)
        if new.any():
            east_m[new], north_m[new] = way.places(at_s[new])
    ground = plane(phone.trip)
    return ground.lat_deg + north_m / ground.north_m, ground.lon_deg + east_m / ground.east_m


def binned(found: Iterable[Outcome]) -> Iterator[tuple[float, float, list[Outcome]]]:
    """The outcomes by confidence: the lower and the upper bound of each bin that has some."""
    every = list(found)
    for begin, end in pairwise(BINS):
        some = [one for one in every if begin <= one.confidence < end]
        if some:
            yield begin, end, some


def calibration_error(found: Sequence[Outcome]) -> float:
    """The mean distance of confidence and truth, bin by bin."""
    off = [
        len(some) * abs(np.mean([one.confidence for one in some]) - np.mean([one.true for one in some]))
        for _, _, some in binned(found)
    ]
    return float(sum(off)) / len(found)
