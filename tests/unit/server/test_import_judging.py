"""Judging off the event loop: order, chunks, and a record that takes too long."""

import threading
from collections.abc import Iterable

from server.imports.judging import SMALL_BYTES, Accepted, Judge, Verdict, judged
from server.imports.problem import Place, Problem, Record, problem_at
from server.imports.sieve import MAX_TOLD, Sieve


def record(index: int, *, size_bytes: int = 0) -> Record:
    return Record(Place(index), {"external_id": str(index)}, size_bytes)


def accept(one: Record) -> Verdict:
    return Accepted(place=one.place, external_id=one.body["external_id"], body=one.body)


async def all_judged(
    records: Iterable[Record | Problem], judge: Judge = accept, *, limit_s: float = 60
) -> list[str]:
    """The ids of what was accepted and the codes of what was not, in order."""
    found: list[str] = []
    async for verdicts in judged(iter(records), judge, limit_s=limit_s):
        found += [one.external_id if isinstance(one, Accepted) else one[0].code for one in verdicts]
    return found


async def test_verdicts_come_in_the_order_of_the_records() -> None:
    records = [record(index, size_bytes=SMALL_BYTES + index % 2) for index in range(1000)]
    assert await all_judged(records) == [str(index) for index in range(1000)]


async def test_a_record_that_could_not_be_read_keeps_its_place() -> None:
    unread = problem_at(Place(1), "bad_json", "", "no")
    assert await all_judged([record(0), unread, record(2)]) == ["0", "bad_json", "2"]


async def test_a_large_record_that_takes_too_long_is_given_up_alone() -> None:
    released = threading.Event()

    def judge(one: Record) -> Verdict:
        if one.place.index == 1:
            released.wait(60)
        return accept(one)

    records = [record(0), record(1, size_bytes=SMALL_BYTES + 1), record(2)]
    try:
        assert await all_judged(records, judge, limit_s=0.05) == ["0", "too_slow", "2"]
    finally:
        released.set()


async def test_the_event_loop_thread_neither_reads_nor_judges() -> None:
    threads = set()

    def judge(one: Record) -> Verdict:
        threads.add(threading.get_ident())
        return accept(one)

    def records() -> Iterable[Record]:
        threads.add(threading.get_ident())
        yield record(0)
        yield record(1, size_bytes=SMALL_BYTES + 1)

    await all_judged(records(), judge)
    assert threading.get_ident() not in threads


def test_the_second_of_equal_ids_is_refused_naming_the_first() -> None:
    sieve = Sieve()
    second = Record(Place(1, 3), {"external_id": "0"})
    sieve.take([accept(Record(Place(0, 2), {"external_id": "0"})), accept(second)])
    (problem,) = sieve.problems
    assert (problem.code, problem.line, problem.external_id) == ("duplicate_id", 3, "0")
    assert "line 2" in problem.detail
    assert sieve.accepted["0"].place == Place(0, 2)


def test_no_more_problems_are_told_than_anybody_reads_but_all_are_counted() -> None:
    sieve = Sieve()
    sieve.take([(problem_at(Place(index), "bad_json", "", "no"),) for index in range(MAX_TOLD + 5)])
    assert (len(sieve.problems), sieve.refused) == (MAX_TOLD, MAX_TOLD + 5)


def test_a_place_that_has_closed_is_a_warning_and_no_problem() -> None:
    sieve = Sieve()
    sieve.take([(problem_at(Place(0), "closed_for_good", "end_date", "it closed"),)])
    assert (sieve.problems, [warning.code for warning in sieve.warnings]) == ([], ["closed_for_good"])
