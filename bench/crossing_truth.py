"""How right crossings and drive-throughs are, on recorded traces whose truth is known.

The truth is where other phones in the same bag were (`bench/_together.py`). `docs/motion.md` has the tables.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from bench._together import TRIPS, Array, Phone, data, phones, plane, ratio, thinned, way_of_another
from geo.crossing import crossings
from geo.fence import Circle, Fence
from geo.fix import SECOND_US
from geo.index import FenceSet
from geo.speed import DRIVE_MPS, drove_through
from geo.steps import LONGEST_STEP_US, SHORTEST_STEP_M, Steps
from geo.transition import Rules, Sighting

SEED = 7
GAPS_S = (5, 10, 20, 30, 60, 110)
RADII_M = (25.0, 50.0, 100.0, 150.0)
#: Who is slower than this, truly, is on foot.
FOOT_MPS = 2.5


def run() -> Iterator[dict[str, Any]]:
    """Runs all of it; takes about a minute."""
    yield from of_crossings()
    yield from of_driving()


def stores(trip: str) -> list[Fence]:
    """Circles around the shops and other places near which the trips led, of four sizes in turn."""
    lines = data("stores", "osm_poi_bay_2017.csv").read_text(encoding="utf-8").splitlines()[1:]
    fences = []
    for nth, line in enumerate(lines):
        osm_id, lon, lat = line.split(",")[0], *line.rsplit(",", 2)[1:]
        shape = Circle(lat_deg=float(lat), lon_deg=float(lon), radius_m=RADII_M[nth % len(RADII_M)])
        fences.append(Fence(external_id=f"{osm_id}-{nth}", store=trip, shape=shape))
    return fences


def of_crossings() -> Iterator[dict[str, Any]]:
    """Ways between sparse fixes through stores: told, and true."""
    told: dict[int, list[tuple[float, bool]]] = {gap_s: [] for gap_s in GAPS_S}
    missed: Counter[int] = Counter()
    for trip in TRIPS:
        fences = FenceSet.build(stores(trip))
        for phone in phones(trip):
            for gap_s in GAPS_S:
                for confidence, true in crossed_by(phone, gap_s, fences):
                    if confidence is None:
                        missed[gap_s] += true
                    else:
                        told[gap_s].append((confidence, true))
    for gap_s, several in told.items():
        right = sum(true for _, true in several)
        yield ratio(f"crossing_precision_{gap_s}s", right, len(several))
        yield ratio(f"crossing_recall_{gap_s}s", right, right + missed[gap_s])
    for least in (0.7, 0.8, 0.9):
        said = [pair for several in told.values() for pair in several if least <= pair[0] < least + 0.1]
        mean = sum(confidence for confidence, _ in said) / len(said)
        yield ratio(f"crossing_true_at_{mean:.2f}", sum(true for _, true in said), len(said))


def crossed_by(phone: Phone, gap_s: float, fences: FenceSet) -> Iterator[tuple[float | None, bool]]:
    """Of each fence that a phone is told to have crossed, or has: the confidence, and whether it has."""
    pairs, passed = [], []
    seen = thinned(phone, gap_s)
    for earlier, later in pairwise(seen):
        if later.at_us - earlier.at_us > LONGEST_STEP_US:
            continue
        begin_s, end_s = earlier.at_us / SECOND_US, later.at_us / SECOND_US
        way = way_of_another(phone, begin_s, end_s)
        if way is not None:
            pairs.append((earlier, later))
            passed.append(way.places(np.arange(begin_s, end_s, 0.5)))
    steps = Steps.between(pairs)
    found = crossings(steps, fences, Rules())
    told = {
        (step, place): confidence
        for step, place, confidence in zip(
            found.step.tolist(), found.place.tolist(), found.confidence.tolist(), strict=True
        )
    }
    true = inside(phone, passed, fences)
    ends = inside(phone, [ends_of(phone, pair) for pair in pairs], fences)
    short = {nth for nth, pair in enumerate(pairs) if is_short(phone, pair)}
    for pair in told.keys() | {pair for pair in true - ends if pair[0] not in short}:
        yield told.get(pair), pair in true


def ends_of(phone: Phone, pair: tuple[Sighting, Sighting]) -> tuple[Array, Array]:
    """Both sightings in metres."""
    metres = np.array([plane(phone.trip).metres(one.lat_deg, one.lon_deg) for one in pair])
    return metres[:, 0], metres[:, 1]


def is_short(phone: Phone, pair: tuple[Sighting, Sighting]) -> bool:
    """Whether a step is too short to be looked at."""
    east_m, north_m = ends_of(phone, pair)
    return bool(np.hypot(np.diff(east_m), np.diff(north_m))[0] < SHORTEST_STEP_M)


def inside(phone: Phone, places: Sequence[tuple[Array, Array]], fences: FenceSet) -> set[tuple[int, int]]:
    """Pairs of a list of places and a fence that holds one of them."""
    if not places:
        return set()
    of = np.repeat(np.arange(len(places)), [len(east_m) for east_m, _ in places])
    east_m, north_m = (np.concatenate(axis) for axis in zip(*places, strict=True))
    around = plane(phone.trip)
    point, place = fences.match(
        around.lat_deg + north_m / around.north_m, around.lon_deg + east_m / around.east_m
    )
    return set(zip(of[point].tolist(), place.tolist(), strict=True))


def of_driving() -> Iterator[dict[str, Any]]:
    """Short visits to circles along the way: told to be driving, and true (`DRIVE_MPS` and more)."""
    random = np.random.default_rng(SEED)
    told = right = driving = walking = walking_told = 0
    for phone in (phone for trip in TRIPS for phone in phones(trip)):
        for every_s in (1, 5, 10, 30):
            for entered, left in visits(thinned(phone, every_s), random, phone):
                begin_s, end_s = entered.at_us / SECOND_US, left.at_us / SECOND_US
                way = way_of_another(phone, begin_s, end_s)
                if way is None:
                    continue
                east_m, north_m = way.places(np.array([begin_s, end_s]))
                true_mps = float(np.hypot(np.diff(east_m), np.diff(north_m))[0]) / (end_s - begin_s)
                drove = drove_through(entered.at_us, entered.lat_deg, entered.lon_deg, left) is not None
                told, right, driving = (
                    told + drove,
                    right + (drove and true_mps >= DRIVE_MPS),
                    driving + (true_mps >= DRIVE_MPS),
                )
                walking, walking_told = (
                    walking + (true_mps < FOOT_MPS),
                    walking_told + (drove and true_mps < FOOT_MPS),
                )
    yield ratio("driving_precision", right, told)
    yield ratio("driving_recall", right, driving)
    yield ratio("driving_told_of_walkers", walking_told, walking)


def visits(
    seen: Sequence[Sighting], random: np.random.Generator, phone: Phone
) -> Iterator[tuple[Sighting, Sighting]]:
    """Visits of less than a minute to circles somewhere on the way: first fix inside, next one outside."""
    exact = [one for one in seen if (one.accuracy_m or 20.0) <= 100]
    if len(exact) < 5:
        return
    metres = np.array([plane(phone.trip).metres(one.lat_deg, one.lon_deg) for one in exact])
    for _ in range(60):
        radius_m = float(random.choice(RADII_M))
        off = random.normal(0, radius_m / 2, 2)
        near = np.hypot(*(metres - metres[random.integers(len(exact))] - off).T) <= radius_m
        for begin in np.flatnonzero(near[1:] & ~near[:-1]) + 1:
            after = np.flatnonzero(~near[begin:])
            if len(after) and exact[begin + after[0]].at_us - exact[begin].at_us < 60 * SECOND_US:
                yield exact[begin], exact[begin + after[0]]
