"""The times of trace files: exact to the microsecond, or refused with a remedy."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.traces import time_us
from server.traces.record import FieldRefused
from tests.support import shared_data

NOON_US = 1_767_614_400_000_000  # 2026-01-05T12:00:00Z


@pytest.mark.parametrize(
    ("text", "after_noon_us"),
    [
        ("2026-01-05T12:00:00Z", 0),
        ("2026-01-05t12:00:00z", 0),
        ("2026-01-05 12:00:00Z", 0),
        ("2026-01-05T12:00:00.25Z", 250_000),
        ("2026-01-05T12:00:00.000001Z", 1),
        ("2026-01-05T14:00:00+02:00", 0),
        ("2026-01-05T06:30:00-05:30", 0),
        ("2026-01-05T06:30:00-0530", 0),
        ("1767614400", 0),
        ("1767614400.", 0),
        ("1767614400.5", 500_000),
        ("1767614400.000001", 1),
    ],
)
def test_a_time_is_read_to_the_microsecond(text: str, after_noon_us: int) -> None:
    assert time_us(text) == NOON_US + after_noon_us


@pytest.mark.parametrize("text", ["1767614400.1234569", "2026-01-05T12:00:00.1234569Z"])
def test_digits_below_the_microsecond_are_cut_off(text: str) -> None:
    assert time_us(text) == NOON_US + 123_456


@given(st.integers(min_value=0, max_value=253_402_300_799_999_999))
def test_unix_seconds_survive_as_decimal_text(at_us: int) -> None:
    seconds, fraction = divmod(at_us, 1_000_000)
    assert time_us(f"{seconds}.{fraction:06}") == at_us


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001
    st.integers(min_value=-1439, max_value=1439),
)
def test_rfc_3339_agrees_with_the_standard_library(local: datetime, offset_minutes: int) -> None:
    sign, minutes = "-" if offset_minutes < 0 else "+", abs(offset_minutes)
    text = f"{local.isoformat()}{sign}{minutes // 60:02}:{minutes % 60:02}"
    moment = datetime.fromisoformat(text)
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if expected >= 0:
        assert time_us(text) == expected


def test_a_leap_second_is_the_midnight_that_follows() -> None:
    assert time_us("2016-12-31T23:59:60Z") == time_us("2017-01-01T00:00:00Z")
    assert time_us("2017-01-01T05:29:60+05:30") == time_us("2017-01-01T00:00:00Z")


def test_a_leap_second_within_a_day_is_refused() -> None:
    with pytest.raises(FieldRefused, match="no leap second"):
        time_us("2016-12-31T12:59:60Z")


def test_a_time_without_offset_is_utc_only_where_the_format_says_so() -> None:
    assert time_us("2026-01-05T12:00:00", utc_if_bare=True) == NOON_US
    with pytest.raises(FieldRefused, match="add Z"):
        time_us("2026-01-05T12:00:00")


def test_milliseconds_are_recognised() -> None:
    with pytest.raises(FieldRefused, match="Divide by 1000"):
        time_us("1763764800000")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "yesterday",
        "-1",
        "1969-12-31T23:59:59Z",
        "1e9",
        "1_767_614_400",
        "+1767614400",
        "2026-01-05",
        "2026-W47-6",
        "2026-02-30T12:00:00Z",
        "2026-01-05T24:00:00Z",
        "2026-01-05T23:60:60Z",
        "2026-01-05T12:00:00+99:99",
        "2026-01-05T12:00:00.Z",
        "٢٠٢٦-١١-٢١T00:00:00Z",
        "9" * 400,
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(FieldRefused):
        time_us(text)


def test_every_odd_time_is_either_exact_or_refused_with_a_remedy() -> None:
    readable = {"seconds", "zero", "2038", "y9999", "float", "string", "iso-z", "iso-leap"}
    readable |= {"iso-offset", "dst-gap", "dst-fold", "gps-week-rollover-19.6y-old"}
    seen = set()
    for row in shared_data("badinput", "own", "timestamps.jsonl").read_text("utf-8").splitlines():
        case = msgspec.json.decode(row)
        try:
            time_us(str(case["value"]))
        except FieldRefused as refused:
            assert ";" in str(refused) or "Divide" in str(refused), f"no remedy: {refused}"  # noqa: PT017
        else:
            seen.add(case["name"])
    assert seen == readable
