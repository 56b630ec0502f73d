"""Whether a device is standing."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.distance import distance_m
from geo.fix import SECOND_US
from geo.stop import SILENCE_US, Stop, stop
from geo.transition import Sighting
from tests.unit.geo.motions import BEGIN_US, LAT, LON, at, walk


def standing(sightings: list[Sighting], now_s: float | None = None) -> Stop | None:
    """Asked at the newest sighting, or at a second."""
    now_us = sightings[-1].at_us if now_s is None else BEGIN_US + round(now_s * SECOND_US)
    return stop(sightings, now_us)


def test_fixes_of_a_minute_in_one_place_are_a_stop() -> None:
    assert standing([at(0), at(30, 5), at(60, -5)]) is not None


def test_less_than_a_minute_is_not() -> None:
    assert standing([at(0), at(30, 5), at(59, -5)]) is None
    assert standing([at(0), at(30, 5), at(59, -5)], now_s=90) is None


def test_a_walk_is_no_stop() -> None:
    assert standing(walk(range(0, 181, 10), 1.2)) is None


def test_a_stop_begins_where_the_walk_ended() -> None:
    way = [*walk(range(-100, 1, 10), 1.4), *(at(second) for second in range(10, 200, 10))]
    found = standing(way)
    assert found is not None
    assert -20 * SECOND_US <= found.since_us - BEGIN_US <= 0
    assert found.seen_us == way[-1].at_us
    assert distance_m(found.lat_deg, found.lon_deg, LAT, LON) < 5


def test_a_stop_is_over_when_the_device_walks_away() -> None:
    assert standing([*(at(second) for second in range(-300, 0, 10)), *walk(range(0, 41, 10), 1.4)]) is None


def test_less_accurate_fixes_may_lie_further_off() -> None:
    places = [(0, 0), (30, 30), (60, -30), (90, 0)]
    assert standing([at(second, east, accuracy_m=10) for second, east in places]) is None
    assert standing([at(second, east, accuracy_m=65) for second, east in places]) is not None


def test_vague_fixes_neither_make_nor_break_a_stop() -> None:
    vague = [at(second, 2_000, accuracy_m=500) for second in (5, 35, 65, 95)]
    assert standing(vague) is None
    sightings = sorted([*vague, at(0), at(30), at(60), at(90)], key=lambda one: one.at_us)
    assert standing(sightings) is not None


def test_accurate_fixes_say_where() -> None:
    found = standing([at(0, 60, accuracy_m=100), at(30, accuracy_m=5), at(60, accuracy_m=5)])
    assert found is not None
    assert distance_m(found.lat_deg, found.lon_deg, LAT, LON) < 1


def test_silence_is_no_standing() -> None:
    apart_s = SILENCE_US // SECOND_US + 1
    assert standing([at(0), at(apart_s)]) is None
    assert standing([at(0), at(60)], now_s=60 + apart_s) is None
    assert standing([at(0), at(60)], now_s=59 + apart_s) is not None


def test_nothing_seen_is_no_stop() -> None:
    assert stop([], BEGIN_US) is None


@given(seed=st.integers(0, 1_000), every_s=st.integers(5, 120), accuracy_m=st.floats(5, 150))
def test_a_noisy_phone_at_rest_stands(seed: int, every_s: int, accuracy_m: float) -> None:
    noise = random.Random(seed)  # half of what the phone admits, in any direction
    sightings = [
        at(
            second,
            noise.uniform(-0.3, 0.3) * accuracy_m,
            noise.uniform(-0.3, 0.3) * accuracy_m,
            accuracy_m=accuracy_m,
        )
        for second in range(0, 60 + 2 * every_s, every_s)
    ]
    found = standing(sightings)
    assert found is not None
    assert found.since_us == BEGIN_US


@given(
    st.lists(st.tuples(st.integers(0, 300), st.floats(-25, 25), st.floats(-25, 25)), unique_by=lambda x: x[0])
)
def test_a_stop_turns_with_the_world(places: list[tuple[int, float, float]]) -> None:
    here = [at(*place) for place in sorted(places)]
    there = [at(second, -north, east, around=(0.0, 180.0)) for second, east, north in sorted(places)]
    one, other = stop(here, BEGIN_US + 300 * SECOND_US), stop(there, BEGIN_US + 300 * SECOND_US)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert (one.since_us, one.seen_us) == (other.since_us, other.seen_us)
        off = [
            distance_m(one.lat_deg, one.lon_deg, LAT, LON),
            distance_m(other.lat_deg, other.lon_deg, 0.0, 180.0),
        ]
        assert off[0] == pytest.approx(off[1], abs=0.1)
