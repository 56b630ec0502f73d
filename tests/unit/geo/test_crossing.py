"""Ways through fences between sparse fixes."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.crossing import PASS_AT, Crossing, Crossings, crossed, crossings
from geo.distance import distance_m
from geo.fence import Area, Circle, Fence
from geo.fix import SECOND_US
from geo.index import FenceSet
from geo.plane import Plane
from geo.steps import SHORTEST_STEP_M, Steps
from geo.transition import Rules, Sighting
from tests.unit.geo.motions import BEGIN_US, LAT, LON, at, circle

RULES = Rules()
SHOP = circle("shop", 0, 0, 50)


def through(earlier: Sighting, later: Sighting, *fences: Fence, rules: Rules = RULES) -> list[Crossing]:
    """The crossings of one step."""
    return crossed(earlier, later, FenceSet.build(fences or [SHOP]), rules)


def test_a_way_straight_through_a_fence_is_a_crossing() -> None:
    (found,) = through(at(0, -150), at(20, 150))
    assert found.at_us == pytest.approx(BEGIN_US + 10 * SECOND_US, abs=10_000)
    assert distance_m(found.lat_deg, found.lon_deg, LAT, LON) < 0.1
    assert found.speed_mps == pytest.approx(15, rel=0.001)
    assert found.confidence > 0.99


def test_a_way_past_a_fence_is_none() -> None:
    assert through(at(0, -150, 60), at(20, 150, 60)) == []


def test_a_way_that_grazes_a_fence_is_none() -> None:
    assert through(at(0, -150, 49), at(20, 150, 49)) == []


def test_the_vaguer_the_fixes_the_deeper_must_the_way_lead() -> None:
    exact = through(at(0, -150, 38, accuracy_m=5), at(20, 150, 38, accuracy_m=5))
    vague = through(at(0, -250, 38, accuracy_m=60), at(20, 250, 38, accuracy_m=60))
    assert (len(exact), len(vague)) == (1, 0)
    assert len(through(at(0, -250, accuracy_m=60), at(20, 250, accuracy_m=60))) == 1


def test_the_rarer_the_fixes_the_deeper_must_the_way_lead() -> None:
    assert len(through(at(0, -150, 35), at(10, 150, 35))) == 1
    assert through(at(0, -600, 35), at(100, 600, 35)) == []


def test_between_fixes_too_far_apart_in_time_nobody_knows() -> None:
    assert len(through(at(0, -150), at(120, 150))) == 1
    assert through(at(0, -150), at(120.1, 150)) == []


def test_a_fence_that_holds_an_end_is_not_crossed() -> None:
    assert through(at(0, -40), at(10, 150)) == []
    assert through(at(0, -150), at(10, 40)) == []


def test_a_coarse_fix_crosses_nothing() -> None:
    large = circle("large", 0, 0, 5_000)
    assert through(at(0, -6_000, accuracy_m=1_001), at(100, 6_000), large) == []
    assert len(through(at(0, -6_000, accuracy_m=999), at(100, 6_000), large)) == 1


def test_an_unknown_accuracy_counts_as_the_default() -> None:
    (unknown,) = through(at(0, -150, 20, accuracy_m=None), at(20, 150, 20, accuracy_m=None))
    (known,) = through(at(0, -150, 20, accuracy_m=20), at(20, 150, 20, accuracy_m=20))
    assert unknown == known


def test_a_walker_who_reports_often_crosses_nothing_between() -> None:
    small = circle("small", 0, 0, 10)
    assert through(at(0, -9.9, 9), at(10, 9.9, 9), small) == []


def test_several_fences_are_crossed_in_order_of_time() -> None:
    fences = [circle("c", 300, 0, 60), circle("a", -300, 0, 60), circle("b", 0, 0, 60)]
    found = through(at(0, -450), at(45, 450), *fences)
    built = FenceSet.build(fences)
    assert [built.fence(one.place).external_id for one in found] == ["a", "b", "c"]
    assert sorted(one.at_us for one in found) == [one.at_us for one in found]


def test_a_temporary_fence_is_crossed_in_its_time_alone() -> None:
    middle_us = BEGIN_US + 10 * SECOND_US
    for valid, count in (
        ({"valid_from_us": middle_us - SECOND_US, "valid_until_us": middle_us + SECOND_US}, 1),
        ({"valid_until_us": middle_us - 5 * SECOND_US}, 0),
        ({"valid_from_us": middle_us + 5 * SECOND_US}, 0),
    ):
        assert len(through(at(0, -150), at(20, 150), circle("shop", 0, 0, 50, **valid))) == count


def polygon(points: list[tuple[float, float]], around: tuple[float, float] = (LAT, LON)) -> Fence:
    """An area with corners in metres."""
    plane = Plane.at(*around)
    corners = [(around[1] + east / plane.east_m, around[0] + north / plane.north_m) for east, north in points]
    return Fence(external_id="area", store="s", shape=Area(geometry=shapely.Polygon(corners)))


def ring(radius_m: float, east_m: float = 0.0, north_m: float = 0.0, corners: int = 96) -> Fence:
    """A circle as a polygon."""
    turns = [2 * math.pi * corner / corners for corner in range(corners)]
    points = [(east_m + radius_m * math.sin(turn), north_m + radius_m * math.cos(turn)) for turn in turns]
    return polygon(points)


@given(
    north_m=st.floats(-60, 60),
    east_m=st.floats(-80, 80),
    radius_m=st.floats(30, 120),
    accuracy_m=st.floats(3, 60),
    seconds=st.floats(5, 110),
)
def test_an_area_is_judged_as_the_circle_it_resembles(
    north_m: float, east_m: float, radius_m: float, accuracy_m: float, seconds: float
) -> None:
    step = at(0, -250, north_m, accuracy_m=accuracy_m), at(seconds, 250, north_m, accuracy_m=accuracy_m)
    one = through(*step, circle("c", east_m, 0, radius_m))
    other = through(*step, ring(radius_m, east_m))
    surer = [found.confidence for found in one + other]
    if surer and max(surer) > PASS_AT + 0.02:
        assert len(one) == len(other) == 1
        assert one[0].confidence == pytest.approx(other[0].confidence, abs=0.02)
        assert abs(one[0].at_us - other[0].at_us) < 0.01 * seconds * SECOND_US


def test_a_strip_across_the_way_is_crossed() -> None:
    (found,) = through(at(0, -100), at(20, 100), polygon([(-8, -150), (8, -150), (8, 150), (-8, 150)]))
    assert found.confidence > 0.99


def test_a_corner_cut_is_no_crossing() -> None:
    assert through(at(0, -100, 97), at(20, 100, 97), polygon([(-100, 0), (100, 0), (0, 100)])) == []


def test_a_hole_around_the_way_is_no_crossing() -> None:
    square = shapely.Polygon([(-1, -1), (1, -1), (1, 1), (-1, 1)], [[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9)]])
    plane = Plane.at(LAT, LON)

    def placed(points: np.ndarray) -> np.ndarray:
        return np.array([LON, LAT]) + points * 100 / np.array([plane.east_m, plane.north_m])

    fence = Fence(external_id="a", store="s", shape=Area(geometry=shapely.transform(square, placed)))
    (found,) = through(at(0, 50, -150), at(20, 50, 150), fence)
    assert found.at_us > BEGIN_US + 13 * SECOND_US  # beyond the hole, in the wider piece


def test_an_area_cut_at_the_antimeridian_is_crossed_as_a_whole() -> None:
    plane = Plane.at(0.0, 180.0)
    west, east, high = 60 / plane.east_m, 60 / plane.east_m, 100 / plane.north_m
    cut = shapely.MultiPolygon(
        [shapely.box(180 - west, -high, 180, high), shapely.box(-180, -high, -180 + east, high)]
    )
    fence = Fence(external_id="cut", store="s", shape=Area(geometry=cut))
    for course in (1, -1):
        step = [at(10 + 10 * side, side * course * 150, around=(0.0, 180.0)) for side in (-1, 1)]
        (found,) = through(*step, fence)
        assert abs(found.lon_deg) == pytest.approx(180, abs=1e-4)
        assert found.confidence > 0.99


offset = st.floats(-400, 400)
accuracy = st.none() | st.floats(1, 150)
step_of = st.tuples(
    st.builds(at, st.just(0), offset, offset, accuracy_m=accuracy),
    st.builds(at, st.floats(1, 125), offset, offset, accuracy_m=accuracy),
)
circles = st.builds(circle, st.uuids().map(str), offset, offset, st.floats(10, 200))


def expected(earlier: Sighting, later: Sighting, shape: Circle) -> float:
    """The confidence, by plain geometry on the map."""
    plane = Plane.at(shape.lat_deg, shape.lon_deg)
    x0, y0 = plane.metres(earlier.lat_deg, earlier.lon_deg)
    x1, y1 = plane.metres(later.lat_deg, later.lon_deg)
    length, seconds = math.hypot(x1 - x0, y1 - y0), (later.at_us - earlier.at_us) / SECOND_US
    outside = min(math.hypot(x0, y0), math.hypot(x1, y1)) > shape.radius_m
    if not outside or length < SHORTEST_STEP_M or seconds > 120:
        return 0.0
    share = -(x0 * (x1 - x0) + y0 * (y1 - y0)) / length**2
    if not 0 < share < 1:
        return 0.0
    off = math.hypot(x0 + share * (x1 - x0), y0 + share * (y1 - y0))
    sigma0, sigma1 = (
        (20.0 if one.accuracy_m is None else one.accuracy_m) / 1.5096 for one in (earlier, later)
    )
    strays2 = 2.0**2 * seconds + (0.001 * seconds * length) ** 2
    variance = ((1 - share) * sigma0) ** 2 + (share * sigma1) ** 2 + 4 * share * (1 - share) * strays2
    bell = NormalDist(off, math.sqrt(variance))
    return bell.cdf(shape.radius_m) - bell.cdf(-shape.radius_m)


@given(step_of, st.lists(circles, max_size=12))
def test_no_crossing_is_missed_or_invented(step: tuple[Sighting, Sighting], fences: list[Fence]) -> None:
    built = FenceSet.build(fences)
    found = {built.fence(one.place).external_id: one for one in crossed(*step, built, RULES)}
    for fence in fences:
        assert isinstance(fence.shape, Circle)
        sure = expected(*step, fence.shape)
        if fence.external_id in found:
            assert found[fence.external_id].confidence == pytest.approx(sure, abs=0.01)
        else:
            assert sure < PASS_AT + 0.01


@given(st.lists(step_of, max_size=8), st.lists(circles, max_size=8))
def test_many_steps_at_once_are_judged_as_one_by_one(
    steps: list[tuple[Sighting, Sighting]], fences: list[Fence]
) -> None:
    built = FenceSet.build(fences)
    found = rows(crossings(Steps.between(steps), built, RULES))
    one_by_one = [
        (nth, one.place, one.at_us, one.confidence)
        for nth, step in enumerate(steps)
        for one in crossed(*step, built, RULES)
    ]
    assert [row[:3] for row in found] == [row[:3] for row in one_by_one]
    assert [row[3] for row in found] == pytest.approx([row[3] for row in one_by_one])


def rows(found: Crossings) -> list[tuple[int, int, int, float]]:
    columns = found.step, found.place, found.at_us, found.confidence
    return list(zip(*(column.tolist() for column in columns), strict=True))


@given(step_of, st.lists(circles, max_size=8))
def test_crossings_lie_inside_the_fence_and_between_the_sightings(
    step: tuple[Sighting, Sighting], fences: list[Fence]
) -> None:
    built = FenceSet.build(fences)
    for one in crossed(*step, built, RULES):
        assert step[0].at_us < one.at_us < step[1].at_us
        assert built.fence(one.place).contains(one.lat_deg, one.lon_deg)
        assert PASS_AT <= one.confidence <= 1


corners = st.lists(st.tuples(offset, offset), min_size=3, max_size=8)


@given(step_of, corners)
def test_crossings_of_areas_lie_inside_them(
    step: tuple[Sighting, Sighting], corners: list[tuple[float, float]]
) -> None:
    hull = shapely.MultiPoint(corners).convex_hull
    if hull.area < 100:
        return
    fence = polygon(list(hull.exterior.coords))
    for one in through(*step, fence):
        assert step[0].at_us < one.at_us < step[1].at_us
        assert fence.boundary_distance_m(one.lat_deg, one.lon_deg) < 0.01
        assert PASS_AT <= one.confidence <= 1


@given(
    st.floats(0, 360),
    st.floats(10, 120),
    st.floats(-60, 60),
    st.sampled_from([(0.0, 0.0), (60.17, 24.94), (-33.9, 180.0), (78.2, -180.0)]),
)
def test_crossings_do_not_depend_on_where_and_which_way(
    turn_deg: float, radius_m: float, off_m: float, around: tuple[float, float]
) -> None:
    def scene(turn: float, around: tuple[float, float]) -> list[Crossing]:
        def turned(east_m: float, north_m: float) -> tuple[float, float]:
            return (
                east_m * math.cos(turn) + north_m * math.sin(turn),
                north_m * math.cos(turn) - east_m * math.sin(turn),
            )

        fence = circle("c", *turned(0, off_m), radius_m, around=around)
        ends = [at(10 + 10 * side, *turned(200 * side, 0), around=around) for side in (-1, 1)]
        return through(*ends, fence)

    here, there = scene(0.0, (LAT, LON)), scene(math.radians(turn_deg), around)
    surest = max((one.confidence for one in here + there), default=0.0)
    if surest > PASS_AT + 0.01:
        assert [one.confidence for one in here] == pytest.approx([one.confidence for one in there], abs=0.005)


def test_of_no_steps_or_no_fences_nothing_comes() -> None:
    assert len(crossings(Steps.between([]), FenceSet.build([SHOP]), RULES)) == 0
    step = Steps.between([(at(0, -150), at(20, 150))])
    assert len(crossings(step, FenceSet.build([]), RULES)) == 0


def test_a_step_from_nowhere_crosses_nothing() -> None:
    nowhere = Sighting(at_us=0, lat_deg=math.nan, lon_deg=math.nan)
    assert len(crossings(Steps.between([(nowhere, at(20, 150))]), FenceSet.build([SHOP]), RULES)) == 0
