"""What offers have left and what went out today, in a what-if: followed from that morning on.

As long as an offer has gone to the very moments it went to, the answers are those that were given. From the
first decision that is otherwise on, its budget (and the day's quotas) are counted here. A coupon that was
redeemed is redeemed again where the same offer was made; nobody redeems one that was never made.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec

from offers.budget import Given
from offers.decision import AnswerMissing, Decision, RecordedAnswers
from offers.moment import Moment
from server.clock import to_us
from server.db import Connection
from server.ledgers import Ledgers, PurseKey, ShopperKey, places_of
from server.sql import queries
from server.world import World

SQL = queries("whatif")


class Coupon(msgspec.Struct, kw_only=True, gc=False):
    """A coupon in the purses it is counted in."""

    offer: str
    shopper_id: str
    spend: Decimal
    purses: tuple[str, ...]
    issued_at_us: int
    held: bool = True  #: redeemed, or still redeemable


class DayLedgers:
    """The accounts of all offers as they stand at a time of the day."""

    def __init__(self) -> None:
        self._given: defaultdict[PurseKey, Given] = defaultdict(Given)
        self._hers: defaultdict[tuple[str, str], list[Coupon]] = defaultdict(list)  # by offer and shopper
        self._open: dict[str, Coupon] = {}  # by decision
        self._ending: list[tuple[int, str]] = []
        self._sent: Counter[str] = Counter()  # of the day, by scope

    @classmethod
    async def at_start(cls, connection: Connection, retailer_id: str, day: date) -> "DayLedgers":
        """As they stood when the day (UTC) began."""
        ledgers, start = cls(), datetime(day.year, day.month, day.day, tzinfo=UTC)
        for row in await connection.fetch(SQL["ledgers_at"], retailer_id, start):
            given = Given(issued=row["issued"], held=row["redeemed"], spend=row["committed"])
            ledgers._given[row["offer"], row["purse"]] = given
        for row in await connection.fetch(SQL["coupons_before"], retailer_id, start):
            coupon = Coupon(
                offer=row["offer"],
                shopper_id=row["shopper_id"],
                spend=row["spend"],
                purses=tuple(row["purses"]),
                issued_at_us=to_us(row["issued_at"]),
                held=row["held"],
            )
            ledgers._hers[coupon.offer, coupon.shopper_id].append(coupon)
            if row["open"]:
                ledgers._hold(row["decision_id"], coupon, to_us(row["expires_at"]), issued=0)
        return ledgers

    def at(self, world: World, now_us: int, moments: Iterable[Moment]) -> Ledgers:
        """The accounts as they are asked by the decisions of one batch."""
        while self._ending and self._ending[0][0] <= now_us:
            self._expire(heapq.heappop(self._ending)[1])
        places = places_of(moments)
        return Ledgers.of(world.catalogue, now_us, places, self._given, self._sent, had=self._had)

    def issue(self, decision: Decision, purses: tuple[str, ...], scopes: Iterable[str]) -> None:
        """A coupon was made, and counts for these scopes."""
        self._sent.update(scopes)
        if decision.offer is not None and decision.expires_at_us is not None:
            coupon = Coupon(
                offer=decision.offer,
                shopper_id=decision.moment.shopper_id,
                spend=decision.spend,
                purses=purses,
                issued_at_us=decision.decided_at_us,
            )
            self._hers[coupon.offer, coupon.shopper_id].append(coupon)
            self._hold(decision.decision_id, coupon, decision.expires_at_us, issued=1)

    def redeem(self, decision_id: str) -> None:
        """A coupon was redeemed: what it holds it keeps. One that is not open any more changes nothing."""
        self._open.pop(decision_id, None)

    def _hold(self, decision_id: str, coupon: Coupon, expires_at_us: int, *, issued: int) -> None:
        self._open[decision_id] = coupon
        heapq.heappush(self._ending, (expires_at_us, decision_id))
        for name in coupon.purses:
            self._given[coupon.offer, name] += Given(issued=issued, held=1, spend=coupon.spend)

    def _expire(self, decision_id: str) -> None:
        """Gives back what an open coupon holds."""
        if (coupon := self._open.pop(decision_id, None)) is not None:
            coupon.held = False
            for name in coupon.purses:
                self._given[coupon.offer, name] += Given(held=-1, spend=-coupon.spend)

    def _had(self, key: ShopperKey) -> Given:
        offer, shopper_id, since_us = key
        hers = [one for one in self._hers[offer, shopper_id] if one.issued_at_us >= since_us]
        held = [one.spend for one in hers if one.held]
        return Given(issued=len(hers), held=len(held), spend=sum(held, Decimal(0)))


class WhatIfAnswers:
    """The answers that were given, but for offers and scopes that have gone another way."""

    def __init__(
        self, recorded: Mapping[str, RecordedAnswers], ledgers: Ledgers, otherwise: set[str]
    ) -> None:
        """`otherwise`: offers and scopes whose accounts are not what they were."""
        self._recorded, self._ledgers, self._otherwise = recorded, ledgers, otherwise

    def quota(self, moment_id: str, scope: str) -> bool:
        if scope not in self._otherwise and moment_id in self._recorded:
            try:
                return self._recorded[moment_id].quota(moment_id, scope)
            except AnswerMissing:  # it was not asked then: another gate spoke first
                pass
        return self._ledgers.quota(moment_id, scope)

    def budget(self, moment_id: str, offer: str, spend: Decimal) -> bool:
        if offer not in self._otherwise and moment_id in self._recorded:
            try:
                return self._recorded[moment_id].budget(moment_id, offer, spend)
            except AnswerMissing:
                pass
        return self._ledgers.budget(moment_id, offer, spend)
