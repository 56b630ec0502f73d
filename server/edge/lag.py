"""How late the event loop is: the time by which everything is delayed that runs on it."""

import asyncio
from collections.abc import Callable

LOOK_S = 0.05
FADES = 0.8  #: of a peak, how much is left at the next look
LATE_S = 1.0  #: a loop that is this late is busy, whatever else is measured


class LoopLag:
    """Measures while `watch` runs."""

    def __init__(self, on_look: Callable[[float], None]) -> None:
        self._on_look = on_look
        self.seconds = 0.0  #: the newest peak, fading

    @property
    def busy(self) -> bool:
        return self.seconds > LATE_S

    async def watch(self) -> None:
        """Looks every 50 ms, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LOOK_S
            await asyncio.sleep(LOOK_S)
            late_s = max(0.0, loop.time() - due_s)
            self.seconds = max(late_s, self.seconds * FADES)
            self._on_look(late_s)
