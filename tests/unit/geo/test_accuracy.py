import numpy as np
import pytest
import shapely

from geo.accuracy import SIGMA_PER_ACCURACY, probability_beyond, probability_in_area, probability_in_disc
from geo.edges import Edges

LAT, LON = 60.17, 24.94
EAST_M, NORTH_M = 55_503.5, 111_417.0  #: per degree there


def square(side_m: float) -> shapely.Polygon:
    east, north = side_m / EAST_M / 2, side_m / NORTH_M / 2
    return shapely.box(LON - east, LAT - north, LON + east, LAT + north)


def sampled(inside: np.ndarray) -> float:
    return float(inside.mean())


@pytest.fixture(scope="module")
def bell() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(2, 400_000))


def test_68_percent_of_the_bell_lie_within_the_accuracy() -> None:
    accuracy_m = np.array([37.0])
    assert probability_in_disc(np.zeros(1), accuracy_m, accuracy_m * SIGMA_PER_ACCURACY)[0] == pytest.approx(
        0.68
    )


@pytest.mark.parametrize("off_m", [0.0, 20.0, 40.0, 49.0, 50.0])
@pytest.mark.parametrize("sigma_m", [3.0, 15.0, 50.0, 500.0])
def test_the_probability_in_a_disc_is_what_sampling_says(
    off_m: float, sigma_m: float, bell: np.ndarray
) -> None:
    x, y = bell * sigma_m
    expected = sampled(np.hypot(x + off_m, y) <= 50.0)
    found = probability_in_disc(np.array([off_m]), np.array([50.0]), np.array([sigma_m]))[0]
    assert found == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize("east_m", [0.0, 30.0, 49.99])
@pytest.mark.parametrize("sigma_m", [3.0, 15.0, 60.0, 500.0])
def test_the_probability_in_an_area_is_what_sampling_says(
    east_m: float, sigma_m: float, bell: np.ndarray
) -> None:
    x, y = bell * sigma_m
    x = x + east_m
    hole = (np.abs(x) < 5) & (np.abs(y - 30) < 5)
    expected = sampled((np.abs(x) < 50) & (np.abs(y) < 50) & ~hole)
    half = square(10).centroid
    holed = square(100).difference(shapely.affinity.translate(square(10), 0.0, 30 / NORTH_M))
    assert half.within(holed)
    found = probability_in_area(
        Edges.of([holed]),
        np.array([LAT]),
        np.array([LON + east_m / EAST_M]),
        np.array([0], np.int32),
        np.array([sigma_m]),
    )[0]
    assert found == pytest.approx(expected, abs=0.006)


def test_outside_the_probability_of_being_inside_falls_from_a_half() -> None:
    assert probability_beyond(0.0, 10.0) == 0.5
    assert probability_beyond(12.8, 10.0) == pytest.approx(0.1, abs=0.001)
    assert probability_beyond(1e6, 1.0) == 0.0
