"""Simulated phones that heed safe regions, the stores around them, and what they save.

A phone looks at every fix it measures and holds the last reply. It measures on a sphere, as many phones do.
Two kinds:

- *plain*: it reports a fix that is at least `after_m` away from the one asked about, or `within_s` later.
- *watching*: it also knows the circles of `watch`, and stays silent beyond `after_m` while it has crossed
  none of them and has not come as far as fences that are not listed (docs/safe-regions.md).

With a fix that it reports it sends the one before it, if it held that back: where it was seen last before it
moved on, or before its silence.
"""

import csv
import gzip
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geo.distance import MEAN_RADIUS_M
from geo.engine import FixBatch, Fleet, Told, sense, wake
from geo.fence import Circle, Fence
from geo.fix import SECOND_US, Fix
from geo.index import FenceSet
from geo.region import MAX_AFTER_M, MAX_WATCHED, RIM, SafeRegion, Watch, safe_region
from geo.transition import Rules

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
RADIUS_M = 50.0  #: of a store's circle
SEED = 1

Point = tuple[float, float]


class Phone:
    """One phone: which of its fixes it reports."""

    def __init__(self, *, watches: bool) -> None:
        self._watches = watches
        self._asked: Fix | None = None
        self._before: Fix | None = None  # its newest fix
        self._region = SafeRegion(after_m=0.0, within_s=0.0)
        self._circles: list[tuple[Watch, bool]] = []
        self._known_m = 0.0  # all fences whose boundaries are nearer than this are listed

    def ping(self, fix: Fix) -> list[Fix]:
        """The fixes to report now, having measured one: none, it alone, or the one before it as well."""
        before, self._before = self._before, fix
        if self._asked is not None and self._is_silent(self._asked, before or self._asked, fix):
            return []
        return [fix] if before is None or before is self._asked else [before, fix]

    def hear(self, asked: Fix, region: SafeRegion) -> None:
        """Takes the reply to a ping whose newest fix was `asked`."""
        self._asked, self._region = asked, region
        if not self._watches:
            return
        here = asked.lat_deg, asked.lon_deg
        gaps_m = []
        self._circles = []
        for circle in region.watch:
            if circle.geofence != RIM:
                off_m = sphere_m(here, (circle.lat_deg, circle.lon_deg))
                gaps_m.append(abs(off_m - circle.radius_m))
                self._circles.append((circle, off_m <= circle.radius_m))
        all_listed = len(gaps_m) < MAX_WATCHED - 1
        self._known_m = 0.99 * (MAX_AFTER_M if all_listed else max(gaps_m))
        if any(gap_m < _margin_m(circle) for gap_m, (circle, _) in zip(gaps_m, self._circles, strict=True)):
            self._known_m = 0.0  # it cannot tell on which side of that circle it was

    def _is_silent(self, asked: Fix, before: Fix, fix: Fix) -> bool:
        if (fix.fixed_at_us - asked.fixed_at_us) / SECOND_US >= self._region.within_s:
            return False
        here = fix.lat_deg, fix.lon_deg
        off_m = sphere_m((asked.lat_deg, asked.lon_deg), here)
        if off_m < self._region.after_m:
            return True
        if not self._watches or not self._region.after_m or off_m >= self._known_m:
            return False
        return not any(
            _may_have_crossed(circle, inside, (start.lat_deg, start.lon_deg), here)
            for start in (before, asked)
            for circle, inside in self._circles
        )


def _may_have_crossed(circle: Watch, inside: bool, start: Point, end: Point) -> bool:
    """Whether a straight way may have crossed a circle.

    That from the fix before matters, for nobody may have passed through a fence unheard; and that from the
    fix asked about, for the server would take it for the way that the phone went.
    """
    centre = circle.lat_deg, circle.lon_deg
    if inside:
        return sphere_m(centre, end) > circle.radius_m - _margin_m(circle)
    return _closest_m(centre, start, end) < circle.radius_m + _margin_m(circle)


def _margin_m(circle: Watch) -> float:
    """How well a phone knows where a circle's edge is."""
    return 0.01 * circle.radius_m + 0.5


def sphere_m(one: Point, other: Point) -> float:
    """The haversine distance on a sphere of mean radius."""
    lat1, lon1, lat2, lon2 = (math.radians(angle) for angle in (*one, *other))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * MEAN_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))


def _closest_m(centre: Point, start: Point, end: Point) -> float:
    """How near a straight way comes to a place (ways of some kilometres; flat Earth)."""
    (x0, y0), (x1, y1) = _east_north_m(centre, start), _east_north_m(centre, end)
    dx, dy = x1 - x0, y1 - y0
    length2 = dx * dx + dy * dy
    along = min(1.0, max(0.0, -(x0 * dx + y0 * dy) / length2)) if length2 else 0.0
    return math.hypot(x0 + along * dx, y0 + along * dy)


def _east_north_m(origin: Point, place: Point) -> Point:
    degree_m = math.radians(MEAN_RADIUS_M)
    east_deg = (place[1] - origin[1] + 180.0) % 360.0 - 180.0
    return east_deg * degree_m * math.cos(math.radians(origin[0])), (place[0] - origin[0]) * degree_m


