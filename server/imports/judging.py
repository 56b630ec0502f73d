"""Judges records off the event loop, so that neither a large file nor a hostile shape holds up the server.

Checking whether a polygon crosses itself can take long for shapes made to that end. A record that is large
enough for this is judged alone and given up after a second. Its thread cannot be stopped and ends by itself;
the limit on vertices, checked first, bounds how long that takes. Small ones are judged many at a time, since
the hop to a thread costs more than they do.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from typing import Any, TypeAlias

from msgspec import Struct

from server.imports.problem import Place, Problem, Record, problem_at

#: A record up to this size has at most some 400 vertices, for which a judgement takes milliseconds.
SMALL_BYTES = 8 * 1024
#: How long a large record may take.
LIMIT_S = 1.0

_RECORDS_AT_ONCE = 256


class Accepted(Struct, frozen=True, kw_only=True, gc=False):
    """A record that may be published: its id and its body as it will be stored."""

    place: Place
    external_id: str
    body: dict[str, Any]
    warnings: tuple[Problem, ...] = ()


Verdict: TypeAlias = Accepted | tuple[Problem, ...]
Judge: TypeAlias = Callable[[Record], Verdict]


async def judged(
    records: Iterator[Record | Problem], judge: Judge, *, limit_s: float = LIMIT_S
) -> AsyncIterator[list[Verdict]]:
    """The verdicts on `records`, in order, some at a time. Reading them happens off the event loop, too."""
    while part := await asyncio.to_thread(lambda: list(islice(records, _RECORDS_AT_ONCE))):
        verdicts = await asyncio.to_thread(_judge_small, part, judge)
        for index, record in enumerate(part):
            if verdicts[index] is None and isinstance(record, Record):
                verdicts[index] = await _judge_alone(record, judge, limit_s)
        yield [verdict for verdict in verdicts if verdict is not None]


def _judge_small(part: list[Record | Problem], judge: Judge) -> list[Verdict | None]:
    """A verdict on each record, None on those that are to be judged alone."""
    verdicts: list[Verdict | None] = []
    for record in part:
        if isinstance(record, Problem):
            verdicts.append((record,))
        else:
            verdicts.append(judge(record) if record.size_bytes <= SMALL_BYTES else None)
    return verdicts


async def _judge_alone(record: Record, judge: Judge, limit_s: float) -> Verdict:
    try:
        async with asyncio.timeout(limit_s):
            return await asyncio.to_thread(judge, record)
    except TimeoutError:
        detail = f"judging the record took longer than {limit_s:g} s"
        return (problem_at(record.place, "too_slow", "", detail),)
