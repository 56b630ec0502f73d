"""Tables of records: many at once and one alone are the same table."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.rows import GROWTH, GROWTH_LEAST, Records, Rows, known, unknown

Row = tuple[int, float, int]

rows_of_three = st.lists(
    st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(width=32, allow_nan=False), st.integers(0, 255)),
    max_size=20,
)


def table() -> Rows:
    return Rows(at_us="i8", accuracy_m="f4", doubts="u1")


def records(rows: Rows, values: list[Row]) -> Records:
    return np.array(values, rows.dtype)


@given(values=rows_of_three)
def test_records_added_one_by_one_are_those_added_at_once(values: list[Row]) -> None:
    single, many = table(), table()
    for value in values:
        single.add_one(*value)
    many.extend(records(many, values))
    assert [tuple(single.get_one(place)) for place in range(len(single))] == values
    assert many.take(np.arange(len(many))).tolist() == values


@given(values=rows_of_three, more=rows_of_three)
def test_growth_keeps_what_was_there(values: list[Row], more: list[Row]) -> None:
    rows = table()
    rows.extend(records(rows, values))
    rows.add(5 * GROWTH_LEAST)
    first = rows.extend(records(rows, more))
    assert rows.take(np.arange(len(values))).tolist() == values
    assert rows.take(first + np.arange(len(more))).tolist() == more


def test_a_table_that_has_lost_some_of_its_records_keeps_its_room() -> None:
    rows = table()
    rows.extend(records(rows, [(place, 0.0, 0) for place in range(10_000)]))
    room = len(rows.data)
    rows.used = 6_000
    rows.trim()
    assert len(rows.data) == room


def test_a_table_that_has_lost_most_of_its_records_gives_their_memory_back() -> None:
    rows = table()
    rows.extend(records(rows, [(place, 0.0, 0) for place in range(100_000)]))
    rows.used = 1
    rows.trim()
    assert len(rows.data) <= GROWTH + GROWTH_LEAST
    assert rows.get_one(0).at_us == 0


def test_a_full_table_holds_no_more_than_a_quarter_of_spare_room() -> None:
    rows = table()
    for _ in range(1_000):
        rows.extend(rows.empty(100))
    assert len(rows.data) <= GROWTH * len(rows) + GROWTH_LEAST


def test_records_are_overwritten_where_they_are_and_nowhere_else() -> None:
    rows = table()
    rows.extend(records(rows, [(1, 1.0, 1), (2, 2.0, 2), (3, 3.0, 3), (4, 4.0, 4)]))
    rows.put_one(2, 30, 30.0, 30)
    rows.put_one(3, 40, 40.0, 40)
    assert [rows.get_one(place).at_us for place in range(4)] == [1, 2, 30, 40]


def test_copies_are_picked_and_changed_without_touching_the_table() -> None:
    rows = table()
    rows.extend(records(rows, [(1, 1.0, 1), (2, 2.0, 2)]))
    taken, first = rows.take(np.array([0, 1])), rows.first(1)
    taken["at_us"][1] = first["at_us"][0] = 9
    assert rows.pick(taken, np.array([1, 0]))["at_us"].tolist() == [9, 1]
    assert [rows.get_one(place).at_us for place in range(2)] == [1, 2]


@pytest.mark.parametrize("number", [None, 0.0, -3.5])
def test_what_is_unknown_is_kept_as_no_number(number: float | None) -> None:
    assert known(unknown(number)) == number
    assert math.isnan(unknown(None))