class Server:
    """The fence engine behind one phone. The only user of the engine here."""

    def __init__(self, fences: FenceSet, rules: Rules) -> None:
        self._fences, self._rules = fences, rules
        self._fleet = Fleet(fences.roll)
        self._slot = self._fleet.add("phone")
        self.told: Counter[tuple[str, str, int]] = Counter()  #: kind, geofence, time of all transitions

    def take(self, fixes: Sequence[Fix]) -> None:
        """Processes fixes."""
        batch = FixBatch.of((self._slot, fix) for fix in fixes)
        self._note(sense(self._fleet, batch, self._fences, self._rules))

    def region(self) -> SafeRegion:
        """The answer to the last fix."""
        newest = self._fleet.newest(self._slot)
        assert newest is not None
        believed = not self._fleet.devices.get_one(self._slot).doubts
        present = self._fleet.present(self._slot)
        return safe_region(newest, present, self._fences, self._rules, believed=believed)

    def wake(self, now_us: int) -> None:
        """Lets timers fire."""
        self._note(wake(self._fleet, [self._slot], now_us, self._fences, self._rules))

    def _note(self, told: Told) -> None:
        self.told.update((one.kind, one.geofence, one.at_us) for _, one in told.transitions())
        self.told.subtract((one.kind, one.geofence, one.at_us) for _, one in told.retracted())


class Saved(Counter[str]):
    """What was counted: `fixes`, `pings`, `sent` (fixes in pings), `transitions`, `differ`."""


def compare(fixes: Sequence[Fix], phone: Phone, fences: FenceSet, rules: Rules) -> Saved:
    """One phone's fixes, all sent, and as the phone sends them."""
    full, sparse = Server(fences, rules), Server(fences, rules)
    for begin in range(0, len(fixes), 500):
        full.take(fixes[begin : begin + 500])
    pings = sent = 0
    for fix in fixes:
        if ping := phone.ping(fix):
            pings, sent = pings + 1, sent + len(ping)
            sparse.take(ping)
            phone.hear(fix, sparse.region())
    for server in (full, sparse):
        server.wake(
            fixes[-1].fixed_at_us
        )  # what a phone never tells, because it falls silent for good, is open
    differ = (full.told - sparse.told).total() + (sparse.told - full.told).total()
    return Saved(fixes=len(fixes), pings=pings, sent=sent, transitions=full.told.total(), differ=differ)


def compare_all(phones: Iterable[Sequence[Fix]], fences: FenceSet, rules: Rules, *, watches: bool) -> Saved:
    """All phones together."""
    saved = Saved()
    for fixes in phones:
        saved.update(compare(fixes, Phone(watches=watches), fences, rules))
    return saved


def figures(name: str, fences: FenceSet) -> Iterator[dict[str, Any]]:
    """What is saved in both modes by both kinds of phones."""
    phones = list(mobilitynet().values())
    for mode in ("accurate", "exact"):
        for watches in (True, False):
            saved = compare_all(phones, fences, Rules(mode=mode), watches=watches)  # type: ignore[arg-type]
            label = "_".join([name, *(["exact"] if mode == "exact" else []), *([] if watches else ["plain"])])
            yield {
                "name": label,
                "value": round(saved["fixes"] / saved["pings"], 1),
                "unit": f"fixes per ping, {saved['differ']} of {saved['transitions']} transitions differ",
                "baseline": {"name": "a ping for every fix", "value": 1.0},
            }


def mobilitynet() -> dict[str, list[Fix]]:
    """Every phone's raw fixes over all trips and the calibration, by time; of equal times the first."""
    phones: dict[str, dict[int, Fix]] = {}
    for path in _files("trajectories/mobilitynet", "*.raw_location.csv.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                fix = _fix(row)
                phones.setdefault(row["phone"], {}).setdefault(fix.fixed_at_us, fix)
    return {name: [fixes[at_us] for at_us in sorted(fixes)] for name, fixes in sorted(phones.items())}


def _fix(row: dict[str, str]) -> Fix:
    accuracy_m, speed_mps = float(row["accuracy_m"] or 0), float(row["sensed_speed_mps"] or -1)
    return Fix(
        lat_deg=float(row["latitude"]),
        lon_deg=float(row["longitude"]),
        fixed_at_us=round(float(row["ts"]) * SECOND_US),
        accuracy_m=accuracy_m if accuracy_m > 0 else None,
        speed_mps=speed_mps if speed_mps >= 0 else None,
    )


def places() -> list[Point]:
    """5,232 places: OpenStreetMap's where the trips are, and half of San Francisco's food businesses.

    Eight of the latter lie at 0, 0 in the file, where no phone comes.
    """
    found: list[Point] = []
    for path, lat, lon in (
        *((path, "lat", "lon") for path in _files("stores", "osm_poi_bay_2017.csv")),
        *((path, "latitude", "longitude") for path in _files("stores", "sf_food_businesses_2015_half.csv")),
    ):
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            found += [
                (float(row[lat]), float(row[lon])) for row in csv.DictReader(file) if row[lat] and row[lon]
            ]
    return found


def sample(found: Sequence[Point], count: int, seed: int = SEED) -> list[Point]:
    """Some of the places: the stores of one retailer."""
    chosen = np.random.default_rng(seed).choice(len(found), count, replace=False)
    return [found[index] for index in chosen.tolist()]


def circles(found: Iterable[Point], radius_m: float = RADIUS_M) -> FenceSet:
    """A circle around each place."""
    return FenceSet.build(
        Fence(
            external_id=f"f{index}",
            store=f"s{index}",
            shape=Circle(lat_deg=lat, lon_deg=lon, radius_m=radius_m),
        )
        for index, (lat, lon) in enumerate(found)
    )


def _files(folder: str, pattern: str) -> list[Path]:
    paths = sorted((DATA / folder).glob(pattern))
    if not paths:
        raise FileNotFoundError(
            f"no {pattern} in ../shared/data/{folder}: this benchmark needs recorded traces"
        )
    return paths
