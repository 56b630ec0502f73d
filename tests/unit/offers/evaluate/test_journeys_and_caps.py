"""Which way shoppers go, and the holdout under the caps of the others."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from offers.evaluate.caps import DAY_US, within_caps
from offers.evaluate.journeys import PAUSE_US, STEPS, journey_map

HOUR_US = 3_600_000_000


def test_what_follows_what_is_counted_with_its_median_time_and_loops_are_allowed() -> None:
    steps = [
        *(("a", "zmot", 0), ("a", "near", HOUR_US), ("a", "zmot", 2 * HOUR_US), ("a", "near", 5 * HOUR_US)),
        *(("b", "zmot", 0), ("b", "near", 2 * HOUR_US)),
    ]
    told = journey_map(steps, k=2)
    [arrow] = told.arrows
    assert (arrow.step, arrow.next, arrow.times, arrow.shoppers) == ("zmot", "near", 3, 2)
    assert arrow.median_s == 7200.0
    assert arrow.share == 1.0
    assert told.withheld == 1, "only one went back from near to looking"
    by_step = {stop.step: stop for stop in told.stops}
    assert (by_step["near"].ended, by_step["zmot"].began) == (2, 2)


def test_after_a_long_pause_another_journey_begins() -> None:
    told = journey_map([("a", "near", 0), ("a", "near", PAUSE_US + 1)], k=1)
    assert (told.journeys, told.shoppers, told.arrows) == (2, 1, ())


def test_nothing_is_told_of_the_few() -> None:
    told = journey_map([("a", "zmot", 0), ("a", "near", 1)], k=2)
    assert (told.journeys, told.shoppers, told.arrows, told.withheld) == (None, None, (), 1)
    assert all(stop.times is None for stop in told.stops)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(STEPS), st.integers(0, 2 * PAUSE_US))))
def test_every_step_is_followed_by_one_or_ends_its_journey(found: list[tuple[str, str, int]]) -> None:
    told = journey_map(sorted(found, key=lambda one: (one[0], one[2])), k=1)
    steps = sum(stop.times or 0 for stop in told.stops)
    ended = sum(stop.ended or 0 for stop in told.stops)
    assert steps == len(found)
    assert ended == (told.journeys or 0)
    assert sum(arrow.times for arrow in told.arrows) == steps - ended


def test_of_ten_ghosts_a_day_as_many_count_as_there_could_be_offers() -> None:
    at_us = np.arange(10) * HOUR_US
    counted = within_caps(np.zeros(10, np.int64), at_us, per_day=2, per_week=5)
    assert counted.tolist() == [True, True, *[False] * 8]


def test_a_week_has_its_own_cap() -> None:
    at_us = np.arange(8) * DAY_US
    counted = within_caps(np.zeros(8, np.int64), at_us, per_day=2, per_week=5)
    assert counted.tolist() == [True] * 5 + [False] * 2 + [True]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20 * DAY_US)), max_size=60),
    st.integers(1, 3),
    st.integers(1, 6),
)
def test_what_counts_counts_again(rows: list[tuple[int, int]], per_day: int, per_week: int) -> None:
    """Those who were capped already lose nothing by it."""
    rows = sorted(rows, key=lambda row: row[1])
    shopper, at_us = (np.array([row[place] for row in rows], np.int64) for place in (0, 1))
    counted = within_caps(shopper, at_us, per_day=per_day, per_week=per_week)
    again = within_caps(shopper[counted], at_us[counted], per_day=per_day, per_week=per_week)
    assert again.all()
