"""Turns: whatever comes, everything else on the loop goes on, and nobody is overtaken."""

import asyncio
import itertools

from server.edge.turns import IN_LINE, LATE_PER_TURN, PER_TURN, Turns


class Looked:
    """What was looked at, turn by turn."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.seen: list[bytes] = []
        self.late: list[bytes] = []

    def come(self, data: bytes) -> None:
        if not self.turns.must_wait(self._look, data):
            self._look(data, late=False)

    def _look(self, data: bytes, late: bool) -> None:
        self.seen.append(data)
        if late:
            self.late.append(data)

    async def counts(self, turns: int) -> list[int]:
        """How many were looked at in each of so many turns of the loop."""
        counts = [len(self.seen)]
        for _ in range(turns):
            await asyncio.sleep(0)
            counts.append(len(self.seen))
        return [after - before for before, after in itertools.pairwise(counts)]


async def test_what_is_too_much_for_one_turn_of_the_loop_waits_in_line_for_the_next() -> None:
    looked, sent = Looked(), [b"%d" % number for number in range(4 * PER_TURN)]
    for data in sent:
        looked.come(data)

    assert len(looked.seen) == PER_TURN
    assert max(await looked.counts(8)) == PER_TURN
    assert looked.seen == sent
    assert not looked.late


async def test_who_has_too_many_behind_it_has_waited_for_too_long_and_is_dealt_with_first() -> None:
    looked, sent = Looked(), [b"%d" % number for number in range(10 * IN_LINE)]
    for data in sent:
        looked.come(data)

    assert max(await looked.counts(40)) == PER_TURN + LATE_PER_TURN
    assert looked.seen == sent
    assert looked.late[0] == sent[PER_TURN]
    assert len(sent) - len(looked.late) > IN_LINE


async def test_who_comes_back_at_once_waits_for_the_next_turn() -> None:
    looked = 0
    turns = Turns()

    def again(data: bytes, late: bool = False) -> None:
        nonlocal looked
        looked += 1
        if looked < 1000 and not turns.must_wait(again, data):
            again(data)

    again(b"")

    assert looked <= PER_TURN + 1
    async with asyncio.timeout(5):
        while looked < 1000:
            await asyncio.sleep(0)
