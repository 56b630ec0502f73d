"""How much may wait: what to refuse so that whatever is taken is answered soon.

A burst is no overload: as long as a lane keeps up, everything waits that there is room for. Only when its
callers have waited too long for some time without a break (the sign that CoDel goes by: RFC 8289) a lane
closes its valve: then as much may wait as it gets done in `BATCH_S`, which keeps its batches that long and
their wait about twice. Of that, what matters little may take up half only, so that there is always room for
what matters.
"""

from enum import Enum

import msgspec

from server.errors import VicinoError

MOST = 100_000  #: fixes, events and others that may wait in all lanes together
TARGET_S = 0.15  #: from arrival to commit; who waits longer than this …
INTERVAL_S = 0.1  #: … for so long without a break shows an overload
BATCH_S = 0.05  #: how long a batch may take while there is one
CALM_S = 1.0  #: how long waits must have been short again for an overload to be over
LEAST = 20  #: fixes that may wait whatever is measured
SMOOTHING = 0.3  #: weight of the newest batch in the measured rate

#: A lane may hold this many times what is left of the room: the fuller, the less for each, and always
#: something for one that comes new (the dynamic thresholds of Choudhury and Hahne, 1998).
OF_WHAT_IS_LEFT = 3.0


class Worth(Enum):
    """What an input is worth while not all can be taken: the share of a closed valve's room it may use."""

    LITTLE = 0.5  #: nothing can come of it, or nothing that would be too late in a minute
    SOME = 0.75  #: what it changes is history: nobody is interested yet
    MUCH = 1.0  #: it may change a decision
    ALL = 4.0  #: somebody waits at a till, or has withdrawn a consent


class Outlook(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a shopper and her retailer's lane stand."""

    version: int  #: what is published
    interested: bool  #: in anything at all
    full: bool  #: for what is worth little


class Busy(VicinoError):  # noqa: N818 - it names what the caller should know
    """Too much is waiting already: come back in a moment."""


class Room:
    """What all lanes share."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self.waiting = 0  #: fixes, events and others, in all lanes
        self.closed = 0  #: valves

    @property
    def left(self) -> int:
        return self._most - self.waiting


class Valve:
    """What one lane may take."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._waiting = 0
        self._rate = 0.0  #: done in a second, while at work
        self._closed = False
        self._long_since_s: float | None = None  #: all batches since have waited too long
        self._short_since_s: float | None = None  #: none has since

    @property
    def limit(self) -> float:
        """How much may wait here."""
        open_to = OF_WHAT_IS_LEFT * self._room.left
        return min(open_to, max(LEAST, self._rate * BATCH_S)) if self._closed else open_to

    def full(self, worth: Worth = Worth.MUCH) -> bool:
        """Whether an input of that worth would have to be refused."""
        return self._waiting >= self.limit * worth.value

    def enter(self, weight: int, worth: Worth) -> None:
        """An input begins to wait. Raises Busy."""
        if self.full(worth):
            raise Busy("more comes than can be done just now: try again in a few seconds")
        self._waiting += weight
        self._room.waiting += weight

    def leave(self, weight: int) -> None:
        """Inputs have ceased to wait: their batch begins."""
        self._waiting -= weight
        self._room.waiting -= weight

    def done(self, weight: int, *, arrived_s: float, began_s: float, now_s: float) -> None:
        """A batch is committed, whose first input arrived then and whose work began then."""
        rate = weight / max(now_s - began_s, 1e-4)
        self._rate = rate if not self._rate else self._rate + SMOOTHING * (rate - self._rate)
        if now_s - arrived_s > TARGET_S:
            self._short_since_s = None
            self._long_since_s = self._long_since_s if self._long_since_s is not None else began_s
            if now_s - self._long_since_s >= INTERVAL_S:
                self._close(True)
        else:
            self._long_since_s = None
            self._short_since_s = self._short_since_s if self._short_since_s is not None else now_s
            if now_s - self._short_since_s >= CALM_S:
                self._close(False)

    def idle(self) -> None:
        """Nothing waits: whatever there was is over."""
        self._long_since_s = None
        self._close(False)

    def _close(self, closed: bool) -> None:
        self._room.closed += closed - self._closed
        self._closed = closed
