"""What may wait: no burst is refused, and under an overload whatever is taken is answered soon."""

import itertools
import math

import numpy as np
import pytest

from server.edge.room import Busy, Room, Valve, Worth

ALONE_S, EACH_S, REFUSAL_S = 0.008, 500e-6, 10e-6  #: what a batch takes, and each fix and each refusal


NOBODY = (math.inf, Worth.MUCH)


class Simulated:
    """A lane in simulated time: batches of all that waits, at most 500, each in proportion to its fixes."""

    def __init__(self, seed: int = 1) -> None:
        self.now_s = 0.0
        self.room = Room()
        self.valve = Valve(self.room, lambda: self.now_s)
        self.waiting: list[tuple[float, Worth]] = []
        self.taken: list[tuple[float, float, Worth]] = []  #: when it came, how long it took
        self.refused: list[Worth] = []
        self._random = np.random.default_rng(seed)

    def run(self, rate: float, until_s: float, little: float = 0.0) -> None:
        """So many fixes come in a second, of which a share is worth little."""
        gaps = self._random.exponential(1 / rate, size=round((until_s - self.now_s) * rate * 1.2) + 100)
        worths = np.where(self._random.uniform(size=len(gaps)) < little, Worth.LITTLE, Worth.MUCH)
        comes = zip(self.now_s + np.cumsum(gaps), worths, strict=True)
        arrivals = itertools.takewhile(lambda one: one[0] < until_s, comes)
        next_s, worth = next(arrivals)
        while next_s < math.inf:
            if not self.waiting:
                self.valve.idle()
                self.now_s = max(self.now_s, next_s)
                self._arrive(next_s, worth)
                next_s, worth = next(arrivals, NOBODY)
            batch, self.waiting = self.waiting[:500], self.waiting[500:]
            self.valve.leave(len(batch))
            began_s = self.now_s
            ends_s = began_s + ALONE_S + EACH_S * len(batch)
            while next_s < ends_s:
                self.now_s = next_s
                if not self._arrive(next_s, worth):
                    ends_s += REFUSAL_S
                next_s, worth = next(arrivals, NOBODY)
            self.now_s = ends_s
            self.valve.done(len(batch), began_s=began_s)
            self.taken += [(came_s, self.now_s - came_s, worth) for came_s, worth in batch]

    def _arrive(self, at_s: float, worth: Worth) -> bool:
        try:
            self.valve.enter(1, worth)
        except Busy:
            self.refused.append(worth)
            return False
        self.waiting.append((at_s, worth))
        return True

    def took_s(self, from_s: float = 0.0) -> np.ndarray:
        return np.array([took_s for came_s, took_s, _ in self.taken if came_s >= from_s])


PEAK = 500 / (ALONE_S + 500 * EACH_S)


def test_at_three_times_what_can_be_done_all_that_is_taken_is_answered_soon_and_little_time_is_lost() -> None:
    lane = Simulated()
    lane.run(PEAK / 2, 5)
    lane.run(3 * PEAK, 25)

    assert lane.took_s(5).max() < 0.8
    assert np.percentile(lane.took_s(6), 99) < 0.2
    assert len(lane.took_s(5)) / 20 > 0.85 * PEAK


def test_ten_seconds_after_an_overload_nobody_is_refused() -> None:
    lane = Simulated()
    lane.run(3 * PEAK, 10)
    lane.run(PEAK / 2, 12)
    assert lane.refused
    lane.refused.clear()

    lane.run(PEAK / 2, 20)

    assert not lane.refused
    assert lane.room.closed == 0


def test_a_burst_is_no_overload() -> None:
    lane = Simulated()
    for _ in range(500):
        lane._arrive(0.0, Worth.LITTLE)

    lane.run(PEAK / 2, 5)

    assert not lane.refused


def test_what_matters_is_taken_before_what_does_not() -> None:
    lane = Simulated()
    lane.run(3 * PEAK, 20, little=0.8)
    much = sum(worth is Worth.MUCH for _, _, worth in lane.taken)

    assert lane.refused.count(Worth.MUCH) < 0.05 * much
    assert lane.refused.count(Worth.LITTLE) > much
    assert len(lane.taken) / 20 > 0.75 * PEAK


def test_what_matters_little_is_taken_again_when_nothing_else_comes() -> None:
    lane = Simulated()
    lane.run(3 * PEAK, 5, little=0.1)
    lane.run(PEAK / 4, 5.5, little=1.0)
    lane.refused.clear()

    lane.run(PEAK / 4, 7.5, little=1.0)

    assert not lane.refused


def test_a_lane_that_comes_new_finds_room_beside_greedy_ones() -> None:
    room = Room(1000)
    greedy = [Valve(room), Valve(room)]
    with pytest.raises(Busy):
        for number in itertools.count():
            greedy[number % 2].enter(1, Worth.MUCH)

    late = Valve(room)
    late.enter(100, Worth.MUCH)

    assert room.left >= 0


def test_who_waits_at_a_till_is_let_in_where_a_phone_is_not() -> None:
    lane = Simulated()
    lane.run(3 * PEAK, 5)
    with pytest.raises(Busy):
        while True:
            lane.valve.enter(1, Worth.MUCH)

    lane.valve.enter(1, Worth.ALL)
