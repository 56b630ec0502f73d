"""A shopper's visit, by whichever way it reaches the engine: she wants every offer there is, then goes to a
till with coupons that others take to other tills at that moment.
"""

import asyncio
import random
from collections.abc import Awaitable
from typing import Any, Protocol

import msgspec

from tests.faults.races.town import OFFERS

RIVALS = 5  #: shoppers in a row who redeem the same coupons
TRIES = OFFERS  #: coupons that each takes to a till: as many attempts as she has made to get some
AGAIN_S = 0.05


class Undone(Exception):  # noqa: N818 - it names what is known
    """No answer came: nobody knows whether it was done."""


class Told(msgspec.Struct, kw_only=True):
    """What has been answered, and what has not."""

    reservations: int = 0
    redemptions: int = 0
    undone: int = 0
    granted: list[tuple[str, str]] = []  #: decisions whose coupon a till was granted, and under which key

    @property
    def attempts(self) -> int:
        return self.reservations + self.redemptions + self.undone

    def add(self, other: "Told") -> None:
        self.reservations += other.reservations
        self.redemptions += other.redemptions
        self.undone += other.undone
        self.granted += other.granted


class Way(Protocol):
    """How a shopper and the tills reach the engine. Everything raises Undone."""

    async def arrive(self, shopper: int) -> Any:
        """She registers, looks at everything, and comes in: the first moment to speak. Who she is now."""
        ...

    async def look(self, who: Any, shopper: int, number: int) -> None:
        """She looks at one thing more: another moment."""
        ...

    async def leave(self, who: Any, shopper: int) -> None:
        """She has seen what there is; what she was given is known to the tills."""
        ...

    async def coupons(self, shopper: int) -> list[str]:
        """The decisions whose coupons shoppers of her wave were given so far, in one order for all."""
        ...

    async def back(self) -> bool:
        """Whether what has died is there again."""
        ...

    async def redeem(self, decision_id: str, key: str) -> bool:
        """A till asks for a decision's coupon. Whether it was granted it."""
        ...


async def visit(way: Way, shopper: int) -> Told:
    """All of it. What is undone is not tried again: an attempt is an attempt."""
    told = Told()
    await _reserve(way, shopper, told)
    try:
        found = await way.coupons(shopper)
    except Undone:
        found = []
    # The same for those who come just before and after her.
    coupons = random.Random(shopper // RIVALS).sample(found, min(TRIES, len(found)))
    keys = [f"{shopper}-{number}" for number in range(len(coupons))]
    answers = await asyncio.gather(*map(_known, map(way.redeem, coupons, keys)))
    told.redemptions = sum(answer is not None for answer in answers)
    told.undone += len(answers) - told.redemptions
    told.granted = [
        (coupon, key) for coupon, key, answer in zip(coupons, keys, answers, strict=True) if answer
    ]
    return told


async def _reserve(way: Way, shopper: int, told: Told) -> None:
    try:
        who = await way.arrive(shopper)
        told.reservations += 1
        for number in range(1, OFFERS):
            await way.look(who, shopper, number)
            told.reservations += 1
        await way.leave(who, shopper)
    except Undone:
        told.undone += 1
        while not await way.back():  # all others would else be gone before it is
            await asyncio.sleep(AGAIN_S)


async def _known(asking: Awaitable[bool]) -> bool | None:
    try:
        return await asking
    except Undone:
        return None
