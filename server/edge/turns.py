"""Turns: for how long requests are looked at before everything else on the loop gets its turn.

A loop that finds as many sockets ready as it asked for looks for more before it does anything else, and who
is refused at once may be back by then. Under an overload nothing would be committed: for 18 seconds, once.
And the other way round: what is not looked at is refused whatever it is worth. A batch takes some eight
rounds of the loop, most of them short. So while there is a line, everything else gets eight rounds in a row,
and then the line as long as they took.

While somebody has waited in line for too long, nobody who waits his turn would be answered in time: to read
and refuse them all may take everything there is, and nothing would be taken. So the newest are looked at,
who can still be answered soon, and the oldest are told, without a look, that there is no room.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

#: Rounds of everything else between two turns of those in line, and how long they may take: to read what has
#: come takes most of one of them, and a batch needs them all.
OTHERS, OTHERS_MOST_S = 8, 0.06
LEAST_S, MOST_S = 0.002, 0.04  #: how long a turn takes
LATE_S = 0.1  #: nobody should be in line for longer; …
NEWEST = 0.8  #: … while somebody is, so much of a turn is for the newest, the rest for the oldest

#: Is given what has come, and whether it has waited for too long.
GoOn = Callable[[bytes, bool], None]


class Turns:
    """Lets requests be looked at for so long in one turn; the others wait in line."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._ends_s = 0.0  #: this turn does; 0: none has begun
        self._ended_s = 0.0  #: the last one did, …
        self._rounds = 0  #: … and so many rounds of the loop have been since
        self._line: deque[tuple[GoOn, bytes, float]] = deque()

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return len(self._line)

    def must_wait(self, go_on: GoOn, data: bytes) -> bool:
        """Whether what has come has to wait; then `go_on` is called with it when it is its turn."""
        now_s = self._now_s()
        if not self._ends_s:
            self._ends_s, self._ended_s, self._rounds = now_s + LEAST_S, now_s, 0
            asyncio.get_running_loop().call_soon(self._next)
        if not self._line and now_s < self._ends_s:
            return False
        self._line.append((go_on, data, now_s))
        return True

    def _next(self) -> None:
        """A round of the loop has passed."""
        if not self._line:
            self._ends_s = 0.0
            return
        asyncio.get_running_loop().call_soon(self._next)
        self._rounds += 1
        now_s = self._now_s()
        others_s = now_s - self._ended_s
        if self._rounds < OTHERS and others_s < OTHERS_MOST_S:
            return
        most_s = min(max(LEAST_S, others_s), MOST_S)
        newest_until_s, ends_s = now_s + NEWEST * most_s, now_s + most_s
        while self._line and now_s < ends_s:
            overdue = now_s - self._line[0][2] > LATE_S
            go_on, data, _ = self._line.pop() if overdue and now_s < newest_until_s else self._line.popleft()
            go_on(data, overdue and now_s >= newest_until_s)
            now_s = self._now_s()
        self._ends_s = self._ended_s = now_s
        self._rounds = 0
