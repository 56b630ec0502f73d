"""Recorded traces of real taxis and phones: the engine tells exactly what brute force finds.

Each trace is replayed in `exact` mode and held against `tests/reference.py`, which shares nothing with the
engine. What each test compared is in its output (`pytest -rP`). Brute force is slow, so by itself the suite
takes a seeded choice of taxis and of stores; VICINO_TEST_TRACES=all takes all of them (ten minutes).
"""

import csv
import gzip
import math
import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec
import pytest
import shapely

from geo.fence import Area, Circle, Fence, Shape
from geo.index import FenceSet
from geo.transition import Rules
from server.replay_traces import replay
from server.traces import TraceFix, read_trace, time_us
from server.traces.columns import TraceBuilder
from tests import reference
from tests.reference import Point, Seen
from tests.support import shared_data

Traces = dict[str, list[Point]]

ALL = os.environ.get("VICINO_TEST_TRACES") == "all"
COMPARED_CABS = 57 if ALL else 6
COMPARED_STORES = 3000 if ALL else 300
COMPARED_BUSINESSES = 200 if ALL else 100
PLACES_ON_THE_WAY = 60 if ALL else 20
RADII_M = (25.0, 60.0, 150.0, 300.0)
DWELLS_S = (60.0, 1.5, 300.0, 1800.0)

pytestmark = pytest.mark.timeout(1800 if ALL else 120)


def agree(
    traces: Traces, circles: Sequence[reference.Circle] = (), areas: Sequence[reference.Area] = ()
) -> None:
    """Asserts that engine and reference tell the same, and something at all."""
    expected = reference.reference(traces, circles, areas)
    told = list(_told(traces, circles, areas))
    print(
        f"{expected.fixes} fixes x {expected.fences} fences: {expected.checks} exact checks, "
        f"{len(expected.transitions)} transitions"
    )
    missed, invented = (
        Counter(expected.transitions) - Counter(told),
        Counter(told) - Counter(expected.transitions),
    )
    assert not missed, f"{missed.total()} transitions missed, the first: {min(missed)}"
    assert not invented, f"{invented.total()} transitions invented, the first: {min(invented)}"
    assert {seen.event for seen in told} == {"enter", "dwell", "exit"}
    assert told == sorted(told, key=lambda seen: (list(traces).index(seen.device), seen.at_us)), (
        "out of order"
    )


def _told(
    traces: Traces, circles: Sequence[reference.Circle], areas: Sequence[reference.Area]
) -> Iterator[Seen]:
    shapes: list[tuple[reference.Circle | reference.Area, Shape]] = [
        (circle, Circle(lat_deg=circle.lat, lon_deg=circle.lon, radius_m=circle.radius_m))
        for circle in circles
    ]
    shapes += [(area, Area(geometry=area.geometry)) for area in areas]
    fences = FenceSet.build(
        Fence(external_id=fence.name, store=fence.name, shape=shape, dwell_s=fence.dwell_s)
        for fence, shape in shapes
    )
    builder = TraceBuilder()
    for device, points in traces.items():
        for point in points:
            builder.add(
                TraceFix(device=device, fixed_at_us=point.at_us, lat_deg=point.lat, lon_deg=point.lon)
            )
    for device, transition in replay(builder.build(), fences, Rules(mode="exact", lateness_s=0)):
        yield Seen(
            device,
            transition.geofence,
            transition.kind,
            transition.at_us,
            transition.lat_deg,
            transition.lon_deg,
        )


# Where the fences are


