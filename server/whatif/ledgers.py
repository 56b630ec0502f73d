"""What offers have left and what went out today, in a what-if: followed from that morning on.

As long as an offer has gone to the very moments it went to, the answers are those that were given. From the
first decision that is otherwise on, its budget (and the day's quotas) are counted here. A coupon that was
redeemed is redeemed again where the same offer was made; nobody redeems one that was never made.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from offers.decision import AnswerMissing, Decision, RecordedAnswers
from server.clock import to_us
from server.db import Connection
from server.ledgers import Ledgers
from server.sql import queries
from server.world import World

SQL = queries("whatif")


class Account(msgspec.Struct, kw_only=True):
    """What one offer has given out."""

    issued: int = 0
    outstanding: int = 0
    redeemed: int = 0
    spend_reserved: Decimal = Decimal(0)
    spend_committed: Decimal = Decimal(0)


class DayLedgers:
    """The accounts of all offers as they stand at a time of the day."""

    def __init__(self) -> None:
        self._accounts = _Accounts()
        self._open: dict[str, tuple[str, Decimal]] = {}  # coupons by decision: offer, what it can cost
        self._ending: list[tuple[int, str]] = []
        self._sent: Counter[str] = Counter()  # of the day, by scope

    @classmethod
    async def at_start(cls, connection: Connection, retailer_id: str, day: date) -> "DayLedgers":
        """As they stood when the day (UTC) began."""
        ledgers, start = cls(), datetime(day.year, day.month, day.day, tzinfo=UTC)
        for row in await connection.fetch(SQL["ledgers_at"], retailer_id, start):
            ledgers._accounts[row["offer"]] = Account(
                issued=row["issued"], redeemed=row["redeemed"], spend_committed=row["committed"]
            )
        for row in await connection.fetch(SQL["coupons_open_at"], retailer_id, start):
            ledgers._hold(row["decision_id"], row["offer"], row["spend"], to_us(row["expires_at"]))
        return ledgers

    def at(self, world: World, now_us: int) -> Ledgers:
        """The accounts as they are asked by the decisions of one batch."""
        while self._ending and self._ending[0][0] <= now_us:
            self._release(heapq.heappop(self._ending)[1])
        return Ledgers.of(world.catalogue, _Rows(self._accounts), self._sent)

    def issue(self, decision: Decision, scopes: Iterable[str]) -> None:
        """A coupon was made, and counts for these scopes."""
        self._sent.update(scopes)
        if decision.offer is not None and decision.expires_at_us is not None:
            self._accounts[decision.offer].issued += 1
            self._hold(decision.decision_id, decision.offer, decision.spend, decision.expires_at_us)

    def redeem(self, decision_id: str) -> None:
        """A coupon was redeemed; one that is not open any more changes nothing."""
        if (held := self._release(decision_id)) is not None:
            offer, spend = held
            self._accounts[offer].redeemed += 1
            self._accounts[offer].spend_committed += spend

    def _hold(self, decision_id: str, offer: str, spend: Decimal, expires_at_us: int) -> None:
        self._open[decision_id] = (offer, spend)
        heapq.heappush(self._ending, (expires_at_us, decision_id))
        self._accounts[offer].outstanding += 1
        self._accounts[offer].spend_reserved += spend

    def _release(self, decision_id: str) -> tuple[str, Decimal] | None:
        """Gives back what an open coupon holds: offer and sum."""
        if (held := self._open.pop(decision_id, None)) is not None:
            offer, spend = held
            self._accounts[offer].outstanding -= 1
            self._accounts[offer].spend_reserved -= spend
        return held


class _Accounts(dict[str, Account]):
    def __missing__(self, offer: str) -> Account:
        return self.setdefault(offer, Account())


class _Rows(dict[str, dict[str, Any]]):
    """The accounts as the rows of the table are: each when it is asked for."""

    def __init__(self, accounts: _Accounts) -> None:
        super().__init__()
        self._accounts = accounts

    def __missing__(self, offer: str) -> dict[str, Any]:
        return msgspec.structs.asdict(self._accounts[offer])


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
