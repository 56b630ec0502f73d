"""Walkers keep their speed and their path; their GPS is as wrong as it says."""

import random
import statistics

import pytest

from server.demo.plane import Spot, distance_m
from server.demo.walker import Drift, Path, Walker

CORNERED = Path.along([Spot(0.0, 0.0), Spot(30.0, 0.0), Spot(30.0, 40.0)])


def test_a_walker_never_moves_further_than_speed_times_time() -> None:
    walker = Walker(path=CORNERED, speed_mps=1.4)
    while not walker.arrived:
        later = walker.after(2.0)
        assert distance_m(walker.spot, later.spot) <= 1.4 * 2.0 + 1e-9
        walker = later


def test_a_walker_stays_on_the_path() -> None:
    walker = Walker(path=CORNERED, speed_mps=1.0)
    while not walker.arrived:
        walker = walker.after(0.7)
        assert walker.spot.north_m == 0.0 or walker.spot.east_m == 30.0


def test_a_walker_arrives_after_length_by_speed() -> None:
    walker = Walker(path=CORNERED, speed_mps=1.4)
    assert not walker.after(49.9).arrived
    assert walker.after(50.1).arrived


def test_an_arrived_walker_stays_at_the_end() -> None:
    assert Walker(path=CORNERED, speed_mps=9.0).after(60.0).spot == Spot(30.0, 40.0)


def test_the_course_is_clockwise_from_north() -> None:
    assert CORNERED.course_deg(10.0) == pytest.approx(90.0)
    assert CORNERED.course_deg(50.0) == pytest.approx(0.0)


def test_a_path_of_one_spot_has_no_course_and_is_walked_at_once() -> None:
    path = Path.along([Spot(1.0, 2.0)])
    assert path.course_deg(0.0) is None
    assert Walker(path=path, speed_mps=1.0).arrived
    assert Walker(path=path, speed_mps=1.0).spot == Spot(1.0, 2.0)


def test_the_rest_of_a_path_starts_where_it_was_cut() -> None:
    rest = CORNERED.rest(10.0)
    assert rest.spots == (Spot(10.0, 0.0), Spot(30.0, 0.0), Spot(30.0, 40.0))
    assert rest.length_m == pytest.approx(60.0)


def test_where_a_path_enters_a_circle_it_is_just_outside() -> None:
    centre = Spot(30.0, 40.0)
    along_m = CORNERED.last_outside_m(centre, 20.0)
    assert along_m == pytest.approx(50.0, abs=1.0)
    assert distance_m(CORNERED.spot(along_m), centre) >= 20.0


def test_a_path_wholly_inside_a_circle_enters_it_at_its_start() -> None:
    assert CORNERED.last_outside_m(Spot(15.0, 15.0), 500.0) == 0.0


def test_two_thirds_of_the_fixes_lie_within_the_reported_accuracy() -> None:
    rng = random.Random(11)
    drift = Drift(accuracy_m=8.0)
    inside = []
    for _ in range(20_000):
        drift = drift.after(2.0, rng)
        inside.append(distance_m(drift.seen(Spot(0.0, 0.0)), Spot(0.0, 0.0)) <= 8.0)
    assert statistics.mean(inside) == pytest.approx(0.68, abs=0.04)


def test_the_error_wanders_instead_of_jumping() -> None:
    rng = random.Random(5)
    drift = Drift(accuracy_m=10.0)
    steps_m = []
    for _ in range(500):
        later = drift.after(2.0, rng)
        steps_m.append(distance_m(drift.seen(Spot(0.0, 0.0)), later.seen(Spot(0.0, 0.0))))
        drift = later
    assert statistics.mean(steps_m) < 5.0


def test_the_same_seed_gives_the_same_errors() -> None:
    first, second = (Drift(accuracy_m=9.0).after(2.0, random.Random(1)) for _ in range(2))
    assert first == second
