import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.hours import (
    HOUR_US,
    MINUTE_US,
    QuietHours,
    aware,
    closes_in_us,
    is_clock,
    is_open,
    is_opening_hours,
    is_timezone,
    local_time,
    microseconds,
    quiet_hours_from_text,
    rfc3339,
)
from tests.support import shared_data

FRIDAY = datetime(2026, 11, 20, 12, 0)  # noqa: DTZ001 - a wall clock


def quiet(text: str, clock: str) -> bool:
    window = quiet_hours_from_text(text)
    assert window is not None
    return window.holds(datetime.fromisoformat(f"2026-11-20T{clock}"))


@pytest.mark.parametrize("clock", ["21:00", "23:59:59.999999", "00:00", "07:59:59"])
def test_a_window_across_midnight_holds_from_its_start_up_to_its_end(clock: str) -> None:
    assert quiet("21:00-08:00", clock)


@pytest.mark.parametrize("clock", ["20:59:59", "08:00", "12:00"])
def test_a_window_across_midnight_does_not_hold_by_day(clock: str) -> None:
    assert not quiet("21:00-08:00", clock)


def test_a_window_within_a_day_holds_only_then() -> None:
    assert [quiet("12:00-13:00", clock) for clock in ("11:59", "12:00", "12:59", "13:00")] == [
        False,
        True,
        True,
        False,
    ]


def test_equal_ends_mean_no_quiet_hours() -> None:
    assert not any(quiet("08:00-08:00", f"{hour:02}:00") for hour in range(24))


@pytest.mark.parametrize("text", ["", "21-08", "21:00", "24:00-08:00", "21:00-8:00", "21:60-08:00", "None"])
def test_other_texts_are_no_quiet_hours(text: str) -> None:
    with pytest.raises(ValueError, match="HH:MM"):
        quiet_hours_from_text(text)


def test_none_means_no_quiet_hours() -> None:
    assert quiet_hours_from_text("none") is None


def test_quiet_hours_follow_the_wall_clock_through_the_changes_of_summer_time() -> None:
    window = QuietHours(from_="21:00", until="08:00")
    for day in ("2026-03-29", "2026-10-25"):  # the clock in Helsinki jumps, and is set back
        first = microseconds(datetime.fromisoformat(f"{day}T00:00+00:00"))
        local = [local_time(first + hour * HOUR_US, "Europe/Helsinki") for hour in range(24)]
        assert [window.holds(at) for at in local] == [at.hour >= 21 or at.hour < 8 for at in local]
    assert local_time(microseconds(datetime(2026, 3, 29, 1, tzinfo=UTC)), "Europe/Helsinki").hour == 4


def test_opening_hours_begin_and_end_with_their_minute() -> None:
    clocks = ["09:59:59.999999", "10:00", "19:59:59.999999", "20:00"]
    opened = [is_open("Mo-Fr 10:00-20:00", datetime.fromisoformat(f"2026-11-20T{clock}")) for clock in clocks]
    assert opened == [False, True, True, False]


@pytest.mark.parametrize("text", [None, "24/7", "Mo-Fr 10:00-26:00", "unknown", 'Mo-Fr unknown "ask"'])
def test_absent_and_unknown_hours_count_as_open(text: str | None) -> None:
    assert is_open(text, FRIDAY)


@pytest.mark.parametrize("text", ["off", "Sa-Su 10:00-18:00", "Mo-Fr 10:00-20:00; Nov 20 off"])
def test_hours_that_say_closed_are_closed(text: str) -> None:
    assert not is_open(text, FRIDAY)


def test_hours_past_midnight_belong_to_the_day_before() -> None:
    assert is_open("Fr 20:00-26:00", datetime.fromisoformat("2026-11-21T01:59"))
    assert not is_open("Fr 20:00-26:00", datetime.fromisoformat("2026-11-21T02:00"))


@pytest.mark.parametrize("text", ["", "whenever", "10am", "Mo 25:00-30:00", "\0", "x" * 501, "Mo-Fr 10-18"])
def test_other_texts_are_no_opening_hours(text: str) -> None:
    assert not is_opening_hours(text)


def test_time_until_closing() -> None:
    assert closes_in_us("Mo-Fr 10:00-20:00", FRIDAY) == 8 * HOUR_US
    assert closes_in_us("24/7", FRIDAY) is None
    assert closes_in_us(None, FRIDAY) is None
    assert closes_in_us("Sa 10:00-20:00", FRIDAY) is None


@given(st.text(max_size=40))
def test_no_text_makes_opening_hours_stumble(text: str) -> None:
    assert is_opening_hours(text) in (True, False)


def test_the_opening_hours_of_real_shops_parse() -> None:
    document = json.loads(shared_data("stores", "osm_helsinki_stores.geojson").read_text(encoding="utf-8"))
    texts = [text for feature in document["features"] if (text := feature["properties"].get("opening_hours"))]
    parsed = [text for text in texts if is_opening_hours(text)]
    assert len(texts) > 100
    assert len(parsed) / len(texts) > 0.97
    assert {is_open(text, FRIDAY) for text in parsed} == {True, False}


def test_time_zones_and_clocks_are_known_by_name() -> None:
    assert is_timezone("Europe/Helsinki")
    assert not any(map(is_timezone, ["", "Europe", "Helsinki", "../etc/passwd", "europe/helsinki "]))
    assert is_clock("00:00")
    assert not any(map(is_clock, ["24:00", "9:00", "09:00:00", "٠٩:٠٠", ""]))


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_survive_as_microseconds(at: datetime) -> None:
    assert aware(microseconds(at)) == at
    assert datetime.fromisoformat(rfc3339(microseconds(at))) == at


@pytest.mark.parametrize(
    ("text", "clock", "minutes"),
    [
        ("21:00-08:00", "20:45", 15),
        ("21:00-08:00", "21:00", 0),
        ("21:00-08:00", "03:00", 0),
        ("21:00-08:00", "08:00", 13 * 60),
        ("12:00-13:00", "13:00", 23 * 60),
        ("08:00-08:00", "07:00", None),
    ],
)
def test_quiet_hours_tell_when_they_begin(text: str, clock: str, minutes: int | None) -> None:
    window = quiet_hours_from_text(text)
    assert window is not None
    local = datetime.fromisoformat(f"2026-11-18T{clock}")
    assert window.begins_in_us(local) == (None if minutes is None else minutes * MINUTE_US)
