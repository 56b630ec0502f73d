"""The index against one shapely or geographiclib check per point and fence, which shares nothing with it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.fence import Area, Circle, Fence, Shape
from geo.index import FenceSet
from tests.unit.geo.shapes import latitudes, longitudes, points_near, shapes_near, truth, turned
from tests.unit.geo.walks import columns


def fence(external_id: str, shape: Shape, *, enabled: bool = True) -> Fence:
    return Fence(external_id=external_id, store="s", shape=shape, enabled=enabled)


def circle(lat: float, lon: float, radius_m: float) -> Circle:
    return Circle(lat_deg=lat, lon_deg=lon, radius_m=radius_m)


def pairs_of(fences: FenceSet, points: list[tuple[float, float]]) -> set[tuple[int, int]]:
    """Each point's place and the numbers of the fences that hold it: in a new set they count the fences."""
    point, place = fences.match(*columns(points))
    pairs = list(zip(point.tolist(), place.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    one_by_one = [(i, found) for i, (lat, lon) in enumerate(points) for found in fences.match_one(lat, lon)]
    assert one_by_one == pairs
    return set(zip(point.tolist(), fences.number[place].tolist(), strict=True))


def check(shapes: list[Shape], points: list[tuple[float, float]]) -> None:
    matched = pairs_of(FenceSet.build(fence(str(i), shape) for i, shape in enumerate(shapes)), points)
    for i, (lat, lon) in enumerate(points):
        for j, shape in enumerate(shapes):
            expected = truth(shape, lat, lon)
            assert expected is None or ((i, j) in matched) is expected, (lat, lon, shape)


@given(data=st.data(), lat=latitudes, lon=longitudes)
def test_fences_of_any_size_and_kind_anywhere_match_what_geodesics_and_shapely_say(
    data: st.DataObject, lat: float, lon: float
) -> None:
    shapes = [data.draw(shapes_near(lat, lon)) for _ in range(6)]
    points = data.draw(points_near(shapes, 10))
    points += [(lat, turned(lon + east)) for east in (0.0, 90.0, 180.0)]
    points += [(at, side) for at, side in points if abs(side) == 180.0]
    check(shapes, points)


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


def test_a_disabled_fence_matches_nothing_and_is_not_counted() -> None:
    fences = FenceSet.build(
        [fence("off", circle(0, 0, 100), enabled=False), fence("on", circle(0, 0, 100))], version=7
    )
    assert fences.match_one(0.0, 0.0) == [0]
    assert fences.fence(0).external_id == "on"
    assert (len(fences), fences.version, list(fences.by_id)) == (1, 7, ["on"])


def test_a_polygon_of_two_thousand_corners_holds_what_its_geometry_does() -> None:
    random = np.random.default_rng(5)
    turn = np.linspace(0, 2 * np.pi, 2_000, endpoint=False)
    reach_deg = 0.002 * (1 + 0.3 * np.sin(40 * turn))
    outer = np.column_stack([24 + 2 * reach_deg * np.cos(turn), 60 + reach_deg * np.sin(turn)])
    hole = 24 + 0.001 * np.cos(turn[::100]), 60 + 0.0005 * np.sin(turn[::100])
    shape = shapely.Polygon(outer, [np.column_stack(hole)])
    fences = FenceSet.build([fence("star", Area(geometry=shape))])
    corners = shapely.get_coordinates(shape)
    near = corners.repeat(3, axis=0) + random.normal(0, 1e-9, (3 * len(corners), 2))
    around = random.uniform([23.994, 59.997], [24.006, 60.003], (5_000, 2))
    points = np.concatenate([corners, (corners[1:] + corners[:-1]) / 2, near, around])
    point, _ = fences.match(points[:, 1].copy(), points[:, 0].copy())
    assert point.tolist() == np.flatnonzero(shapely.intersects_xy(shape, points)).tolist()


def test_no_fences_and_no_points_match_nothing() -> None:
    assert pairs_of(FenceSet.build([]), [(0.0, 0.0)]) == set()
    assert pairs_of(FenceSet.build([fence("one", circle(0, 0, 100))]), []) == set()


def test_a_polygon_as_large_as_the_earth_takes_few_cells() -> None:
    earth = Area(geometry=shapely.box(-180, -90, 180, 90))
    fences = FenceSet.build([fence("earth", earth), fence("shop", circle(60, 24, 50))])
    assert sum(len(level.grid.cards) for level in fences.main.levels) < 70_000
    assert pairs_of(fences, [(60.0, 24.0), (-90.0, 0.0)]) == {(0, 0), (0, 1), (1, 0)}


@given(data=st.data(), lat=latitudes, lon=longitudes)
def test_scalar_twins_tell_the_same_numbers(data: st.DataObject, lat: float, lon: float) -> None:
    shapes = [data.draw(shapes_near(lat, lon)) for _ in range(4)]
    fences = FenceSet.build(fence(str(i), shape) for i, shape in enumerate(shapes))
    points = data.draw(points_near(shapes, 12))
    sigma_m = 10 ** data.draw(st.floats(0, 3))
    lats, lons = columns(points)
    point, place = fences.match(lats, lons)
    sure = fences.probability_inside(lats, lons, (point, place), np.full(len(lats), sigma_m))
    one_by_one = [
        fences.probability_one(*points[i], found, sigma_m)
        for i, found in zip(point.tolist(), place.tolist(), strict=True)
    ]
    assert sure.tolist() == one_by_one
    assert all(0 <= p <= 1 for p in one_by_one)
    inside = set(zip(point.tolist(), place.tolist(), strict=True))
    outside = [(i, j) for i in range(len(points)) for j in range(len(fences)) if (i, j) not in inside]
    at, of = (np.array([pair[side] for pair in outside], np.int32) for side in (0, 1))
    gap_m = fences.boundary_gap_m(lats[at], lons[at], of)
    assert gap_m.tolist() == [fences.boundary_gap_one(*points[i], j) for i, j in outside]


@given(lat=st.floats(59.9, 60.1), lon=st.floats(23.9, 24.1), count=st.integers(1, 6))
def test_the_nearest_fences_are_those_with_the_nearest_boundaries(lat: float, lon: float, count: int) -> None:
    random = np.random.default_rng(2)
    shapes: list[Shape] = []
    for _ in range(20):
        north, east, radius_m = random.normal(0, 0.05), random.normal(0, 0.05), random.uniform(50, 900)
        blob = shapely.Point(24 + east, 60 + north).buffer(0.004)
        shapes.append(circle(60 + north, 24 + east, radius_m) if radius_m > 300 else Area(geometry=blob))
    check_nearest(shapes, lat, lon, count, within_m=3_000)


@given(data=st.data(), lat=latitudes, lon=longitudes, count=st.integers(1, 4))
def test_the_nearest_fences_are_found_at_poles_and_the_antimeridian(
    data: st.DataObject, lat: float, lon: float, count: int
) -> None:
    shapes = [data.draw(shapes_near(lat, lon)) for _ in range(8)]
    check_nearest(shapes, lat, lon, count, within_m=data.draw(st.sampled_from([500.0, 5_000.0, 50_000.0])))


@pytest.mark.parametrize("spread_deg", [0.003, 0.05, 1.0])
@pytest.mark.parametrize("sizes_m", [(50, 150), (10, 10_000)])
def test_the_nearest_of_thousands_are_found_in_town_and_in_the_country(
    spread_deg: float, sizes_m: tuple[int, int]
) -> None:
    random = np.random.default_rng(7)
    shapes: list[Shape] = [
        circle(60 + north, 24 + east, 10**size)
        for north, east, size in zip(
            random.normal(0, spread_deg, 3_000),
            random.normal(0, 2 * spread_deg, 3_000),
            random.uniform(*np.log10(sizes_m), 3_000),
            strict=True,
        )
    ]
    for away in (0.0, 0.5, 1.0, 3.0):
        check_nearest(shapes, 60 + away * spread_deg, 24.0, 20, within_m=5_000)


def check_nearest(shapes: list[Shape], lat: float, lon: float, count: int, *, within_m: float) -> None:
    kept = [fence(str(i), shape) for i, shape in enumerate(shapes)]
    fences = FenceSet.build(kept)
    place, gap_m = fences.nearest(lat, lon, count, within_m=within_m)
    gaps_m = sorted(abs(one.boundary_distance_m(lat, lon)) for one in kept)
    expected = [gap for gap in gaps_m if gap <= within_m][:count]
    assert gap_m.tolist() == pytest.approx(expected, abs=0.002, rel=1e-6)
    assert len(set(place.tolist())) == len(place)
    for one, gap in zip(fences.number[place].tolist(), gap_m.tolist(), strict=True):
        true_m = abs(kept[one].boundary_distance_m(lat, lon))
        assert gap == pytest.approx(true_m, abs=0.002, rel=1e-6)


@pytest.mark.parametrize("count", [1, 5, 200])
def test_the_nearest_of_many_points_are_those_of_each_alone(count: int) -> None:
    given, points = areas_and_points(6)
    fences = FenceSet.build(given + [fence(f"twin {one.external_id}", one.shape) for one in given[:20]])
    lats, lons = columns(points)
    near = fences.nearest_each(lats.tolist(), lons.tolist(), count, within_m=2_000.0)
    around = fences.match_each(lats, lons)
    for point, at in enumerate(points):
        place, gap_m = fences.nearest(*at, count, within_m=2_000.0)
        rows = near.point == point
        assert (near.place[rows].tolist(), near.gap_m[rows].tolist()) == (place.tolist(), gap_m.tolist())
        assert around[point] == fences.match_one(*at)


def areas_and_points(seed: int) -> tuple[list[Fence], list[tuple[float, float]]]:
    """Fences in a town, half of them areas, and points among them."""
    random = np.random.default_rng(seed)
    shapes: list[Shape] = []
    for _ in range(60):
        lat, lon = 60.17 + random.normal(0, 0.01), 24.94 + random.normal(0, 0.02)
        blob = shapely.Point(lon, lat).buffer(0.002, quad_segs=int(random.integers(1, 40)))
        shapes.append(Area(geometry=blob) if random.random() < 0.5 else circle(lat, lon, 150))
    points = [(60.17 + random.normal(0, 0.01), 24.94 + random.normal(0, 0.02)) for _ in range(100)]
    return [fence(str(i), shape) for i, shape in enumerate(shapes)], points


def answers(fences: FenceSet, points: list[tuple[float, float]]) -> list[object]:
    """All that a set tells of points, with fences by their ids."""
    lats, lons = columns(points)
    point, place = fences.match(lats, lons)
    sure = fences.probability_inside(lats, lons, (point, place), np.full(len(lats), 40.0))
    names = [fences.fence(one).external_id for one in place.tolist()]
    near = [fences.nearest(*at, 5) for at in points]
    return [
        sorted(zip(point.tolist(), names, sure.tolist(), strict=True)),
        [[fences.fence(one).external_id for one in place.tolist()] for place, _ in near],
        [gap_m.tolist() for _, gap_m in near],
        [fences.circle(fences.place_of_id(str(i))) for i in range(len(fences))],
    ]


def test_answers_do_not_depend_on_when_areas_were_drawn() -> None:
    given, points = areas_and_points(3)
    at_once, one_by_one = FenceSet.build(given), FenceSet.build(given)
    for at in points:
        one_by_one.match_one(*at)
    half_drawn = FenceSet.build(given)
    half_drawn.match(*columns(points[:20]))
    edited = half_drawn.edited(given[10:20], version=1)
    told = answers(at_once, points)
    assert [answers(fences, points) for fences in (one_by_one, edited, half_drawn)] == [told] * 3


def test_threads_may_ask_for_areas_and_take_them_over_while_others_are_drawn() -> None:
    given, points = areas_and_points(4)
    expected = answers(FenceSet.build(given), points)
    fences = FenceSet.build(given)
    with ThreadPoolExecutor(4) as threads:
        matched = [threads.submit(answers, fences, points) for _ in range(4)]
        edited = [threads.submit(fences.edited, [given[i]], version=1) for i in range(20)]
    assert [one.result() for one in matched] == [expected] * 4
    assert [answers(one.result(), points) for one in edited] == [expected] * 20


def test_the_boundary_of_an_area_that_goes_round_the_earth_is_found_on_its_far_side() -> None:
    band = fence("band", Area(geometry=shapely.box(-170, -30, 170, 30)))
    shop = fence("shop", circle(0, -175, 100))
    place, gap_m = FenceSet.build([shop, band]).nearest(0.0, -171.0, 2, within_m=600_000)
    assert [round(gap / 1_000) for gap in gap_m.tolist()] == [111, 445]
    assert place.tolist() == [1, 0]


@pytest.mark.parametrize("radius_m", [10.0, 12.0, 15.0, 70.0, 300.0, 5_000.0])
def test_fences_where_two_degrees_of_latitude_meet_are_near(radius_m: float) -> None:
    shapes: list[Shape] = [circle(lat, lon, radius_m) for lat in (5.0, -60.0) for lon in (0.0, 24.0)]
    fences = FenceSet.build(fence(str(i), shape) for i, shape in enumerate(shapes))
    for at in ((5.0, 0.0), (5.0, 24.0), (-60.0, 0.0), (-60.0, 24.0)):
        assert fences.nearest(*at, 1)[1].tolist() == [pytest.approx(radius_m)]


def test_equally_near_fences_are_told_by_their_ids_however_the_set_came_to_be() -> None:
    names = ["b", "d", "a", "c"]
    fences = FenceSet.build(fence(name, circle(60, 24, 100)) for name in names)
    place, _ = fences.nearest(60.0, 24.01, 3)
    assert [fences.fence(one).external_id for one in place.tolist()] == ["a", "b", "c"]


def test_a_temporary_fence_matches_from_its_begin_until_before_its_end() -> None:
    market = Fence(
        external_id="market", store="s", shape=circle(60, 24, 100), valid_from_us=1_000, valid_until_us=2_000
    )
    fences = FenceSet.build([market, fence("shop", circle(60, 24, 100))])
    times = np.array([999, 1_000, 1_999, 2_000])
    lat, lon = np.full(4, 60.0), np.full(4, 24.0)
    point, place = fences.match(lat, lon, times)
    names = [fences.fence(one).external_id for one in place.tolist()]
    assert sorted(zip(point.tolist(), names, strict=True)) == [
        (0, "shop"),
        (1, "market"),
        (1, "shop"),
        (2, "market"),
        (2, "shop"),
        (3, "shop"),
    ]
    for at_us, count in zip(times.tolist(), (1, 2, 2, 1), strict=True):
        assert len(fences.match_one(60.0, 24.0, at_us)) == count
        assert len(fences.nearest(60.0, 24.0, 9, at_us=at_us)[0]) == count
    assert len(fences.match(lat, lon)[0]) == 8
    assert len(fences.nearest(60.0, 24.0, 9, at_us=500, until_us=1_000)[0]) == 2


def test_a_fence_comes_out_of_a_set_as_it_went_in() -> None:
    areas = [Area(geometry=shapely.box(24, 60, 24.01, 60.01)), circle(60.1, 24.2, 77.7)]
    given = [
        Fence(
            external_id=f"f{i}",
            store=f"s{i}",
            shape=shape,
            name="Door",
            dwell_s=0.25,
            valid_from_us=None if i else -5,
            valid_until_us=7 if i else None,
        )
        for i, shape in enumerate(areas)
    ]
    fences = FenceSet.build(given)
    assert sorted(fences, key=lambda one: one.external_id) == given
    place = fences.place_of_id("f1")
    assert fences.circle(place) == circle(60.1, 24.2, 77.7)
    assert fences.validity_us(place)[1] == 7
    held = fences.circle(fences.place_of_id("f0"))
    corners = [(60.0, 24.0), (60.0, 24.01), (60.01, 24.0), (60.01, 24.01)]
    assert all(truth(held, *corner) for corner in corners)
