"""How fast a device is, and whether it drove through a fence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.speed import drives_through, drove_through, speed_at
from tests.unit.geo.motions import BEGIN_US, at, walk


def test_a_measured_speed_is_the_speed() -> None:
    assert speed_at([at(0), at(10, 500, speed_mps=1.5)], BEGIN_US + 10**9) == 1.5


def test_a_measured_nought_counts_for_nothing_where_the_fixes_know_better() -> None:
    assert speed_at([at(0), at(10, 150, speed_mps=0.0)], BEGIN_US + 10**9) == pytest.approx(15, rel=0.01)
    assert speed_at([at(0, speed_mps=0.0)], BEGIN_US) == 0.0


def test_a_lone_fix_has_no_speed() -> None:
    assert speed_at([at(0)], BEGIN_US) is None
    assert speed_at([at(0), at(121, 14)], BEGIN_US + 121 * 10**6) is None
    assert speed_at([at(0)], BEGIN_US - 1) is None


def test_what_came_later_does_not_count() -> None:
    assert speed_at([at(0), at(10, 50), at(20, 900)], BEGIN_US + 10**7) == pytest.approx(5, rel=0.01)


def test_noise_between_near_fixes_does_not_pass_for_speed() -> None:
    standing = [at(0), at(5, 8), at(10), at(15, 8), at(20)]
    speed = speed_at(standing, BEGIN_US + 20 * 10**6)
    assert speed is not None
    assert speed < 1


def test_fast_devices_need_no_long_look_back() -> None:
    turned = [at(0), at(10, 200), at(14, 200, 80)]
    assert speed_at(turned, BEGIN_US + 14 * 10**6) == pytest.approx(20, rel=0.01)


def drive(way_m: float, seconds: float, accuracy_m: float | None = 10.0) -> float | None:
    entered, left = at(0), at(seconds, way_m, accuracy_m=accuracy_m)
    return drove_through(entered.at_us, entered.lat_deg, entered.lon_deg, left)


def test_a_car_drives_through() -> None:
    assert drive(100, 10) == pytest.approx(10, rel=0.01)


def test_walking_through_is_no_driving() -> None:
    assert drive(100, 71) is None


def test_stopping_inside_is_no_driving() -> None:
    assert drive(100, 45) is None


def test_noise_is_no_driving() -> None:
    assert drive(19, 2) is None
    assert drive(39, 2, accuracy_m=None) is None
    assert drive(41, 2, accuracy_m=None) is not None


def test_turning_back_is_no_driving_through() -> None:
    assert drive(30, 20) is None


@given(
    st.lists(st.tuples(st.floats(-500, 500), st.integers(1, 100), st.none() | st.floats(1, 200)), max_size=8),
    st.floats(1, 20),
)
def test_many_visits_at_once_are_judged_as_one_by_one(
    visits: list[tuple[float, int, float | None]], drive_mps: float
) -> None:
    left = [at(seconds, way_m, accuracy_m=accuracy_m) for way_m, seconds, accuracy_m in visits]
    entered = at(0)
    found = drives_through(
        entered_lat_deg=np.full(len(left), entered.lat_deg),
        entered_lon_deg=np.full(len(left), entered.lon_deg),
        entered_at_us=np.full(len(left), entered.at_us),
        left_lat_deg=np.array([one.lat_deg for one in left], np.float64),
        left_lon_deg=np.array([one.lon_deg for one in left], np.float64),
        left_accuracy_m=np.array([one.accuracy_m for one in left], np.float64),
        left_at_us=np.array([one.at_us for one in left], np.int64),
        drive_mps=drive_mps,
    )
    one_by_one = [
        drove_through(entered.at_us, entered.lat_deg, entered.lon_deg, one, drive_mps=drive_mps)
        for one in left
    ]
    assert [None if np.isnan(speed) else speed for speed in found] == one_by_one


@given(st.floats(0.1, 40), st.floats(0, 360), st.sampled_from([1, 5, 10, 30, 60]))
def test_a_steady_walk_has_its_speed_in_any_direction(
    speed_mps: float, course_deg: float, every_s: int
) -> None:
    steady = walk(range(0, 121, every_s), speed_mps, course_deg)
    assert speed_at(steady, steady[-1].at_us) == pytest.approx(speed_mps, rel=0.01)
