"""Which rows lag behind since when, and which timers are due."""

from datetime import date

from server.timers import Timers
from server.unsaved import Since, Unsaved

DAY, NEXT = date(2026, 11, 18), date(2026, 11, 19)


def since(seq: int, day: date = DAY) -> Since:
    return Since(seq, seq * 1000, day)


def test_the_first_entry_that_a_row_lacks_counts() -> None:
    unsaved = Unsaved()
    unsaved.note(["a"], since(1))
    unsaved.note(["a", "b"], since(2))

    assert unsaved.first() == since(1)
    assert unsaved.oldest(1, 5000) == ["a"]
    assert unsaved.oldest(5, 1500) == ["a"]


def test_what_changes_while_a_state_is_written_is_not_taken_for_written() -> None:
    unsaved = Unsaved()
    unsaved.note(["a", "b"], since(1))
    unsaved.write(["a", "b"])
    unsaved.note(["a"], since(5))

    assert unsaved.first(without={"a", "b"}) == since(5)
    unsaved.written({"a", "b"})

    assert unsaved.first() == since(5)
    assert "b" not in unsaved


def test_a_state_that_did_not_arrive_lags_behind_as_before() -> None:
    unsaved = Unsaved()
    unsaved.note(["a", "b"], since(1))
    unsaved.write(["a", "b"])
    unsaved.note(["a"], since(5))
    unsaved.note(["c"], since(6))

    unsaved.written({"b"})

    assert unsaved.first() == since(1)
    assert unsaved.oldest(5, 9000) == ["a", "c"]


def test_no_checkpoint_passes_over_a_state_that_did_not_arrive_whatever_was_written_with_it() -> None:
    unsaved = Unsaved()
    for seq, name in enumerate("abcd", start=1):
        unsaved.note([name], since(seq))
    unsaved.write(["d", "c", "b"])

    assert unsaved.first(without={"c"}) == since(1)
    unsaved.written({"c"})
    unsaved.drop(["a"])

    assert unsaved.first() == since(2)
    assert unsaved.oldest(5, 9000) == ["b", "d"]


def test_what_is_read_from_the_journal_again_takes_its_place_in_the_order() -> None:
    unsaved = Unsaved()
    unsaved.note(["a"], since(7))
    unsaved.note(["b"], since(3))

    assert unsaved.first() == since(3)
    assert unsaved.first_of(["a", "c"]) == since(7)
    assert unsaved.oldest(5, 9000) == ["b", "a"]


def test_only_what_lags_behind_since_an_earlier_day_ends_with_it() -> None:
    unsaved = Unsaved()
    unsaved.note(["a"], since(1))
    unsaved.note(["b"], since(2, NEXT))

    assert unsaved.before(["a", "b", "c"], NEXT) == ["a"]
    assert unsaved.before(["a", "b", "c"], DAY) == []


def test_a_timer_that_was_put_off_is_due_later_and_another_at_once() -> None:
    timers = Timers()
    timers.put("kept alive", 10, may_be_put_off=True)
    timers.put("called", 10)

    assert timers.due(10, lambda _: 50) == ["called"]
    assert timers.next_us() == 50
    assert timers.due(50, lambda _: 50) == ["kept alive"]
    assert timers.next_us() is None
