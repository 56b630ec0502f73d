"""Turns: whatever comes, everything else on the loop goes on, and nobody is overtaken who is in time."""

import asyncio
import itertools

from server.edge.turns import LATE_S, LEAST_S, MOST_S, NEWEST, OTHERS, OTHERS_MOST_S, Turns

PER_TURN = 16
LOOK_S = 1.001 * LEAST_S / PER_TURN  #: what it takes here to look at one


class Looked:
    """What was looked at, turn by turn, by a clock that only looking moves on."""

    def __init__(self) -> None:
        self.now_s = 1.0
        self.turns = Turns(lambda: self.now_s)
        self.seen: list[bytes] = []
        self.late: list[bytes] = []

    def come(self, data: bytes) -> None:
        if not self.turns.must_wait(self.look, data):
            self.look(data, late=False)

    def look(self, data: bytes, late: bool) -> None:
        self.now_s += LOOK_S
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


async def test_what_is_too_much_for_one_turn_waits_in_line_while_everything_else_has_its_rounds() -> None:
    looked, sent = Looked(), [b"%d" % number for number in range(4 * PER_TURN)]
    for data in sent:
        looked.come(data)

    assert len(looked.seen) == PER_TURN
    counts = await looked.counts(4 * OTHERS)
    assert max(counts) == PER_TURN
    assert [round_ for round_, count in enumerate(counts, start=1) if count] == [
        OTHERS,
        2 * OTHERS,
        3 * OTHERS,
    ]
    assert looked.seen == sent
    assert not looked.late


async def test_requests_are_looked_at_for_as_long_as_everything_else_takes_but_not_for_ever() -> None:
    looked, others_s = Looked(), 2 * LEAST_S
    for number in range(40 * PER_TURN):
        looked.come(b"%d" % number)
    await looked.counts(OTHERS)
    for share in (2, MOST_S / LEAST_S):
        looked.now_s += others_s
        assert abs(sum(await looked.counts(OTHERS)) - share * PER_TURN) <= 1
        others_s = 3 * MOST_S


async def test_after_long_rounds_of_everything_else_requests_are_looked_at_at_once() -> None:
    looked = Looked()
    for number in range(2 * PER_TURN):
        looked.come(b"%d" % number)
    looked.now_s += OTHERS_MOST_S

    assert await looked.counts(1) == [PER_TURN]


async def test_while_somebody_has_waited_for_too_long_the_newest_come_first_and_the_oldest_are_late() -> None:
    looked, sent = Looked(), [b"%d" % number for number in range(100 * PER_TURN)]
    for data in sent:
        looked.come(data)
    looked.seen.clear()

    looked.now_s += 1.01 * LATE_S
    await looked.counts(1)

    newest = round(NEWEST * len(looked.seen))
    assert looked.seen[: newest - 1] == sent[:-newest:-1]
    assert looked.late == sent[PER_TURN : PER_TURN + len(looked.late)]
    assert abs(len(looked.late) + newest - len(looked.seen)) <= 1


async def test_who_comes_while_others_are_in_line_goes_behind_them() -> None:
    looked = Looked()
    for number in range(PER_TURN + 1):
        looked.come(b"%d" % number)
    looked.now_s -= LEAST_S  # there would be time for it

    looked.come(b"the last")
    await looked.counts(2 * OTHERS)

    assert looked.seen[-2:] == [b"16", b"the last"]


async def test_who_comes_back_at_once_waits_for_the_next_turn() -> None:
    looked = Looked()

    def again(data: bytes, late: bool = False) -> None:
        looked.look(data, late)
        if len(looked.seen) < 1000 and not looked.turns.must_wait(again, data):
            again(data)

    again(b"")

    assert len(looked.seen) <= PER_TURN + 1
    async with asyncio.timeout(5):
        while len(looked.seen) < 1000:
            await asyncio.sleep(0)
