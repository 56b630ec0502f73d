import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.accuracy import (
    SIGMA_LEAST_M,
    SIGMA_PER_ACCURACY,
    SIGMA_SHARE,
    probability_beyond,
    sigma_one_m,
    sigmas_beyond,
    sigmas_m,
)
from geo.fence import Area, Circle, Fence
from geo.index import FenceSet

LAT, LON = 60.17, 24.94
EAST_M, NORTH_M = 55_503.5, 111_417.0  #: per degree there


def square(side_m: float) -> shapely.Polygon:
    east, north = side_m / EAST_M / 2, side_m / NORTH_M / 2
    return shapely.box(LON - east, LAT - north, LON + east, LAT + north)


def probability(shape: Circle | Area, *, east_m: float = 0.0, sigma_m: float) -> float:
    """P(inside) of a fix so far east of the middle of a fence."""
    fences = FenceSet.build([Fence(external_id="f", store="s", shape=shape)])
    return fences.probability_one(LAT, LON + east_m / EAST_M, 0, sigma_m)


def sampled(inside: np.ndarray) -> float:
    return float(inside.mean())


@pytest.fixture(scope="module")
def bell() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(2, 400_000))


def test_68_percent_of_the_bell_lie_within_the_accuracy_as_phones_mean_it() -> None:
    circle = Circle(lat_deg=LAT, lon_deg=LON, radius_m=37.0)
    assert probability(circle, sigma_m=37.0 * SIGMA_PER_ACCURACY) == pytest.approx(0.68, abs=0.001)


@pytest.mark.parametrize("off_m", [0.0, 20.0, 40.0, 49.0, 50.0])
@pytest.mark.parametrize("sigma_m", [3.0, 15.0, 50.0, 500.0])
def test_the_probability_in_a_circle_is_what_sampling_says(
    off_m: float, sigma_m: float, bell: np.ndarray
) -> None:
    x, y = bell * sigma_m
    expected = sampled(np.hypot(x + off_m, y) <= 50.0)
    circle = Circle(lat_deg=LAT, lon_deg=LON, radius_m=50.0)
    assert probability(circle, east_m=off_m, sigma_m=sigma_m) == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize("east_m", [0.0, 30.0, 49.99])
@pytest.mark.parametrize("sigma_m", [3.0, 15.0, 60.0, 500.0])
def test_the_probability_in_an_area_is_what_sampling_says(
    east_m: float, sigma_m: float, bell: np.ndarray
) -> None:
    x, y = bell * sigma_m
    x = x + east_m
    hole = (np.abs(x) < 5) & (np.abs(y - 30) < 5)
    expected = sampled((np.abs(x) < 50) & (np.abs(y) < 50) & ~hole)
    holed = square(100).difference(shapely.affinity.translate(square(10), 0.0, 30 / NORTH_M))
    found = probability(Area(geometry=holed), east_m=east_m, sigma_m=sigma_m)
    assert found == pytest.approx(expected, abs=0.006)


def test_outside_the_probability_of_being_inside_falls_from_a_half() -> None:
    assert probability_beyond(0.0, 10.0) == 0.5
    assert probability_beyond(12.8, 10.0) == pytest.approx(0.1, abs=0.001)
    assert probability_beyond(1e6, 1.0) == 0.0


@pytest.mark.parametrize("probability", [0.4, 0.1, 0.01, 1e-6])
def test_thresholds_of_probability_are_distances_in_sigma(probability: float) -> None:
    assert probability_beyond(sigmas_beyond(probability) * 7.0, 7.0) == pytest.approx(probability)


def test_a_fix_is_spread_by_less_than_it_claims_but_never_by_nothing() -> None:
    assert sigma_one_m(0.1, 20.0) == pytest.approx(SIGMA_LEAST_M, abs=0.001)
    assert sigma_one_m(500.0, 20.0) == pytest.approx(SIGMA_SHARE * 500.0, abs=0.1)
    assert sigma_one_m(500.0, 20.0) < SIGMA_PER_ACCURACY * 500.0


def test_an_unknown_accuracy_is_taken_for_the_given_one() -> None:
    assert sigma_one_m(None, 35.0) == sigma_one_m(35.0, 20.0)


@given(st.lists(st.none() | st.floats(0.01, 1e30), min_size=1), st.floats(1.0, 1000.0))
def test_one_fix_is_spread_as_it_is_among_many(accuracies: list[float | None], unknown_m: float) -> None:
    together = np.empty(len(accuracies))
    sigmas_m(np.array(accuracies, np.float64), unknown_m, together)
    assert together.tolist() == [sigma_one_m(accuracy_m, unknown_m) for accuracy_m in accuracies]
