"""Turns: how much is looked at before everything else on the loop gets its turn.

A loop that finds as many sockets ready as it asked for looks for more before it does anything else, and who
is refused at once may be back by then. Under an overload nothing would be committed: for 18 seconds, once.
"""

import asyncio
from collections import deque
from collections.abc import Callable

PER_TURN = 16  #: requests: a batch takes some eight turns, and should not wait for longer than it works
IN_LINE = 64  #: who has more behind it has waited for too long to be looked at closely, …
LATE_PER_TURN = 64  #: … and so many of those are dealt with in a turn

#: Is given what has come, and whether it has waited for too long.
GoOn = Callable[[bytes, bool], None]


class Turns:
    """Lets so many requests be looked at in one turn of the loop; the others wait in line for the next."""

    def __init__(self) -> None:
        self._in_turn = 0  #: looked at since everything else had its turn
        self._line: deque[tuple[GoOn, bytes]] = deque()

    def must_wait(self, go_on: GoOn, data: bytes) -> bool:
        """Whether what has come has to wait; then `go_on` is called with it when it is its turn."""
        if not self._in_turn:
            asyncio.get_running_loop().call_soon(self._next)
        self._in_turn += 1
        if self._in_turn <= PER_TURN:
            return False
        self._line.append((go_on, data))
        return True

    def _next(self) -> None:
        late = min(max(0, len(self._line) - IN_LINE), LATE_PER_TURN)
        self._in_turn = late + min(len(self._line) - late, PER_TURN)
        if self._in_turn:
            asyncio.get_running_loop().call_soon(self._next)
        for number in range(self._in_turn):
            go_on, data = self._line.popleft()
            go_on(data, number < late)
