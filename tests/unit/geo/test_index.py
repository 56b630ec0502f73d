"""The index against one shapely or geographiclib check per point and fence, which shares nothing with it."""

import numpy as np
import pytest
import shapely
from geographiclib.geodesic import Geodesic
from hypothesis import given
from hypothesis import strategies as st

from geo.fence import Area, Circle, Fence, Shape
from geo.index import FenceSet
from tests.unit.geo.walks import columns

EDGE_M = 0.001  #: nearer to a circle's edge than this, either answer is right


def fence(external_id: str, shape: Shape, *, enabled: bool = True) -> Fence:
    return Fence(external_id=external_id, store="s", shape=shape, enabled=enabled)


def circle(lat: float, lon: float, radius_m: float) -> Circle:
    return Circle(lat_deg=lat, lon_deg=lon, radius_m=radius_m)


def pairs_of(fences: FenceSet, points: list[tuple[float, float]]) -> set[tuple[int, int]]:
    point, place = fences.match(*columns(points))
    pairs = list(zip(point.tolist(), place.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    return set(pairs)


def truth(shape: Shape, lat: float, lon: float) -> bool | None:
    """True or False; None at the very edge of a circle."""
    if isinstance(shape, Area):
        return bool(shape.geometry.intersects(shapely.Point(lon, lat)))
    gap_m = Geodesic.WGS84.Inverse(shape.lat_deg, shape.lon_deg, lat, lon)["s12"] - shape.radius_m
    return None if abs(gap_m) < EDGE_M else gap_m < 0


def check(shapes: list[Shape], points: list[tuple[float, float]]) -> None:
    matched = pairs_of(FenceSet.build(fence(str(i), shape) for i, shape in enumerate(shapes)), points)
    for i, (lat, lon) in enumerate(points):
        for j, shape in enumerate(shapes):
            expected = truth(shape, lat, lon)
            assert expected is None or ((i, j) in matched) is expected, (lat, lon, shape)


@given(data=st.data(), lat=st.floats(-90, 90), lon=st.floats(-180, 180))
def test_circles_of_any_size_anywhere_match_what_geodesics_say(
    data: st.DataObject, lat: float, lon: float
) -> None:
    metres, degrees = st.floats(10, 10_000), st.floats(-0.1, 0.1)
    shapes: list[Shape] = [
        circle(*_near(lat, lon, data.draw(degrees), data.draw(degrees)), data.draw(metres)) for _ in range(5)
    ]
    points = [_near(lat, lon, data.draw(degrees), data.draw(degrees)) for _ in range(5)]
    for shape in shapes:
        assert isinstance(shape, Circle)
        for way in (shape.radius_m - 2 * EDGE_M, shape.radius_m + 2 * EDGE_M):
            end = Geodesic.WGS84.Direct(shape.lat_deg, shape.lon_deg, data.draw(st.floats(0, 360)), way)
            points.append((end["lat2"], end["lon2"]))
    check(shapes, points)


def _near(lat: float, lon: float, north: float, east: float) -> tuple[float, float]:
    return min(90.0, max(-90.0, lat + north)), (lon + east + 180) % 360 - 180


@given(data=st.data())
def test_polygons_match_what_shapely_says(data: st.DataObject) -> None:
    grid = st.integers(-8, 8)  # small integers: many points lie on edges and corners
    shapes: list[Shape] = []
    for _ in range(4):
        corners = data.draw(st.lists(st.tuples(grid, grid), min_size=3, max_size=8))
        hull = shapely.MultiPoint(corners).convex_hull
        if isinstance(hull, shapely.Polygon):
            hole = shapely.affinity.scale(hull, 0.5, 0.5)
            shapes.append(Area(geometry=hull if data.draw(st.booleans()) else hull.difference(hole)))
    points = [(lat / 2, lon / 2) for lat, lon in data.draw(st.lists(st.tuples(grid, grid), max_size=20))]
    check(shapes, points)


def test_hundreds_of_fences_of_all_kinds_match_what_brute_force_says() -> None:
    random = np.random.default_rng(1)
    shapes: list[Shape] = []
    for _ in range(300):
        lat, lon = 60.17 + random.normal(0, 0.02), 24.94 + random.normal(0, 0.04)
        if random.random() < 0.7:
            shapes.append(circle(lat, lon, float(10 ** random.uniform(1, 4))))
        else:
            blob = shapely.Point(lon, lat).buffer(
                10 ** random.uniform(-4, -2), quad_segs=random.integers(1, 30)
            )
            shapes.append(Area(geometry=shapely.affinity.rotate(blob, random.uniform(0, 90))))
    points = [(60.17 + random.normal(0, 0.02), 24.94 + random.normal(0, 0.04)) for _ in range(200)]
    check(shapes, points)


@pytest.mark.parametrize("lat", [90.0, -90.0, 89.95, 0.0])
def test_a_circle_at_a_pole_or_the_seam_has_no_hole(lat: float) -> None:
    shape = circle(lat, 180.0, 10_000)
    points = [(lat, 180.0), (lat, -180.0), (lat, 179.9999), (lat, -179.9999)]
    check([shape], points)
    assert len(pairs_of(FenceSet.build([fence("pole", shape)]), points)) == 4


def test_a_boundary_point_of_a_polygon_counts_as_inside() -> None:
    fences = FenceSet.build([fence("square", Area(geometry=shapely.box(24.0, 60.0, 24.5, 60.5)))])
    points = [(60.0, 24.0), (60.25, 24.5), (60.5, 24.1), (60.25, 24.5000000001)]
    assert pairs_of(fences, points) == {(0, 0), (1, 0), (2, 0)}


def test_the_edge_of_a_hole_belongs_to_the_polygon_and_the_hole_does_not() -> None:
    ring = shapely.box(0, 0, 3, 3).difference(shapely.box(1, 1, 2, 2))
    assert pairs_of(FenceSet.build([fence("ring", Area(geometry=ring))]), [(1.0, 1.5), (1.5, 1.5)]) == {
        (0, 0)
    }


def test_a_shape_cut_at_the_antimeridian_is_whole() -> None:
    cut = shapely.MultiPolygon([shapely.box(179.9, 0, 180, 1), shapely.box(-180, 0, -179.9, 1)])
    fences = FenceSet.build([fence("cut", Area(geometry=cut))])
    points = [(0.5, 179.95), (0.5, 180.0), (0.5, -180.0), (0.5, -179.95), (0.5, 179.0), (0.5, 0.0)]
    assert pairs_of(fences, points) == {(0, 0), (1, 0), (2, 0), (3, 0)}


def test_a_shape_that_ends_at_the_antimeridian_holds_it_by_both_its_names() -> None:
    fences = FenceSet.build([fence("west", Area(geometry=shapely.box(-180, 0, -179.9, 1)))])
    assert pairs_of(fences, [(0.5, 180.0), (0.5, -180.0)]) == {(0, 0), (1, 0)}


def test_a_disabled_fence_matches_nothing_and_keeps_its_place() -> None:
    fences = FenceSet.build(
        [fence("off", circle(0, 0, 100), enabled=False), fence("on", circle(0, 0, 100))], version=7
    )
    assert pairs_of(fences, [(0.0, 0.0)]) == {(0, 1)}
    assert (len(fences), fences.version, list(fences.by_id)) == (2, 7, ["on"])


def test_no_fences_and_no_points_match_nothing() -> None:
    assert pairs_of(FenceSet.build([]), [(0.0, 0.0)]) == set()
    assert pairs_of(FenceSet.build([fence("one", circle(0, 0, 100))]), []) == set()


def test_a_polygon_as_large_as_the_earth_takes_few_cells() -> None:
    earth = Area(geometry=shapely.box(-180, -90, 180, 90))
    fences = FenceSet.build([fence("earth", earth), fence("shop", circle(60, 24, 50))])
    assert sum(len(level.items) for level in fences.levels) < 70_000
    assert pairs_of(fences, [(60.0, 24.0), (-90.0, 0.0)]) == {(0, 0), (0, 1), (1, 0)}


@given(lat=st.floats(59.9, 60.1), lon=st.floats(23.9, 24.1), count=st.integers(1, 6))
def test_the_nearest_fences_are_those_with_the_nearest_boundaries(lat: float, lon: float, count: int) -> None:
    random = np.random.default_rng(2)
    shapes: list[Shape] = []
    for _ in range(20):
        north, east, radius_m = random.normal(0, 0.05), random.normal(0, 0.05), random.uniform(50, 900)
        blob = shapely.Point(24 + east, 60 + north).buffer(0.004)
        shapes.append(circle(60 + north, 24 + east, radius_m) if radius_m > 300 else Area(geometry=blob))
    kept = [fence(str(i), shape) for i, shape in enumerate(shapes)]
    place, gap_m = FenceSet.build(kept).nearest(lat, lon, count, within_m=3_000)
    expected = sorted((abs(one.boundary_distance_m(lat, lon)), i) for i, one in enumerate(kept))
    expected = [pair for pair in expected if pair[0] <= 3_000][:count]
    assert gap_m.tolist() == pytest.approx([gap for gap, _ in expected])
    assert place.tolist() == [i for _, i in expected]
