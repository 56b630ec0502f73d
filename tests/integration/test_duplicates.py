"""The benchmark of shown duplicates, a thirtieth as long: `./vicino bench duplicates` is the whole."""

from bench.duplicates import shown_twice


def test_nothing_is_shown_twice_though_a_fifth_of_the_answers_is_ambiguous() -> None:
    shown, copies, ended = shown_twice(3_000)
    assert shown == 0
    assert copies > 300
    assert ended.keys() <= {"sent", "expired"}


def test_at_most_once_sends_no_copy_at_all() -> None:
    shown, copies, ended = shown_twice(3_000, at_most_once=True)
    assert (shown, copies) == (0, 0)
    assert ended["failed"] > 500
