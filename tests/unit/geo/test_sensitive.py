from typing import Any

import numpy as np
import pytest
import shapely
from geographiclib.geodesic import Geodesic

from geo.fence import Circle, Fence
from geo.geojson import FenceRejected
from geo.sensitive import HEALTH_DISTANCE_M, Override, SensitivePlace, SensitiveSet, shares_covered
from tests.unit.geo.walks import columns

LAT, LON = 60.17, 24.94


def feature(kind: str, geometry: dict[str, Any], **properties: object) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {"external_id": "clinic", "kind": kind, **properties},
    }


POINT = {"type": "Point", "coordinates": [LON, LAT]}
SQUARE = shapely.geometry.mapping(shapely.box(LON, LAT, LON + 0.002, LAT + 0.001))


def covered(place: dict[str, Any], *distances_m: float, azimuth: float = 180.0) -> list[bool]:
    """Whether points so far south of the square's edge, or of the point, are covered."""
    start_lon = LON + (0.001 if place["geometry"]["type"] == "Polygon" else 0.0)
    ends = [Geodesic.WGS84.Direct(LAT, start_lon, azimuth, distance) for distance in distances_m]
    places = SensitiveSet.build([SensitivePlace.from_feature(place)])
    found: list[bool] = places.covers(*columns((end["lat2"], end["lon2"]) for end in ends), at_us=0).tolist()
    return found


def test_health_care_reaches_610_m_beyond_its_perimeter() -> None:
    circle = feature("health", POINT, radius=100)
    assert covered(circle, 0, 709, 711) == [True, True, False]
    area = feature("health", {"type": "Polygon", "coordinates": [list(map(list, SQUARE["coordinates"][0]))]})
    assert covered(area, 0, 609, 620) == [True, True, False]


def test_other_places_reach_as_far_as_their_perimeter() -> None:
    assert covered(feature("worship", POINT, radius=100), 99, 101) == [True, False]


def test_a_place_reaches_as_far_as_it_says() -> None:
    assert covered(feature("school", POINT, radius=100, distance_m=50), 149, 151) == [True, False]


def test_inside_an_area_is_covered() -> None:
    area = feature("worship", {"type": "Polygon", "coordinates": [list(map(list, SQUARE["coordinates"][0]))]})
    assert covered(area, 50, azimuth=0.0) == [True]


def test_no_places_cover_nothing() -> None:
    empty = SensitiveSet.build([])
    assert len(empty) == 0
    assert empty.covers(np.zeros(2), np.zeros(2), 0).tolist() == [False, False]


@pytest.mark.parametrize("missing", ["external_id", "kind"])
def test_a_place_needs_an_id_and_a_kind(missing: str) -> None:
    place = feature("health", POINT, radius=100)
    del place["properties"][missing]
    with pytest.raises(FenceRejected) as refused:
        SensitivePlace.from_feature(place)
    assert [problem.field for problem in refused.value.problems] == [f"properties.{missing}"]


def fence_at(lat_deg: float, lon_deg: float, radius_m: float) -> Fence:
    return Fence(
        external_id="f", store="s", shape=Circle(lat_deg=lat_deg, lon_deg=lon_deg, radius_m=radius_m)
    )


def place_at(name: str, lat_deg: float, lon_deg: float, radius_m: float, distance_m: float) -> SensitivePlace:
    shape = Circle(lat_deg=lat_deg, lon_deg=lon_deg, radius_m=radius_m)
    return SensitivePlace(external_id=name, kind="health", shape=shape, distance_m=distance_m)


def test_how_much_of_a_fence_is_sensitive_is_told_with_the_places() -> None:
    fence = fence_at(60.0, 25.0, 100.0)
    half, far = place_at("half", 60.0, 25.0, 50.0, 20.7), place_at("far", 60.1, 25.0, 50.0, 610.0)
    all_of_it = place_at("all", 60.001, 25.001, 20.0, 610.0)
    [(share, names)] = shares_covered([fence], SensitiveSet.build([half, far]), 0)
    assert share == pytest.approx(0.5, abs=0.02)
    assert names == ["half"]
    assert shares_covered([fence], SensitiveSet.build([all_of_it]), 0) == [(1.0, ["all"])]
    assert shares_covered([fence], SensitiveSet.build([far]), 0) == [(0.0, [])]


@pytest.mark.parametrize("kind", ["health", "Hospital", "pharmacy"])
def test_health_care_counts_from_far_however_it_is_called(kind: str) -> None:
    point = {"type": "Point", "coordinates": [25.0, 60.0]}
    properties = {"external_id": "p", "kind": kind, "radius": 20}
    place = SensitivePlace.from_feature({"type": "Feature", "geometry": point, "properties": properties})
    assert place.distance_m == HEALTH_DISTANCE_M


def test_an_override_excuses_its_places_inside_its_geofence_until_it_ends() -> None:
    clinic, church = place_at("clinic", 60.0, 25.0, 50.0, 610.0), place_at("church", 60.001, 25.0, 20.0, 0.0)
    fence = fence_at(60.001, 25.0, 100.0)
    excused = Override(external_id="o", geofence=fence, places=frozenset(["clinic"]), until_us=1_000)
    layer = SensitiveSet.build([church, clinic], [excused])
    inside, in_church, beside = (60.0015, 25.0), (60.001, 25.0), (60.0, 25.0)
    lat, lon = np.array([inside, in_church, beside]).T

    assert layer.covers(lat, lon, 999).tolist() == [False, True, True]
    assert layer.covers(lat, lon, 1_000).tolist() == [True, True, True]
    assert layer.covers(lat, lon, np.array([999, 999, 999])).tolist() == [False, True, True]
    [(share, names)] = shares_covered([fence], layer, 999)
    assert (0.02 < share < 0.06, names) == (True, ["church"])
    assert shares_covered([fence], layer, 1_000)[0][0] == 1.0
