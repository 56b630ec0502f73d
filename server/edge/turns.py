"""Turns: for how long requests are looked at before everything else on the loop gets its turn.

A loop that finds as many sockets ready as it asked for looks for more before it does anything else, and who
is refused at once may be back by then. Under an overload nothing would be committed: for 18 seconds, once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

TURN_S = 0.004  #: a batch takes some eight turns, and should not wait for longer than it works
LATE_S = 0.05  #: who has been in line for longer is not looked at closely any more

#: Is given what has come, and whether it has waited for too long.
GoOn = Callable[[bytes, bool], None]


class Turns:
    """Lets requests be looked at for so long in one turn of the loop; the others wait in line."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._ends_s = 0.0  #: this turn does; 0: none has begun
        self._line: deque[tuple[GoOn, bytes, float]] = deque()

    def must_wait(self, go_on: GoOn, data: bytes) -> bool:
        """Whether what has come has to wait; then `go_on` is called with it when it is its turn."""
        now_s = self._now_s()
        if not self._ends_s:
            self._begin(now_s)
        if not self._line and now_s < self._ends_s:
            return False
        self._line.append((go_on, data, now_s))
        return True

    def _begin(self, now_s: float) -> None:
        self._ends_s = now_s + TURN_S
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        if not self._line:
            self._ends_s = 0.0
            return
        now_s = self._now_s()
        self._begin(now_s)
        while self._line and now_s < self._ends_s:
            go_on, data, came_s = self._line.popleft()
            go_on(data, now_s - came_s > LATE_S)
            now_s = self._now_s()
