"""How right stops, approaches, speeds and doubts are, on recorded traces whose truth is known.

The truth is where other phones in the same bag were (`bench/_together.py`). `docs/motion.md` has the tables.
"""

import csv
import gzip
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from bench._together import (
    STATIONARY,
    TRIPS,
    Phone,
    Way,
    data,
    diary,
    phones,
    plane,
    ratio,
    thinned,
    way_of_another,
)
from bench._town import figure
from geo.approach import approach
from geo.distance import distance_m
from geo.fix import SECOND_US
from geo.motion import doubts
from geo.speed import speed_at
from geo.stop import stop
from geo.transition import Sighting

#: Ten minutes of a fix every two seconds: more is never looked at.
RECENT = 300


def run() -> Iterator[dict[str, Any]]:
    """Runs all of it; takes about a minute."""
    yield from of_doubts()
    yield from of_stops()
    yield from of_approaches()
    yield from of_speeds()


def of_doubts() -> Iterator[dict[str, Any]]:
    """Doubted sightings of phones and of taxis, and how many of the taxis' are spikes of their own."""
    for trip in (*TRIPS, STATIONARY):
        reasons = [reason for phone in phones(trip) for reason in doubts(phone.seen)]
        yield ratio(f"doubted_{trip.split('_')[0]}", len(reasons) - reasons.count(None), len(reasons))
    folder = data("trajectories")
    with gzip.open(folder / "cabspotting_dev.csv.gz", "rt", encoding="utf-8") as file:
        taxis = tracks(csv.DictReader(file), "cab", "lat", "lon", "ts")
    mixed = {name: taxis.pop(name) for name in TWO_IN_ONE}
    with (folder / "uci_gps_aracaju" / "go_track_trackspoints.csv").open(encoding="utf-8") as file:
        buses = tracks(csv.DictReader(file), "track_id", "latitude", "longitude", "time")
    with (folder / "misc" / "posmo_trajectory.csv").open(encoding="utf-8") as file:
        person = tracks(csv.DictReader(file, delimiter=";"), "user_id", "latitude", "longitude", "tracked_at")
    for name, several in (("taxis", taxis), ("mixed_taxis", mixed), ("aracaju", buses), ("posmo", person)):
        yield from spikes(name, several.values())


def spikes(name: str, several: Iterable[Sequence[Sighting]]) -> Iterator[dict[str, Any]]:
    """How many sightings are doubted, and how many of these stand out themselves."""
    count = doubted = alone = 0
    for seen in several:
        reasons = doubts(seen)
        believed = [nth for nth, reason in enumerate(reasons) if reason is None]
        wrong = [nth for nth, reason in enumerate(reasons) if reason is not None]
        count, doubted = count + len(seen), doubted + len(wrong)
        alone += sum(is_spike(seen, believed, nth) for nth in wrong)
    yield ratio(f"doubted_{name}", doubted, count)
    yield ratio(f"doubted_{name}_spikes", alone, doubted)


#: Taxis whose id two cars share: their fixes jump to and fro all day.
TWO_IN_ONE = ("upthin", "udwadla")


def tracks(
    rows: Iterable[dict[str, str]], device: str, lat: str, lon: str, at: str
) -> dict[str, list[Sighting]]:
    """Sightings without accuracy or speed from the named columns; the first of each time."""
    seen: dict[str, dict[int, Sighting]] = {}
    for row in rows:
        at_s = float(row[at]) if row[at].isdigit() else datetime.fromisoformat(row[at][:26]).timestamp()
        at_us = round(at_s * SECOND_US)
        one = Sighting(at_us=at_us, lat_deg=float(row[lat]), lon_deg=float(row[lon]))
        seen.setdefault(row[device], {}).setdefault(at_us, one)
    return {name: [several[at_us] for at_us in sorted(several)] for name, several in seen.items()}


def is_spike(seen: Sequence[Sighting], believed: Sequence[int], nth: int) -> bool:
    """Whether leaving out a doubted sighting shortens the way more than leaving out the one it follows."""
    place = int(np.searchsorted(believed, nth))
    if place < 2 or place >= len(believed):
        return False
    before, last, after = (seen[believed[place + step]] for step in (-2, -1, 0))
    one = seen[nth]
    return detour_m(last, one, after) > detour_m(before, last, one)


def detour_m(begin: Sighting, over: Sighting, end: Sighting) -> float:
    """How much longer the way is over a place."""
    return way_m(begin, over) + way_m(over, end) - way_m(begin, end)


def way_m(one: Sighting, other: Sighting) -> float:
    """The distance of two sightings."""
    return distance_m(one.lat_deg, one.lon_deg, other.lat_deg, other.lon_deg)


def of_stops() -> Iterator[dict[str, Any]]:
    """Fixes of phones that lie still or are under way: told to be standing."""
    counts: Counter[tuple[str, bool, bool]] = Counter()
    for trip in (*TRIPS, STATIONARY):
        for phone in (phone for phone in phones(trip) if len(phone.seen) >= 20):
            seen = thinned(phone, 10)
            for nth, one in enumerate(seen):
                true = is_standing(phone, one.at_us / SECOND_US)
                if true is not None:
                    counts[
                        phone.os, true, stop(seen[max(0, nth - RECENT) : nth + 1], one.at_us) is not None
                    ] += 1
    for os in ("android", "ios"):
        hits, false = counts[os, True, True], counts[os, False, True]
        yield ratio(f"stop_recall_{os}", hits, hits + counts[os, True, False])
        yield ratio(f"stop_precision_{os}", hits, hits + false)
        yield ratio(f"stop_told_of_movers_{os}", false, false + counts[os, False, False])


