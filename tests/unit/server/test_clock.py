"""`server.clock`."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import SystemClock, from_us, to_us
from tests.fakes import ManualClock


def test_the_system_clock_gives_the_present() -> None:
    before = to_us(datetime.now(UTC))
    assert before <= SystemClock().now_us() <= to_us(datetime.now(UTC))


@given(st.integers(-(10**15), 10**16))
def test_microseconds_survive_the_way_to_a_datetime_and_back(at_us: int) -> None:
    assert to_us(from_us(at_us)) == at_us


def test_an_offset_is_taken_into_account() -> None:
    assert to_us(datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == 0


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(TypeError):
        to_us(datetime(2026, 1, 1))  # noqa: DTZ001 - the point


def test_a_manual_clock_moves_when_told() -> None:
    clock = ManualClock(5)
    clock.advance(1.5)
    assert clock.now_us() == 1_500_005
    clock.set(7)
    assert clock.now_us() == 7
