"""Turns: how much is looked at before everything else on the loop gets its turn.

A loop that finds as many sockets ready as it asked for looks for more before it does anything else, and who
is refused at once may be back by then. Under an overload nothing would be committed: for 18 seconds, once.
"""

import asyncio
from collections import deque
from collections.abc import Callable

PER_TURN = 64  #: requests: some milliseconds


class Turns:
    """Lets so many requests be looked at in one turn of the loop; the others wait in line for the next."""

    def __init__(self) -> None:
        self._in_turn = 0  #: looked at since everything else had its turn
        self._line: deque[tuple[Callable[[bytes], None], bytes]] = deque()

    def must_wait(self, go_on: Callable[[bytes], None], data: bytes) -> bool:
        """Whether what has come has to wait; then `go_on` is called with it when it is its turn."""
        if not self._in_turn:
            asyncio.get_running_loop().call_soon(self._next)
        self._in_turn += 1
        if self._in_turn <= PER_TURN:
            return False
        self._line.append((go_on, data))
        return True

    def _next(self) -> None:
        self._in_turn = min(len(self._line), PER_TURN)
        if self._in_turn:
            asyncio.get_running_loop().call_soon(self._next)
        for _ in range(self._in_turn):
            go_on, data = self._line.popleft()
            go_on(data)
