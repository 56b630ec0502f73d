"""`server.sql`: named queries."""

import pytest

from server.sql import BadQueryFile, parse


def test_queries_are_found_by_name_without_their_comments() -> None:
    text = "-- one --\n-- What it is for.\nSELECT 1;\n\n-- two --\nSELECT 2\n  -- why\n  WHERE true;\n"
    assert parse("x", text) == {"one": "SELECT 1", "two": "SELECT 2\n  WHERE true"}


def test_a_comment_may_stand_before_the_first_query() -> None:
    assert parse("x", "-- About this file.\n\n-- one --\nSELECT 1") == {"one": "SELECT 1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1;\n-- one --\nSELECT 1", "x: SQL before the first `-- name --`"),
        ("-- one --\nSELECT 1\n-- one --\nSELECT 2", "x: two queries are named one"),
        ("-- one --\n-- nothing\n", "x: the query one is empty"),
    ],
)
def test_a_file_of_another_form_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadQueryFile) as refused:
        parse("x", text)
    assert str(refused.value) == message
