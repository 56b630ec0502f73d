"""Line, valve and lane together under an overload, by a simulated clock, with costs as they were measured.

A request costs something to read and to answer whatever becomes of it; a batch takes several rounds of the
loop and waits for the database in between. Of a hundred pings three may lead to something.
"""

import asyncio

import msgspec
import numpy as np

from server.edge.room import Busy, Room, Valve, Worth
from server.edge.turns import Turns

READ_S, SEND_S, ROUND_S = 8e-6, 10e-6, 15e-6
JUDGE_S, UNSEEN_S, TAKE_S = 10e-6, 6.5e-6, 18e-6
#: What a batch does in a round, and with each of its pings; None: it waits for the database.
STEPS = ((0.2e-3, 2e-6), (0.6e-3, 45e-6), (0.1e-3, 0.0), (0.3e-3, 20e-6), None, (0.25e-3, 20e-6))
DATABASE_S = (2e-3, 3e-6)
MATTERS = 0.03
PEAK = 8_000.0  #: pings a second that it keeps up with


class Ping(msgspec.Struct, frozen=True):
    came_s: float
    matters: bool


class Server:
    """One thread that reads, looks, batches and answers."""

    def __init__(self, dearer: float) -> None:
        self._dearer = dearer  #: what it costs to read, look and refuse, in times of what was measured
        self.now_s = 1.0
        self.valve = Valve(Room(), lambda: self.now_s)
        self.turns = Turns(lambda: self.now_s)
        self.waiting: list[Ping] = []
        self.batch: list[Ping] = []
        self.step, self.began_s, self.answer_at_s = 0, 0.0, 0.0
        self.taken: list[tuple[Ping, float]] = []  #: and how long it took
        self.refused: list[Ping] = []
        self._random = np.random.default_rng(1)

    async def run(self, rate: float, seconds: float) -> None:
        """So many pings come in a second."""
        count = round(rate * seconds)
        comes_s = self.now_s + np.sort(self._random.uniform(0, seconds, count))
        pings = [Ping(*one) for one in zip(comes_s, self._random.uniform(size=count) < MATTERS, strict=True)]
        pings.reverse()
        while pings:
            self.now_s += ROUND_S
            if not self._work() and not self.turns.waiting and pings[-1].came_s > self.now_s:
                busy_until_s = self.answer_at_s if self.batch else np.inf
                self.now_s = min(pings[-1].came_s, max(busy_until_s, self.now_s))
            while pings and pings[-1].came_s <= self.now_s:
                self._read(pings.pop())
            await asyncio.sleep(0)

    def _read(self, ping: Ping) -> None:
        self.now_s += READ_S * self._dearer

        def look(_: bytes, late: bool) -> None:
            self._look(ping, late=late)

        if not self.turns.must_wait(look, b""):
            self._look(ping, late=False)

    def _look(self, ping: Ping, *, late: bool) -> None:
        self.now_s += TAKE_S * self._dearer
        if (late and self.valve.late()) or self.valve.full():
            self._refuse(ping, UNSEEN_S)
        elif not ping.matters and self.valve.full(Worth.LITTLE):
            self._refuse(ping, JUDGE_S)
        else:
            try:
                self.valve.enter(1, Worth.SOME)
            except Busy:
                self._refuse(ping, JUDGE_S)
            else:
                self.waiting.append(ping)

    def _refuse(self, ping: Ping, took_s: float) -> None:
        self.now_s += (took_s + SEND_S - TAKE_S) * self._dearer
        self.refused.append(ping)

    def _work(self) -> bool:
        """A round of the batch; False where there is nothing to do."""
        if not self.batch:
            if not self.waiting:
                self.valve.idle()
                return False
            self.batch, self.waiting = self.waiting[:500], self.waiting[500:]
            self.valve.leave(len(self.batch))
            self.step, self.began_s = 0, self.now_s
        if self.now_s < self.answer_at_s:
            return False
        many = len(self.batch)
        if (step := STEPS[self.step]) is None:
            self.answer_at_s = self.now_s + DATABASE_S[0] + DATABASE_S[1] * many
        else:
            self.now_s += step[0] + step[1] * many
        self.step += 1
        if self.step == len(STEPS):
            self.valve.done(many, began_s=self.began_s)
            self.taken += [(ping, self.now_s - ping.came_s) for ping in self.batch]
            self.batch = []
        return True


async def overloaded(times: float, *, seconds: float = 4.0, dearer: float = 1.0) -> Server:
    server = Server(dearer)
    await server.run(PEAK / 2, 1)
    await server.run(times * PEAK, 1)
    server.taken.clear()
    server.refused.clear()
    await server.run(times * PEAK, seconds)
    return server


async def test_what_it_keeps_up_with_is_taken() -> None:
    server = await overloaded(0.9)
    assert not server.refused


async def test_at_twice_the_peak_what_is_taken_is_answered_soon_and_what_matters_is_hardly_refused() -> None:
    server = await overloaded(2)
    refused = sum(ping.matters for ping in server.refused)
    taken = sum(ping.matters for ping, _ in server.taken)

    assert np.percentile([took_s for _, took_s in server.taken], 99) < 0.25
    assert len(server.taken) > 0.7 * PEAK * 4
    assert refused / (refused + taken) < 0.2 * len(server.refused) / (len(server.refused) + len(server.taken))


async def test_at_three_times_the_peak_what_is_taken_is_answered_soon_and_soon_nobody_is_refused() -> None:
    server = await overloaded(3)

    assert np.percentile([took_s for _, took_s in server.taken], 99) < 0.25
    assert len(server.taken) > 0.3 * PEAK * 4

    refused = sum(ping.matters for ping in server.refused)
    assert refused < 0.15 * (refused + sum(ping.matters for ping, _ in server.taken))

    await server.run(PEAK / 2, 2)
    server.refused.clear()
    await server.run(PEAK / 2, 2)
    assert not server.refused


async def test_where_to_refuse_all_would_take_everything_some_are_still_taken_and_answered_soon() -> None:
    server = await overloaded(3, dearer=1.6)

    assert np.percentile([took_s for _, took_s in server.taken], 99) < 0.25
    assert len(server.taken) > 0.2 * PEAK * 4