def circles_at(places: Iterable[tuple[float, float]]) -> list[reference.Circle]:
    """Circles of all sizes and dwell times at these places."""
    return [
        reference.Circle(f"circle-{number}", lat, lon, RADII_M[number % 4], DWELLS_S[number // 4 % 4])
        for number, (lat, lon) in enumerate(places)
    ]


def octagons_at(places: Iterable[tuple[float, float]]) -> list[reference.Area]:
    """Octagons of all sizes; every third with a hole, every fifth in two parts."""
    areas = []
    for number, (lat, lon) in enumerate(places):
        outer = _octagon(lat, lon, RADII_M[number % 4])
        if number % 3 == 0:
            outer = shapely.Polygon(outer.exterior, [_octagon(lat, lon, RADII_M[number % 4] / 2).exterior])
        parts = [outer, _octagon(lat + 0.01, lon, RADII_M[number % 4])]
        geometry = shapely.MultiPolygon(parts) if number % 5 == 0 else outer
        areas.append(reference.Area(f"octagon-{number}", geometry, DWELLS_S[number // 4 % 4]))
    return areas


def _octagon(lat: float, lon: float, radius_m: float) -> shapely.Polygon:
    height = radius_m / 111_000
    width = height / math.cos(math.radians(lat))
    return shapely.Polygon(
        (lon + width * math.cos(turn * math.tau / 8), lat + height * math.sin(turn * math.tau / 8))
        for turn in range(8)
    )


def places_on(traces: Traces, count: int, seed: int = 1) -> list[tuple[float, float]]:
    """Seeded points of the traces, some moved by up to 300 m."""
    draw = random.Random(seed)
    points = [point for track in traces.values() for point in track]
    return [
        (point.lat + moved * draw.uniform(-0.003, 0.003), point.lon + moved * draw.uniform(-0.003, 0.003))
        for moved, point in ((number % 2, draw.choice(points)) for number in range(count))
    ]


def bay_stores() -> list[tuple[float, float]]:
    """Shops and buildings of the whole Bay."""
    places = [(float(row["lat"]), float(row["lon"])) for row in rows("stores", "osm_poi_bay_2017.csv")]
    return random.Random(11).sample(places, COMPARED_STORES)


def food_businesses() -> list[tuple[float, float]]:
    """San Francisco's food businesses that have coordinates."""
    located = (
        (float(row["latitude"] or 0), float(row["longitude"] or 0))
        for row in rows("stores", "sf_food_businesses_2015_half.csv")
    )
    places = [(lat, lon) for lat, lon in located if lat and lon]
    return random.Random(12).sample(places, COMPARED_BUSINESSES)


def neighbourhoods() -> list[reference.Area]:
    """San Francisco's neighbourhoods, those of them that are valid polygons."""
    areas = areas_of(shared_data("polygons", "zones", "san-francisco.geojson"), "name", dwell_s=120.0)
    return [area for area in areas if area.geometry.is_valid]


def areas_of(path: Path, name: str, *, dwell_s: float) -> Iterator[reference.Area]:
    """The polygons of a GeoJSON file, named by one of their properties."""
    for feature in msgspec.json.decode(path.read_bytes())["features"]:
        geometry = shapely.geometry.shape(feature["geometry"])
        assert isinstance(geometry, shapely.Polygon | shapely.MultiPolygon)
        yield reference.Area(feature["properties"][name], geometry, dwell_s)


# Where the traces are


def rows(*parts: str, delimiter: str = ",") -> Iterator[dict[str, str]]:
    """The rows of a CSV file of the shared data, gzipped or not."""
    path = shared_data(*parts)
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        yield from csv.DictReader(file, delimiter=delimiter)


def traces_of(
    table: Iterable[dict[str, str]], device: str, time: str, lat: str, lon: str, *, bare_utc: bool = False
) -> Traces:
    """The traces of a table with these columns."""
    traces: Traces = {}
    for row in table:
        point = Point(time_us(row[time], utc_if_bare=bare_utc), float(row[lat]), float(row[lon]))
        traces.setdefault(row[device], []).append(point)
    return traces


@cache
def cabs() -> Traces:
    traces = traces_of(rows("trajectories", "cabspotting_dev.csv.gz"), "cab", "ts", "lat", "lon")
    chosen = random.Random(7).sample(sorted(traces), COMPARED_CABS)
    return {cab: traces[cab] for cab in chosen}


@cache
def phones(recording: str) -> Traces:
    table = rows("trajectories", "mobilitynet", f"{recording}.csv.gz")
    return traces_of(table, "phone", "ts", "latitude", "longitude")


@cache
def aracaju() -> Traces:
    # Local times without an offset; taken as UTC, which moves all of them alike.
    table = rows("trajectories", "uci_gps_aracaju", "go_track_trackspoints.csv")
    return traces_of(table, "track_id", "time", "latitude", "longitude", bare_utc=True)


@cache
def walk(name: str) -> Traces:
    if name == "google_trajectory.csv":
        table = rows("trajectories", "misc", name, delimiter=";")
        return traces_of(table, "user_id", "tracked_at", "latitude", "longitude")
    if name == "posmo_trajectory.csv":
        table = rows("trajectories", "misc", name, delimiter=";")
        return traces_of(table, "user_id", "tracked_at", "latitude", "longitude", bare_utc=True)
    fixes = [fix for fix in read_trace(gpx(name)) if isinstance(fix, TraceFix)]
    return {name: [Point(fix.fixed_at_us, fix.lat_deg, fix.lon_deg) for fix in fixes]}


def gpx(name: str) -> Path:
    return shared_data("trajectories", "misc", name)


PHONES = [
    "car_scooter_brex_san_jose.raw_location",
    "car_scooter_brex_san_jose.filtered_location",
    "unimodal_trip_car_bike_mtv_la.raw_location",
    "unimodal_trip_car_bike_mtv_la.filtered_location",
    "sfba_med_freq_calibration_stationary_only.raw_location",
]
#: andorra_for_map_matching.gpx has no times at all, so it is no trace.
WALKS = ["304_to_UL_2019-02-18_0745.gpx", "test1.gpx", "google_trajectory.csv", "posmo_trajectory.csv"]


def test_taxis_at_the_food_businesses_of_san_francisco() -> None:
    agree(cabs(), circles_at(food_businesses()))


def test_taxis_at_the_stores_of_the_bay() -> None:
    agree(cabs(), circles_at([*bay_stores(), *places_on(cabs(), PLACES_ON_THE_WAY)]))


def test_taxis_in_the_neighbourhoods_of_san_francisco() -> None:
    agree(cabs(), areas=neighbourhoods())


@pytest.mark.parametrize("recording", PHONES)
def test_phones_at_the_stores_of_the_bay(recording: str) -> None:
    traces = phones(recording)
    agree(traces, circles_at([*bay_stores(), *places_on(traces, PLACES_ON_THE_WAY)]))


@pytest.mark.parametrize("recording", PHONES)
def test_phones_in_areas_on_their_way(recording: str) -> None:
    traces = phones(recording)
    agree(traces, areas=octagons_at(places_on(traces, PLACES_ON_THE_WAY, seed=2)))


@pytest.mark.parametrize("recording", PHONES[:1] + PHONES[2:3])
def test_phones_in_the_places_that_were_surveyed_for_them(recording: str) -> None:
    path = shared_data(
        "trajectories",
        "mobilitynet",
        f"{recording.removesuffix('.raw_location')}.ground_truth_places.geojson",
    )
    agree(phones(recording), areas=list(areas_of(path, "place_id", dwell_s=60.0)))


def test_cars_and_buses_of_aracaju() -> None:
    traces = aracaju()
    agree(traces, circles_at(places_on(traces, 100)), octagons_at(places_on(traces, 100, seed=2)))


@pytest.mark.parametrize("name", WALKS)
def test_single_walks(name: str) -> None:
    traces = walk(name)
    agree(traces, circles_at(places_on(traces, 40)), octagons_at(places_on(traces, 40, seed=2)))
