"""How fast a project's pushes may leave."""

from hypothesis import given
from hypothesis import strategies as st

from notifications.pace import Pace, PaceRules

S = 1_000_000
NOW_US = 1_800_000_000 * S
RULES = PaceRules(rate_per_s=1000, ramp_s=60, floor=0.05)


def left_in(pace: Pace, *, from_us: int, seconds: float, every_us: int = 10_000) -> int:
    """How many pushes leave in that time when all that may do."""
    total = 0
    for now_us in range(from_us, from_us + round(seconds * S), every_us):
        pushes = pace.allows(now_us)
        pace.take(pushes, now_us)
        total += pushes
    return total


def test_the_first_second_has_the_floor_of_the_ramp() -> None:
    assert 50 <= left_in(Pace(RULES), from_us=NOW_US, seconds=1) <= 60


def test_after_the_ramp_the_full_rate_leaves() -> None:
    pace = Pace(RULES)
    left_in(pace, from_us=NOW_US, seconds=60)
    assert 990 <= left_in(pace, from_us=NOW_US + 60 * S, seconds=1) <= 1100


def test_half_way_up_half_the_rate_leaves() -> None:
    pace = Pace(RULES)
    left_in(pace, from_us=NOW_US, seconds=30)
    assert 480 <= left_in(pace, from_us=NOW_US + 30 * S, seconds=1) <= 560


def test_a_used_up_quota_stops_all_for_as_long_as_it_says() -> None:
    pace = Pace(RULES)
    left_in(pace, from_us=NOW_US, seconds=60)
    paused_us = NOW_US + 60 * S
    pace.pause(30, paused_us)
    assert left_in(pace, from_us=paused_us, seconds=29.9) == 0
    assert pace.wait_s(paused_us) == 30


def test_after_a_pause_the_ramp_begins_anew() -> None:
    pace = Pace(RULES)
    left_in(pace, from_us=NOW_US, seconds=60)
    pace.pause(30, NOW_US + 60 * S)
    assert left_in(pace, from_us=NOW_US + 90 * S, seconds=1) <= 60


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    pace = Pace(RULES)
    pace.pause(60, NOW_US)
    pace.pause(1, NOW_US)
    assert pace.allows(NOW_US + 59 * S) == 0
    assert pace.allows(NOW_US + 61 * S) > 0


def test_a_minute_without_pushes_begins_the_ramp_anew() -> None:
    pace = Pace(RULES)
    left_in(pace, from_us=NOW_US, seconds=120)
    assert left_in(pace, from_us=NOW_US + 300 * S, seconds=1) <= 60


def test_a_clock_that_is_set_back_neither_blocks_nor_floods() -> None:
    pace = Pace(RULES)
    left_in(pace, from_us=NOW_US, seconds=70)
    assert 0 <= left_in(pace, from_us=NOW_US - 3600 * S, seconds=1) <= 110


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=200), st.floats(1, 5000))
def test_however_it_is_looked_at_no_second_has_more_than_the_rate_and_one_bucket(
    steps_us: list[int], rate_per_s: float
) -> None:
    pace, now_us, taken = Pace(PaceRules(rate_per_s=rate_per_s, ramp_s=0)), NOW_US, list[tuple[int, int]]()
    for step_us in steps_us:
        now_us += step_us
        pushes = pace.allows(now_us)
        pace.take(pushes, now_us)
        taken.append((now_us, pushes))
    for at_us, _ in taken:
        within = sum(pushes for when_us, pushes in taken if at_us <= when_us < at_us + S)
        assert within <= rate_per_s * 1.1 + 2
