"""Statements put together: each with its own parameters."""

from server.writes import columns, together


def test_one_statement_stays_as_it_is() -> None:
    assert together((("DELETE FROM a WHERE b = $1", 1),)) == "DELETE FROM a WHERE b = $1"


def test_each_statement_has_the_parameters_after_those_before_it() -> None:
    first, second = "INSERT INTO a VALUES ($1, $2, $1)", "UPDATE b SET c = $2 WHERE d = $1"

    assert together(((first, 2), (second, 2))) == (
        "WITH w0 AS (INSERT INTO a VALUES ($1, $2, $1)), w1 AS (UPDATE b SET c = $4 WHERE d = $3) SELECT"
    )


def test_rows_become_columns() -> None:
    assert columns([(1, "a"), (2, "b")]) == [[1, 2], ["a", "b"]]
