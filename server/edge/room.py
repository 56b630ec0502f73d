"""How much may wait: what to refuse so that whatever is taken is answered soon.

A burst is no overload: as long as a lane keeps up, everything waits that there is room for. Only when too
much has waited for some time without a break (the sign that CoDel goes by: RFC 8289) a lane closes its
valve: then as much may wait as it gets done in `BATCH_S`, which keeps its batches that long and their wait
about twice. Of that, what is worth little gets what is left by what is worth more: a price sees to that.
"""

import math
import time
from collections.abc import Callable
from enum import Enum

import msgspec

from server.errors import VicinoError

MOST = 100_000  #: fixes, events and others that may wait in all lanes together
BATCH_S = 0.07  #: how long a batch may take while a valve is closed …
BATCH_MOST_S = 0.25
OF_ALONE = 3.0  #: … or so many times what a batch takes that holds next to nothing, if that is more
OF_BATCH = 2.0  #: more than is done in so many times that is too much; …
INTERVAL_S = 0.05  #: … when it has been too much for so long without a break, there is an overload
CALM_S = 1.0  #: it is over when nobody has had to be refused for so long
NEVER = 100  #: fixes and others, of which no more wait, are no overload, however slow everything is
LEAST = 150  #: fixes and others that may wait whatever is measured
SMOOTHING = 0.3  #: weight of the newest batch in the measured rate
DEARER, CHEAPER = 0.05, 0.01  #: by a refusal of what is worth more, and by a batch
HUNGRY = 0.25  #: of the room of a closed valve, less than this at the end of a batch is too little
ALWAYS = 4.0  #: so much more than the room of a closed valve may be taken for what is refused last
FORGETS = (
    1.02  #: by how much the shortest batch is taken to be longer with each further one while all is well
)

#: A lane may hold this many times what is left of the room: the fuller, the less for each, and always
#: something for one that comes new (the dynamic thresholds of Choudhury and Hahne, 1998).
OF_WHAT_IS_LEFT = 3.0


class Worth(Enum):
    """What an input is worth while not all can be taken."""

    LITTLE = 0  #: nothing can come of it, or nothing that would be too late in a minute
    SOME = 1  #: what it changes is history: nobody is interested yet
    MUCH = 2  #: it may change a decision
    ALL = 3  #: somebody waits at a till, or has withdrawn a consent


class Outlook(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a shopper and her retailer's lane stand."""

    version: int  #: what is published
    interested: bool  #: in anything at all
    full: bool  #: for what is worth little


class Busy(VicinoError):  # noqa: N818 - it names what the caller should know
    """Too much is waiting already: come back in a moment."""


class Room:
    """What all lanes share."""

    def __init__(
        self, most: int = MOST, *, on_batch: Callable[[int, float], None] = lambda _weight, _took_s: None
    ) -> None:
        self._most = most
        self.on_batch = on_batch  #: told how much each batch held, and how long it took
        self.waiting = 0  #: fixes, events and others, in all lanes
        self.closed = 0  #: valves

    @property
    def left(self) -> int:
        return self._most - self.waiting


class Valve:
    """What one lane may take."""

    def __init__(self, room: Room, now_s: Callable[[], float] = time.monotonic) -> None:
        self._room = room
        self._now_s = now_s
        self._waiting = 0
        self._rate = 0.0  #: done in a second, while at work
        self._shortest_s = 0.0  #: a batch takes that at least
        self._closed = False
        self._long_since_s: float | None = None  #: since then more waits than soon will be done
        self._refused_at_s = 0.0
        self._price = 0.0  #: what is worth less is refused altogether
        # What follows from these, reckoned when they change: it is asked for with every request.
        self._most = math.inf  #: may wait while closed
        self._too_many = math.inf  #: more than soon will be done; not known before anything has been
        self._shares = _shares(0.0)

    @property
    def limit(self) -> float:
        """How much may wait here."""
        open_to = OF_WHAT_IS_LEFT * self._room.left
        return min(open_to, self._most) if self._closed else open_to

    def full(self, worth: Worth = Worth.MUCH) -> bool:
        """Whether an input of that worth would have to be refused."""
        if self._waiting < self.limit * self._shares[worth.value]:
            return False
        self._refused_at_s = self._now_s()
        if self._closed and self._price < worth.value <= Worth.MUCH.value:
            self._ask(min(self._price + DEARER, worth.value))
        return True

    def late(self) -> bool:
        """Whether an input is refused that has waited for too long on its way here: while it is closed."""
        if self._closed:
            self._refused_at_s = self._now_s()
        return self._closed

    def enter(self, weight: int, worth: Worth | None) -> None:
        """An input begins to wait. Raises Busy, but not of one that is durable already (`None`)."""
        if worth is not None and self.full(worth):
            raise Busy("more comes than can be done just now: try again in a few seconds")
        self._waiting += weight
        self._room.waiting += weight
        if self._waiting <= self._too_many:
            self._long_since_s = None
        elif self._long_since_s is None:
            self._long_since_s = self._now_s()
        elif not self._closed and self._now_s() - self._long_since_s >= INTERVAL_S:
            self._refused_at_s = self._now_s()
            self._close(True)

    def leave(self, weight: int) -> None:
        """Inputs have ceased to wait: their batch begins."""
        self._waiting -= weight
        self._room.waiting -= weight
        if self._waiting <= self._too_many:
            self._long_since_s = None

    def done(self, weight: int, *, began_s: float) -> None:
        """A batch is committed whose work began then."""
        now_s = self._now_s()
        took_s = max(now_s - began_s, 1e-4)
        self._room.on_batch(weight, took_s)
        self._rate += (SMOOTHING if self._rate else 1.0) * (weight / took_s - self._rate)
        forgets = 1.0 if self._closed else FORGETS  # there are no short batches while it is closed
        self._shortest_s = min(took_s, forgets * self._shortest_s or took_s)
        batch_s = min(max(BATCH_S, OF_ALONE * self._shortest_s), BATCH_MOST_S)
        self._most = max(LEAST, self._rate * batch_s)
        self._too_many = max(NEVER, OF_BATCH * batch_s * self._rate)
        # A lane that is waited for by few has been asked too high a price.
        hungry = self._closed and self._waiting < HUNGRY * self.limit
        self._ask(self._price / 2 if hungry else max(0.0, self._price - CHEAPER))
        if self._closed and now_s - self._refused_at_s > CALM_S:
            self._close(False)

    def idle(self) -> None:
        """Nothing waits: there is room for whatever comes."""
        self._ask(0.0)
        if self._now_s() - self._refused_at_s > CALM_S:
            self._close(False)

    def _ask(self, price: float) -> None:
        if price != self._price:
            self._price, self._shares = price, _shares(price)

    def _close(self, closed: bool) -> None:
        self._room.closed += closed - self._closed
        self._closed = closed


def _shares(price: float) -> list[float]:
    """Of the room, how much an input of each worth may find taken: less, the more is refused of what is worth
    more.
    """
    return [ALWAYS if worth is Worth.ALL else min(1.0, max(0.0, worth.value + 1 - price)) for worth in Worth]