def is_standing(phone: Phone, at_s: float) -> bool | None:
    """Whether a phone has stood still for the last minute, by the diary or another phone; None: unclear."""
    if phone.trip == STATIONARY:
        return True if at_s > phone.at_s[0] + 180 else None
    known = any(row.begin_s + 180 < at_s < row.end_s - 60 for row in diary(phone.trip, "PERIOD"))
    if known and not any(row.begin_s - 120 < at_s < row.end_s + 240 for row in diary(phone.trip, "TRIP")):
        return True
    way = way_of_another(phone, at_s - 60, at_s)
    if way is None:
        return None
    east_m, north_m = way.places(np.arange(at_s - 60, at_s + 0.1))
    if np.hypot(east_m - east_m.mean(), north_m - north_m.mean()).max() <= 12:
        return True
    return False if np.hypot(east_m[-1] - east_m[0], north_m[-1] - north_m[0]) >= 40 else None


def of_approaches() -> Iterator[dict[str, Any]]:
    """Targets that a phone truly reached so much later, on foot and riding: the error of the arrival time."""
    for mode in ("walk", "ride"):
        for ahead_s in (20, 40, 60, 90):
            asked, errors_s = 0, []
            for found, true_s in arrivals(mode, ahead_s):
                asked += 1
                if found is not None:
                    errors_s.append(abs(found - true_s))
            yield ratio(f"eta_{mode}_{ahead_s}s_told", len(errors_s), asked)
            yield figure(f"eta_{mode}_{ahead_s}s_error", float(np.median(errors_s)), "s, median")


def arrivals(mode: str, ahead_s: float) -> Iterator[tuple[float | None, float]]:
    """Every 15 s of such sections: the arrival time as told, and the true one."""
    for phone, at_s, way in under_way(mode, ahead_s):
        east_m, north_m = way.places(at_s + ahead_s)
        target = plane(phone.trip).degrees(float(east_m), float(north_m))
        nth = int(np.searchsorted(phone.at_s, at_s, side="right"))
        seen = phone.seen[max(0, nth - RECENT) : nth]
        if not seen or at_s - seen[-1].at_us / SECOND_US > 10:
            continue
        found = approach(seen, target)
        late_s = at_s - seen[-1].at_us / SECOND_US
        yield (None if found is None or found.eta_s is None else found.eta_s - late_s), ahead_s


def under_way(mode: str, ahead_s: float) -> Iterator[tuple[Phone, float, Way]]:
    """Times at which a phone was under way in a section, and the way of another that goes on long enough."""
    for trip in TRIPS:
        for row in diary(trip, "SECTION"):
            on_foot = row.type == "ACCESS" or "walk" in row.leg
            riding = "bicycl" in row.leg or "scooter" in row.leg
            if not (on_foot if mode == "walk" else riding and not on_foot):
                continue
            for phone in phones(trip):
                for at_s in np.arange(row.begin_s + 20, row.end_s - ahead_s, 15).tolist():
                    way = way_of_another(phone, at_s, at_s + ahead_s)
                    if way is not None:
                        yield phone, at_s, way


def of_speeds() -> Iterator[dict[str, Any]]:
    """Speeds against the true way of six seconds: as measured, and as `speed_at` tells."""
    for os in ("android", "ios"):
        for every_s in (10, 30, 60):
            found = [row for phone in all_phones(os) for row in speeds(phone, every_s)]
            for name, which in (("measured", 0), ("told", 1)):
                known = [(row[which], row[2]) for row in found if row[which] is not None]
                errors = [abs(speed - true) for speed, true in known]
                fast = [speed for speed, true in known if true >= 6]
                yield ratio(f"speed_{os}_{every_s}s_{name}", len(known), len(found))
                yield figure(f"speed_{os}_{every_s}s_{name}_error", float(np.median(errors)), "m/s, median")
                slow = sum(speed < 4 for speed in fast)
                yield ratio(f"speed_{os}_{every_s}s_{name}_drivers_missed", slow, len(fast))


def all_phones(os: str) -> Iterator[Phone]:
    """The phones of all trips."""
    return (phone for trip in TRIPS for phone in phones(trip) if phone.os == os and len(phone.seen) >= 20)


def speeds(phone: Phone, every_s: float) -> Iterator[tuple[Any, Any, float]]:
    """The measured, told and true speeds of a phone that reports so rarely."""
    seen = thinned(phone, every_s)
    for nth, one in enumerate(seen[2:], 2):
        at_s = one.at_us / SECOND_US
        way = way_of_another(phone, at_s - 4, at_s + 4)
        if way is not None:
            east_m, north_m = way.places(np.array([at_s - 3, at_s + 3]))
            true_mps = float(np.hypot(np.diff(east_m), np.diff(north_m))[0]) / 6
            yield one.speed_mps, speed_at(seen[max(0, nth - 30) : nth + 1], one.at_us), true_mps
