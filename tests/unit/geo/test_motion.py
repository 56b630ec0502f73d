"""Which sightings are doubted."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.fix import SECOND_US
from geo.motion import MOST_DOUBTED, doubt, doubtful, doubts
from geo.steps import Steps
from geo.transition import Sighting
from tests.unit.geo.motions import at


def test_the_first_sighting_is_believed() -> None:
    assert doubt(None, 0, at(0)) is None


def test_a_sighting_that_nothing_on_the_ground_reaches_is_doubted() -> None:
    assert doubt(at(0), 0, at(10, 2_500)) == "impossible_jump"


def test_times_that_are_a_few_seconds_off_make_no_jump() -> None:
    assert doubt(at(0), 0, at(0.1, 1_200)) is None


def test_a_fast_train_is_believed() -> None:
    assert doubts(at(10 * i, 830 * i) for i in range(20)) == [None] * 20


def test_what_both_accuracies_allow_is_no_jump() -> None:
    assert doubt(at(0, accuracy_m=30), 0, at(1, 1_415, accuracy_m=30)) is None
    assert doubt(at(0, accuracy_m=20), 0, at(1, 1_415, accuracy_m=20)) == "impossible_jump"


def test_an_unknown_accuracy_counts_as_the_default() -> None:
    near, far = at(1, 1_395, accuracy_m=None), at(1, 1_405, accuracy_m=None)
    assert doubt(at(0, accuracy_m=None), 0, near) is None
    assert doubt(at(0, accuracy_m=None), 0, far) == "impossible_jump"
    assert doubt(at(0, accuracy_m=None), 0, far, unknown_m=50.0) is None


def test_a_vague_sighting_casts_no_doubt_on_a_better_one() -> None:
    vague = at(0, 4_000, accuracy_m=500)
    assert doubt(vague, 0, at(10, accuracy_m=10)) is None
    assert doubt(vague, 0, at(10, accuracy_m=600)) == "impossible_jump"


def test_a_spike_is_doubted_and_what_follows_believed() -> None:
    walk = [at(0), at(10, 14), at(20, 5_000), at(30, 42), at(40, 56)]
    assert doubts(walk) == [None, None, "impossible_jump", None, None]


def test_a_wrong_first_sighting_costs_two_fixes_and_no_more() -> None:
    walk = [at(0, 50_000), *(at(10 * i, 14 * i) for i in range(1, 6))]
    assert doubts(walk) == [None, "impossible_jump", "impossible_jump", None, None, None]


def test_doubts_go_on_where_they_were_left() -> None:
    walk = [at(0), at(10, 9_000), at(20, 9_010), at(30, 9_020)]
    assert doubts(walk[2:], walk[0], 1) == doubts(walk)[2:]


def test_a_position_that_stays_while_the_phone_moves_is_frozen() -> None:
    assert doubt(at(0, speed_mps=15.0), 0, at(5, speed_mps=15.0)) == "frozen"


@pytest.mark.parametrize(
    "sighting",
    [
        at(5),
        at(5, speed_mps=0.0),
        at(10, speed_mps=2.4),  # not yet 25 m
        at(5, speed_mps=15.0, accuracy_m=40.0),  # 75 m may be noise
        at(5, 0.1, speed_mps=15.0),
        at(600, speed_mps=0.5),  # the speed of one moment says nothing about ten minutes
    ],
)
def test_a_position_may_stay_for_good_reason(sighting: Sighting) -> None:
    assert doubt(at(0), 0, sighting) is None


metres = st.floats(-3_000, 3_000)
sightings = st.builds(
    at,
    st.integers(1, 3_000),
    metres,
    metres,
    accuracy_m=st.none() | st.floats(1, 2_000),
    speed_mps=st.none() | st.floats(0, 60),
    around=st.sampled_from([(60.17, 24.94), (0.0, 180.0), (89.99, 0.0)]),
)
sequences = st.lists(sightings, max_size=12, unique_by=lambda one: one.at_us).map(
    lambda several: sorted(several, key=lambda one: one.at_us)
)


@given(sequences)
def test_never_more_than_two_in_a_row_are_doubted(sequence: list[Sighting]) -> None:
    runs = "".join("." if reason is None else "x" for reason in doubts(sequence)).split(".")
    assert max(map(len, runs)) <= MOST_DOUBTED


@given(sequences)
def test_what_is_believed_is_believed_without_the_doubted_ones_too(sequence: list[Sighting]) -> None:
    reasons = doubts(sequence)
    forced = any(one and two for one, two in pairwise(reasons))
    believed = [one for one, reason in zip(sequence, reasons, strict=True) if reason is None]
    assert forced or not any(doubts(believed))


@given(sequences, st.integers(-(10**6), 10**6))
def test_doubts_do_not_depend_on_the_date(sequence: list[Sighting], later_s: int) -> None:
    moved = [
        Sighting(
            at_us=one.at_us + later_s * SECOND_US,
            lat_deg=one.lat_deg,
            lon_deg=one.lon_deg,
            accuracy_m=one.accuracy_m,
            speed_mps=one.speed_mps,
        )
        for one in sequence
    ]
    assert doubts(moved) == doubts(sequence)


@given(st.lists(st.tuples(sightings, sightings), max_size=12))
def test_many_at_once_are_judged_as_one_by_one(pairs: list[tuple[Sighting, Sighting]]) -> None:
    repeats = [(one, at_the_same_place(one, other)) for one, other in pairs]
    both = pairs + repeats
    speed = np.array([other.speed_mps for _, other in both], np.float64)
    found = doubtful(Steps.between(both), speed)
    assert found.tolist() == [doubt(one, 0, other) is not None for one, other in both]


def at_the_same_place(one: Sighting, other: Sighting) -> Sighting:
    return Sighting(
        at_us=other.at_us,
        lat_deg=one.lat_deg,
        lon_deg=one.lon_deg,
        accuracy_m=other.accuracy_m,
        speed_mps=other.speed_mps,
    )


def test_without_an_earlier_sighting_none_of_many_is_doubted() -> None:
    nowhere = Sighting(at_us=0, lat_deg=math.nan, lon_deg=math.nan)
    found = doubtful(Steps.between([(nowhere, at(10, 9_000, speed_mps=30.0))]), np.array([30.0]))
    assert found.tolist() == [False]
