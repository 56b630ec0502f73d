"""Turns: whatever comes, everything else on the loop goes on, and nobody is overtaken."""

import asyncio
import itertools

from server.edge.turns import PER_TURN, Turns


async def test_what_is_too_much_for_one_turn_of_the_loop_waits_in_line_for_the_next() -> None:
    turns, looked_at = Turns(), []

    def come(data: bytes) -> None:
        if not turns.must_wait(looked_at.append, data):
            looked_at.append(data)

    sent = [b"%d" % number for number in range(3 * PER_TURN + 1)]
    for data in sent:
        come(data)
    seen = []
    for _ in range(6):
        seen.append(len(looked_at))
        await asyncio.sleep(0)

    assert looked_at == sent
    assert max(after - before for before, after in itertools.pairwise(seen)) == PER_TURN


async def test_who_comes_back_at_once_waits_for_the_next_turn() -> None:
    turns, looked_at = Turns(), 0

    def again(data: bytes) -> None:
        nonlocal looked_at
        looked_at += 1
        if looked_at < 1000 and not turns.must_wait(again, data):
            again(data)

    again(b"")

    assert looked_at <= PER_TURN + 1
    async with asyncio.timeout(5):
        while looked_at < 1000:
            await asyncio.sleep(0)
