"""Where the edge hands in what it has let in: at the engine of its own process, or at Kafka."""

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from server.admit import Admitted
from server.edge.room import Outlook, Worth
from server.inputs import Input, RecordFixes
from server.privacy.erasing import Receipt
from server.redeem import Answer, Redeem


class Desk(Protocol):
    """One interface for both (`server/engine.py`, `server/kafka/desk.py`)."""

    @property
    def ready(self) -> bool:
        """Whether what is handed in is taken."""
        ...

    async def submit(self, retailer_id: str, item: Input, worth: Worth = Worth.ALL) -> Admitted:
        """Has an input processed; returns when that is durable. Raises Busy where it is not worth enough."""
        ...

    def put(self, retailer_id: str, item: RecordFixes, worth: Worth) -> "asyncio.Future[Admitted]":
        """Likewise, of a retailer for whom there is an `outlook`: the answer to come."""
        ...

    def outlook(self, retailer_id: str, shopper_id: str) -> Outlook | None:
        """What a ping of a shopper is judged by while not all can be taken; None where that is not known."""
        ...

    def full(self, retailer_id: str, *, late: bool = False) -> bool:
        """Whether whatever a phone of the retailer's sends now would be refused; `late`: has sent, and it has
        waited for too long.
        """
        ...

    def sheds(self, retailer_id: str) -> int | None:
        """What is published, where there is no room for what is worth little, and that is known."""
        ...

    async def redeem(self, retailer_id: str, ask: Redeem) -> Answer:
        """Has a coupon redeemed or refused; returns when that is durable."""
        ...

    async def live(self, retailer_id: str) -> None:
        """Returns when everything is judged by what was published last, or after some seconds."""
        ...

    async def erase(self, retailer_id: str, erasure_id: str) -> Receipt:
        """Does the retailer's erasures that were asked for; the receipt of this one."""
        ...

    def when_erased(self, forget: Callable[[str, Collection[str]], None]) -> None:
        """Has somebody told the retailer and the ids of every shopper who is erased from now on."""
        ...
