import numpy as np
import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import given
from hypothesis import strategies as st

from geo.distance import chord_m, distance_m, earth_centred, equal_area_m
from tests.support import shared_data

MILLIMETRE = 0.001


def test_distances_under_10_km_agree_with_the_published_vectors() -> None:
    lines = shared_data("vectors", "geographiclib", "GeodTest-100.dat").read_text().splitlines()
    rows = np.array([[float(number) for number in line.split()] for line in lines])
    near = rows[rows[:, 6] < 10_000]
    assert len(near) >= 8
    assert np.abs(distance_m(near[:, 0], near[:, 1], near[:, 3], near[:, 4]) - near[:, 6]).max() < MILLIMETRE


@given(
    lat=st.floats(-90, 90),
    lon=st.floats(-180, 180),
    azimuth=st.floats(0, 360),
    way_m=st.floats(0, 10_000),
)
def test_distances_under_10_km_agree_with_geodesics_anywhere(
    lat: float, lon: float, azimuth: float, way_m: float
) -> None:
    end = Geodesic.WGS84.Direct(lat, lon, azimuth, way_m)
    assert distance_m(lat, lon, end["lat2"], end["lon2"]) == pytest.approx(way_m, abs=0.05 * MILLIMETRE)


@given(
    lat=st.floats(-89, 89), lon=st.floats(-180, 180), azimuth=st.floats(0, 360), radius=st.floats(10, 10_000)
)
def test_a_point_is_within_the_chord_exactly_when_it_is_within_the_radius(
    lat: float, lon: float, azimuth: float, radius: float
) -> None:
    for way_m, expected in ((radius - MILLIMETRE, True), (radius + MILLIMETRE, False)):
        end = Geodesic.WGS84.Direct(lat, lon, azimuth, way_m)
        centre = np.array(earth_centred(np.array([lat]), np.array([lon])))
        there = np.array(earth_centred(np.array([end["lat2"]]), np.array([end["lon2"]])))
        assert (np.linalg.norm(centre - there) <= chord_m(np.array([radius]))[0]) is np.bool_(expected)


def test_long_distances_are_right_to_half_a_percent() -> None:
    truth = Geodesic.WGS84.Inverse(60.17, 24.94, 37.77, -122.42)["s12"]
    assert distance_m(60.17, 24.94, 37.77, -122.42) == pytest.approx(truth, rel=5e-3)


def test_antipodes_are_half_a_turn_apart() -> None:
    assert distance_m(0.0, 0.0, 0.0, 180.0) == pytest.approx(20_015_000, rel=1e-3)


def test_the_equal_area_projection_keeps_areas() -> None:
    polygon = Geodesic.WGS84.Polygon()
    corners = [(60.0, 24.0), (60.0, 24.02), (60.02, 24.02), (60.02, 24.0)]
    for lat, lon in corners:
        polygon.AddPoint(lat, lon)
    x, y = equal_area_m(np.array([(lon, lat) for lat, lon in corners])).T
    area_m2 = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    assert area_m2 == pytest.approx(polygon.Compute()[2], rel=1e-5)
