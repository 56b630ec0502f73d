"""The timers of a retailer's shoppers: when a dwell or a time-out of one of their devices is due."""

import heapq
import math
from collections.abc import Callable


class Timers:
    """One timer a shopper, the soonest first."""

    def __init__(self) -> None:
        self._at_us: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._early: set[str] = set()  # whose timers pings may have put off since they were set

    def put(self, shopper_id: str, at_us: int | None, *, may_be_put_off: bool = False) -> None:
        """Sets a shopper's timer anew; None: she has none."""
        if may_be_put_off:
            self._early.add(shopper_id)
        else:
            self._early.discard(shopper_id)
        if at_us is None:
            self._at_us.pop(shopper_id, None)
        elif self._at_us.get(shopper_id) != at_us:
            self._at_us[shopper_id] = at_us
            heapq.heappush(self._heap, (at_us, shopper_id))
            if len(self._heap) > 2 * len(self._at_us) + 1000:  # mostly timers that were set anew since
                self._heap = [(due_us, name) for name, due_us in self._at_us.items()]
                heapq.heapify(self._heap)

    def next_us(self) -> int | None:
        """When the next timer is due."""
        while self._heap and self._at_us.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now_us: int, really: Callable[[str], int | None], *, most: float = math.inf) -> list[str]:
        """So many of the shoppers whose timers are due; each is due again only when a batch sets a new timer.

        A ping that keeps a visit alive does not set its timer anew: then `really` says when it is due.
        """
        found: list[str] = []
        while len(found) < most and (at_us := self.next_us()) is not None and at_us <= now_us:
            _, shopper_id = heapq.heappop(self._heap)
            del self._at_us[shopper_id]
            later_us = really(shopper_id) if shopper_id in self._early else None
            if later_us is None or later_us <= now_us:
                self._early.discard(shopper_id)
                found.append(shopper_id)
            else:
                self.put(shopper_id, later_us, may_be_put_off=True)
        return found
