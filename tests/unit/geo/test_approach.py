"""Whether a device comes nearer to a place."""

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.approach import Approach, approach
from geo.fence import Area, Fence
from geo.fix import SECOND_US
from geo.plane import Plane
from geo.transition import Sighting
from tests.unit.geo.motions import BEGIN_US, LAT, LON, at, circle, walk

DOOR = (LAT, LON)


def coming(sightings: list[Sighting], target: Fence | tuple[float, float] = DOOR) -> Approach:
    """An approach that can be told."""
    found = approach(sightings, target)
    assert found is not None
    return found


def test_a_walker_who_comes_will_be_there() -> None:
    found = coming(walk(range(-120, -59, 10), 1.4))
    assert found.closing_mps == pytest.approx(1.4, rel=0.01)
    assert found.heading_off_deg == pytest.approx(0, abs=1)
    assert found.eta_s == pytest.approx(60, rel=0.02)
    assert found.distance_m == pytest.approx(84, rel=0.01)


def test_a_walker_who_leaves_will_not() -> None:
    found = coming(walk(range(20, 81, 10), 1.4))
    assert found.closing_mps == pytest.approx(-1.4, rel=0.01)
    assert found.heading_off_deg == pytest.approx(180, abs=1)
    assert found.eta_s is None


def test_a_walker_who_passes_by_heads_elsewhere() -> None:
    beside = at(0, 100)
    found = coming(walk(range(-30, 31, 5), 1.4), (beside.lat_deg, beside.lon_deg))
    assert found.heading_off_deg is not None
    assert 80 < found.heading_off_deg < 130


def test_a_device_at_rest_is_not_coming_and_has_no_heading() -> None:
    found = coming([at(second, 200) for second in range(0, 91, 10)])
    assert found.closing_mps == pytest.approx(0, abs=0.01)
    assert (found.heading_off_deg, found.eta_s) == (None, None)


def test_the_way_to_a_circle_ends_at_its_rim() -> None:
    found = coming(walk(range(-120, -59, 10), 1.4), circle("c", 0, 0, 50))
    assert found.distance_m == pytest.approx(34, abs=0.5)
    assert found.eta_s == pytest.approx(34 / 1.4, rel=0.02)


def test_the_way_to_an_area_ends_at_its_edge() -> None:
    plane = Plane.at(*DOOR)
    east, north = 30 / plane.east_m, 30 / plane.north_m
    area = Area(geometry=shapely.box(LON - east, LAT - north, LON + east, LAT + north))
    found = coming(walk(range(-120, -59, 10), 1.4, 90), Fence(external_id="a", store="s", shape=area))
    assert found.distance_m == pytest.approx(54, abs=0.5)
    assert found.heading_off_deg == pytest.approx(0, abs=1)


@pytest.mark.parametrize("seconds", [[], [0], [0, 30], [0, 7, 14]])
def test_too_few_fixes_say_nothing(seconds: list[int]) -> None:
    assert approach(walk(seconds, 1.4), DOOR) is None


def test_where_noise_is_larger_than_the_way_nothing_is_told() -> None:
    assert approach(walk(range(-90, -59, 10), 1.4, accuracy_m=100), DOOR) is None
    assert approach(walk(range(-90, -59, 10), 1.4, accuracy_m=10), DOOR) is not None


def test_vague_fixes_are_left_out() -> None:
    vague = [at(-65, 3_000, accuracy_m=400), at(-55, 3_000, accuracy_m=400)]
    sightings = sorted([*walk(range(-120, -59, 10), 1.4), *vague], key=lambda one: one.at_us)
    assert coming(sightings).eta_s == pytest.approx(60, rel=0.02)


def test_who_turned_round_is_judged_by_the_last_of_it() -> None:
    away = [at(second, 2.0 * (second + 60)) for second in range(-60, 1, 5)]
    back = [at(second, 120 - 2.0 * second) for second in range(5, 31, 5)]
    found = coming(away + back)
    assert found.closing_mps == pytest.approx(2.0, abs=0.4)
    assert found.since_us >= BEGIN_US - 5 * SECOND_US


@given(
    speed_mps=st.floats(1, 30),
    course_deg=st.floats(0, 360),
    every_s=st.sampled_from([1, 5, 10]),
    around=st.sampled_from([(LAT, LON), (0.0, 180.0), (-45.0, -180.0)]),
)
def test_straight_walks_arrive_on_time_anywhere_and_from_anywhere(
    speed_mps: float, course_deg: float, every_s: int, around: tuple[float, float]
) -> None:
    found = coming(walk(range(-150, -59, every_s), speed_mps, course_deg, around=around), around)
    assert found.eta_s == pytest.approx(60, rel=0.02)
    assert found.closing_mps == pytest.approx(speed_mps, rel=0.02)
    assert found.heading_off_deg == pytest.approx(0, abs=2)


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.floats(-300, 300), st.floats(-300, 300)), unique_by=lambda x: x[0]
    )
)
def test_whatever_is_seen_an_approach_makes_sense(places: list[tuple[int, float, float]]) -> None:
    found = approach([at(*place) for place in sorted(places)], DOOR)
    if found is not None:
        assert found.distance_m >= 0
        assert found.eta_s is None or found.eta_s >= 0
        assert found.heading_off_deg is None or 0 <= found.heading_off_deg <= 180
