"""Time and chance of a simulation: what is to happen when, and one generator for everything that is drawn."""

import heapq
import random
from collections.abc import Callable

SECOND_US = 1_000_000


class Loop:
    """Does what was put into it in the order of its times; of equal times what was put in first."""

    def __init__(self, seed: int, begins_at_us: int) -> None:
        self.now_us = begins_at_us
        self.random = random.Random(seed)  # noqa: S311 - to be repeated is what it is for
        self.steps = 0
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._put_in = 0

    def at(self, at_us: int, act: Callable[[], None]) -> None:
        """Lets `act` happen at a time, or now where that has passed."""
        self._put_in += 1
        heapq.heappush(self._heap, (max(at_us, self.now_us), self._put_in, act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self.at(self.now_us + round(seconds * SECOND_US), act)

    def chance(self, share: float) -> bool:
        """True for this share of the times it is asked."""
        return self.random.random() < share

    def run(self) -> None:
        """Until nothing is left to happen."""
        while self._heap:
            self.now_us, _, act = heapq.heappop(self._heap)
            self.steps += 1
            act()
