"""`server.doctor`: outlines, what lies near them, and overlaps."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.fence import Area, Circle, Fence
from server.doctor.outline import Outline
from server.doctor.overlaps import Overlap, Overlaps
from server.doctor.places import Places
from tests.unit.server.doctor_scene import at, circle

RING = Area(
    geometry=shapely.Polygon(
        [(24.9, 60.1), (24.91, 60.1), (24.91, 60.105), (24.9, 60.105)],
        [[(24.904, 60.102), (24.906, 60.102), (24.906, 60.103), (24.904, 60.103)]],
    )
)
SEAM = Area(
    geometry=shapely.MultiPolygon(
        [shapely.box(179.995, -16.8, 180, -16.79), shapely.box(-180, -16.8, -179.995, -16.79)]
    )
)
SHAPES = [Circle(lat_deg=60.1, lon_deg=24.9, radius_m=300.0), RING, SEAM]


@pytest.mark.parametrize("shape", SHAPES, ids=["circle", "ring", "seam"])
@given(east=st.floats(-0.02, 0.02), north=st.floats(-0.02, 0.02))
def test_an_outline_measures_as_the_fence_does(shape: Circle | Area, east: float, north: float) -> None:
    outline = Outline.of(shape)
    lat, lon = outline.circle.lat_deg + north, outline.circle.lon_deg + east
    lon = lon - 360 if lon > 180 else lon
    fence = Fence(external_id="a", store="a", shape=shape)
    exact_m = fence.boundary_distance_m(lat, lon)

    assert outline.outside_m(np.array([lat]), np.array([lon]))[0] == pytest.approx(
        exact_m, rel=0.003, abs=0.5
    )


def test_a_circle_is_as_deep_as_its_radius() -> None:
    outline = Outline.of(Circle(lat_deg=60.0, lon_deg=25.0, radius_m=80.0))

    assert outline.depth_m == 80
    assert outline.area_m2 == pytest.approx(math.pi * 6400)
    assert outline.shape.area == pytest.approx(outline.area_m2, rel=0.002)


def test_an_area_is_as_deep_as_the_largest_circle_in_it() -> None:
    assert Outline.of(RING).depth_m < 0.0025 * 111_400
    assert Outline.of(RING).depth_m > 0.001 * 111_400


def test_an_area_comes_back_from_its_plane() -> None:
    outline = Outline.of(RING)
    again = outline.area_from(outline.shape)

    assert shapely.symmetric_difference(again.geometry, RING.geometry).area < 1e-4 * RING.geometry.area


@pytest.mark.parametrize("shape", SHAPES, ids=["circle", "ring", "seam"])
def test_what_is_near_is_found_without_looking_at_all(shape: Circle | Area) -> None:
    outline, random = Outline.of(shape), np.random.default_rng(3)
    lat = outline.circle.lat_deg + random.normal(0, 0.01, 3_000)
    lon = (outline.circle.lon_deg + random.normal(0, 0.02, 3_000) + 180) % 360 - 180
    rows, outside_m = Places.of(lat, lon).near(outline, 100)
    all_m = outline.outside_m(lat, lon)

    assert rows.tolist() == np.flatnonzero(all_m <= 100).tolist()
    assert np.allclose(outside_m, all_m[rows])


def overlaps(*fences: Fence) -> tuple[Overlap, ...]:
    """With the first of them."""
    every = Overlaps(fences, [Outline.of(fence.shape) for fence in fences])
    return every.of(fences[0], Outline.of(fences[0].shape))


def test_fences_apart_do_not_overlap() -> None:
    assert overlaps(circle("a"), circle("b", at_m=(101, 0))) == ()


def test_a_lens_is_shared_by_two_circles() -> None:
    (found,) = overlaps(circle("a"), circle("b", at_m=(50, 0)))

    assert (found.fence, found.store, found.how) == ("b", "b", "crosses")
    assert found.share == pytest.approx(2 / 3 - math.sqrt(3) / 2 / math.pi, abs=0.003)


def test_a_shop_is_nested_in_its_mall_and_the_mall_holds_it() -> None:
    shop, mall = circle("shop"), circle("mall", radius_m=200, at_m=(60, 0))

    assert [(one.how, one.share) for one in overlaps(shop, mall)] == [("nested", 1.0)]
    assert [one.how for one in overlaps(mall, shop)] == ["holds"]


def test_two_fences_of_one_shape_are_the_same() -> None:
    assert [one.how for one in overlaps(circle("a"), circle("b"))] == ["same"]


def test_the_largest_overlap_comes_first() -> None:
    found = overlaps(circle("a"), circle("b", at_m=(80, 0)), circle("c", at_m=(0, 20)))

    assert [one.fence for one in found] == ["c", "b"]


def test_the_share_in_several_others_counts_no_place_twice() -> None:
    fences = [circle("a"), circle("b", at_m=(30, 0)), circle("c", at_m=(30, 1))]
    every = Overlaps(fences, [Outline.of(fence.shape) for fence in fences])
    outline = Outline.of(fences[0].shape)
    found = every.of(fences[0], outline)

    assert max(one.share for one in found) <= every.share(outline, found) < sum(one.share for one in found)


def test_fences_overlap_across_the_antimeridian() -> None:
    west = Fence(external_id="w", store="w", shape=Circle(lat_deg=-16.8, lon_deg=179.9999, radius_m=50))
    east = Fence(external_id="e", store="e", shape=Circle(lat_deg=-16.8, lon_deg=-179.9999, radius_m=50))
    area = Fence(external_id="s", store="s", shape=SEAM)

    assert [one.fence for one in overlaps(west, east)] == ["e"]
    assert {one.fence for one in overlaps(area, east, west)} == {"e", "w"}


def test_places_are_given_in_degrees() -> None:
    lat, lon = at(0, 111)

    assert (round(lat, 3), lon) == (60.171, 24.94)
