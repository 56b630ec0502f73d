"""What survives a crash: the journal, a checkpoint, decisions, coupons, ledgers, the outbox; its statements.

Each method stands for one statement or transaction of the real thing and is as atomic as that; the rules are
those of `server/sql/engine.sql` and `outbox.sql`. Nothing else of a simulated server is left by a crash.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from notifications.outbox import TERMINAL, PushRow, Settlement
from notifications.push import PushAddress
from offers.budget import WHOLE
from offers.moment import Moment
from server.inputs import RecordRedemption
from server.journal import Entry
from server.ledgers import Ledgers, given_of, places_of


class Coupon(msgspec.Struct, kw_only=True):
    """A row of `coupons`."""

    decision_id: str
    shopper_id: str
    offer: str
    sku: str | None
    store: str
    spend: Decimal
    expires_at_us: int
    status: str = "reserved"


class OutboxRow(msgspec.Struct, kw_only=True):
    """A row of `outbox`."""

    push_id: str
    decision_id: str
    moment_id: str
    shopper_id: str
    device_id: str
    store: str
    item: dict[str, str]
    state: str
    due_at_us: int
    received_at_us: int
    decided_at_us: int
    expires_at_us: int
    reason: str | None = None
    attempts: int = 0
    fencing: int = 0
    leased_until_us: int = 0
    claimed_at_us: int | None = None


class Durable:
    """The database of a simulation."""

    def __init__(self) -> None:
        self.journal: list[Entry] = []
        self.states: dict[str, bytes] = {}  #: by shopper, as of the newest entry
        self.learner = b""  #: all that was learned, as of the same
        self.checkpoint: dict[str, bytes] = {}
        self.checkpoint_learner = b""
        self.checkpoint_seq = 0
        self.receipts: dict[str, tuple[int, dict[str, Any]]] = {}  #: by moment: the batch, the receipt
        self.outbox: dict[str, OutboxRow] = {}
        self.open_pushes: set[str] = set()
        self.addresses: dict[str, PushAddress] = {}
        self._coupons: dict[str, Coupon] = {}
        self._coupons_of: dict[str, list[Coupon]] = defaultdict(list)
        self._answers: dict[str, tuple[int, str]] = {}
        self._ledgers: dict[str, dict[str, Any]] = {}
        self.sent: Counter[tuple[int, str]] = Counter()  #: offers by day and scope

    def commit(self, entry: Entry | None, states: dict[str, bytes], learner: bytes) -> None:
        """The journal row, the new states, and what was learned."""
        if entry is not None:
            self.journal.append(entry)
        self.states |= states
        self.learner = learner

    def keep_checkpoint(self) -> None:
        """All states as they are, so that a recovery begins here."""
        self.checkpoint, self.checkpoint_learner = dict(self.states), self.learner
        self.checkpoint_seq = len(self.journal)

    def ledgers(self, catalogue: Any, moments: Iterable[Moment], now_us: int, day: int) -> Ledgers:
        """What is left of the budgets and of the day."""
        for name in catalogue.offers:
            self._ledgers.setdefault(name, _no_ledger())
        sent = {scope: count for (of, scope), count in self.sent.items() if of == day}
        given = {(name, WHOLE): given_of(row) for name, row in self._ledgers.items()}
        return Ledgers.of(catalogue, now_us, places_of(moments), given, sent)

    def reserve(self, ledgers: Ledgers, coupons: Iterable[Coupon], day: int) -> None:
        """What a batch took of the budgets and of the day, and its coupons."""
        for (offer, purse), given in ledgers.taken.items():
            assert purse == WHOLE, "simulated offers have no caps"
            row = self._ledgers[offer]
            row["issued"] += given.issued
            row["outstanding"] += given.held
            row["spend_reserved"] += given.spend
        for scope, count in ledgers.counted.items():
            self.sent[day, scope] += count
        for coupon in coupons:
            self._coupons[coupon.decision_id] = coupon
            self._coupons_of[coupon.offer].append(coupon)

    def redeem(self, decision_id: str, key: str, now_us: int) -> tuple[int, RecordRedemption | None]:
        """One till's request under its key; the status, and what the journal is told where it was granted."""
        if (first := self._answers.get(key)) is not None:
            return first[0], None
        coupon = self._coupons[decision_id]
        if coupon.status != "reserved" or coupon.expires_at_us <= now_us:
            status = 409 if coupon.status == "redeemed" else 410
            self._answers[key] = status, decision_id
            return status, None
        return 200, RecordRedemption(
            shopper_id=coupon.shopper_id,
            received_at_us=now_us,
            offer=coupon.offer,
            sku=coupon.sku,
            decision_id=decision_id,
            store=coupon.store,
        )

    def redeemed(self, decision_id: str, key: str) -> None:
        """The same, committed."""
        coupon = self._coupons[decision_id]
        coupon.status = "redeemed"
        self._answers[key] = 200, decision_id
        row = self._ledgers[coupon.offer]
        row["outstanding"] -= 1
        row["redeemed"] += 1
        row["spend_reserved"] -= coupon.spend
        row["spend_committed"] += coupon.spend

    def expire_coupons(self, now_us: int) -> None:
        """Gives back what expired coupons hold."""
        for coupon in self._coupons.values():
            if coupon.status == "reserved" and coupon.expires_at_us <= now_us:
                coupon.status = "expired"
                row = self._ledgers[coupon.offer]
                row["outstanding"] -= 1
                row["spend_reserved"] -= coupon.spend

    def coupons_of(self, offer: str) -> list[Coupon]:
        return self._coupons_of[offer]

    def ledger(self, offer: str) -> tuple[int, int, int, Decimal]:
        """Coupons issued, outstanding, redeemed, and what the latter two can cost: as the ledger has it."""
        row = self._ledgers.get(offer) or _no_ledger()
        spend = row["spend_reserved"] + row["spend_committed"]
        return row["issued"], row["outstanding"], row["redeemed"], spend

    @property
    def redeemed_count(self) -> int:
        return sum(row["redeemed"] for row in self._ledgers.values())

    def add_push(self, row: OutboxRow) -> None:
        self.outbox[row.push_id] = row
        if row.state not in TERMINAL:
            self.open_pushes.add(row.push_id)

    def withdraw(self, shopper_id: str, reason: str) -> None:
        """What is not yet sent to her will not be."""
        for row in [self.outbox[name] for name in self.open_pushes]:
            if row.shopper_id == shopper_id:
                self._end(row, "withdrawn", reason)

    def next_due_us(self) -> int | None:
        """When the next push can be claimed."""
        rows = [self.outbox[name] for name in self.open_pushes]
        return min((due_us(row) for row in rows), default=None)

    def due(self, now_us: int, most: int) -> list[OutboxRow]:
        """What can be claimed; what is over by now is ended."""
        rows = sorted((self.outbox[name] for name in self.open_pushes), key=lambda row: row.push_id)
        for row in rows:
            if due_us(row) <= now_us and row.expires_at_us <= now_us:
                self._end(row, "expired", row.reason or "expired")
        return [row for row in rows if row.state not in TERMINAL and due_us(row) <= now_us][:most]

    def claim(self, row: OutboxRow, now_us: int, until_us: int) -> PushRow:
        """Leases a push; its new fencing token is in the row that the relay holds."""
        row.state, row.leased_until_us = "leased", until_us
        row.fencing += 1
        row.attempts += 1
        row.claimed_at_us = row.claimed_at_us or now_us
        return PushRow(
            retailer_id="",
            push_id=row.push_id,
            decision_id=row.decision_id,
            shopper_id=row.shopper_id,
            device_id=row.device_id,
            store=row.store,
            item=row.item,
            attempts=row.attempts,
            fencing=row.fencing,
            received_at_us=row.received_at_us,
            decided_at_us=row.decided_at_us,
            claimed_at_us=row.claimed_at_us,
            leased_until_us=until_us,
            expires_at_us=row.expires_at_us,
            address=self.addresses.get(row.device_id),
        )

    def settle(self, held: PushRow, settlement: Settlement) -> None:
        """What became of a claim, unless another relay has claimed the push since."""
        row = self.outbox[held.push_id]
        if row.fencing != held.fencing:
            return
        if row.state != "leased" and not (row.state == "withdrawn" and settlement.state == "sent"):
            return
        if settlement.state in TERMINAL:
            self._end(row, settlement.state, settlement.reason)
        else:
            row.state, row.reason = settlement.state, settlement.reason
            row.due_at_us = settlement.due_at_us or row.due_at_us
        if settlement.forget is not None and self.addresses.get(row.device_id) == settlement.forget:
            del self.addresses[row.device_id]

    def _end(self, row: OutboxRow, state: str, reason: str | None) -> None:
        row.state, row.reason = state, reason
        self.open_pushes.discard(row.push_id)


def due_us(row: OutboxRow) -> int:
    """When a push that has not ended can be claimed."""
    return row.due_at_us if row.state == "pending" else row.leased_until_us


def _no_ledger() -> dict[str, Any]:
    return {
        "issued": 0,
        "outstanding": 0,
        "redeemed": 0,
        "spend_reserved": Decimal(0),
        "spend_committed": Decimal(0),
    }
