"""What a till asks and what it is told: values (`server/counter.py` answers)."""

from decimal import Decimal
from typing import Any

import msgspec

from offers.redemption import Basket
from server.inputs import Input, RecordRedemption, RecordReversal


class Redeem(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """A till asks to redeem a code, or (`reverse`) to take that back."""

    code_hash: bytes  #: of one of Vicino's own codes, or of a retailer's
    store: str | None  #: the store its key is bound to; None redeems anywhere
    received_at_us: int
    caller: str
    idempotency_key: str | None
    request_hash: bytes
    basket: Basket | None = None
    amount: Decimal | None = None  #: a part of what the coupon is good for
    used_at_us: int | None = None  #: when it was used at a till that tells later
    reverse: bool = False
    beside: tuple[str, ...] = ()  #: decisions whose coupons were redeemed in the same sale
    till: bool = False  #: whether the caller is a single till, which is limited


#: What a batch is made of.
Item = Input | Redeem


class Move(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """By how much the columns of a purse change."""

    outstanding: int = 0  #: coupons
    redeemed: int = 0
    reserved: Decimal = Decimal(0)  #: money
    committed: Decimal = Decimal(0)

    def __add__(self, other: "Move") -> "Move":
        return Move(
            outstanding=self.outstanding + other.outstanding,
            redeemed=self.redeemed + other.redeemed,
            reserved=self.reserved + other.reserved,
            committed=self.committed + other.committed,
        )


class Moved(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a redemption or a reversal moves in each of its coupon's purses."""

    offer: str
    purses: tuple[str, ...]
    by: Move


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the till is told, what the journal is told when it was granted, and what that moves."""

    status: int
    body: dict[str, Any]
    granted: RecordRedemption | RecordReversal | None = None
    moved: Moved | None = None
