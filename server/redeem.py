"""Redeeming a coupon at a till, and taking that back; an answer that a repeat gets again.

The coupon's row is locked from the first look to the commit, so of tills that race one is granted it. What it
takes off is judged in `offers.redemption`; its hold on every purse of the budget becomes what it cost.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec

from offers.catalogue import Catalogue, Discount, Offer
from offers.redemption import Basket, Coupon, Refused, Taken, not_beside, taken
from server.clock import from_us, to_us
from server.db import Connection
from server.inputs import Input, RecordRedemption, RecordReversal
from server.sql import queries
from server.tills import Till, locked_out, note
from server.wire import rfc3339

SQL = queries("redeem")

#: A redemption can be taken back for so long.
REVERSIBLE = timedelta(days=1)


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


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the till is told, and what the journal is told when it was granted."""

    status: int
    body: dict[str, Any]
    granted: RecordRedemption | RecordReversal | None = None


async def redeem(connection: Connection, retailer_id: str, ask: Redeem, catalogue: Catalogue) -> Answer:
    """Answers a till inside the transaction of the micro-batch. A repeat gets its first answer again."""
    if ask.idempotency_key is not None:
        first = await connection.fetchrow(SQL["first_answer"], retailer_id, ask.caller, ask.idempotency_key)
        if first is not None:
            if first["request_hash"] != ask.request_hash:
                return _refused(
                    422, "idempotency_key_reused", "this Idempotency-Key was used for another request"
                )
            return Answer(status=first["status"], body=msgspec.json.decode(first["body"]))
    answer = await _answer(connection, retailer_id, ask, catalogue)
    # A till that may come again later must be able to do so under the same key.
    if ask.idempotency_key is not None and answer.status != 429:
        await connection.execute(
            SQL["keep_answer"],
            retailer_id,
            ask.caller,
            ask.idempotency_key,
            ask.request_hash,
            answer.status,
            msgspec.json.encode(answer.body),
        )
    return answer


async def _answer(connection: Connection, retailer_id: str, ask: Redeem, catalogue: Catalogue) -> Answer:
    till = Till(retailer_id=retailer_id, name=ask.caller, now_us=ask.received_at_us) if ask.till else None
    if till is not None:
        why = await locked_out(connection, till, catalogue.settings.till_per_hour)
        if why is not None:
            return _refused(429, "till_locked", why)
    row = await _locked(connection, retailer_id, ask)
    if isinstance(row, Answer):
        answer = row
    elif ask.reverse:
        answer = await _reversed(connection, retailer_id, ask, row)
    else:
        answer = await _redeemed(connection, retailer_id, ask, row, catalogue)
    if till is not None:
        await note(connection, till, answer.status, reverse=ask.reverse)
    return answer


async def _locked(connection: Connection, retailer_id: str, ask: Redeem) -> Any:
    """The coupon, held until the commit; of a static code, which many have, one of those that fit."""
    row = await connection.fetchrow(SQL["lock_coupon"], retailer_id, ask.code_hash)
    if row is not None:
        return row
    if not await connection.fetchval(SQL["is_static"], retailer_id, ask.code_hash):
        return _refused(404, "unknown_code", "no such code; read it again, all characters count")
    used_at = from_us(ask.used_at_us or ask.received_at_us)
    query = SQL["lock_static_used" if ask.reverse else "lock_static"]
    one = await connection.fetchval(query, retailer_id, ask.code_hash, ask.store, used_at)
    if one is None:
        was = "redeemed here" if ask.reverse else "given for this store and not used yet"
        return _refused(409, "none_left", f"no coupon with this code is left that was {was}")
    return await connection.fetchrow(SQL["lock_coupon"], retailer_id, one)


async def _beside(
    connection: Connection, retailer_id: str, ask: Redeem, catalogue: Catalogue
) -> list[Offer | None] | Answer:
    """The offers of the coupons that were used in the same sale."""
    rows = await connection.fetch(SQL["redeemed_offers"], retailer_id, list(ask.beside))
    if len(rows) < len(set(ask.beside)):
        return _refused(422, "unknown_decision", "`with` names a decision whose coupon was not redeemed")
    return [catalogue.offers.get(row["offer"]) for row in rows]


async def _redeemed(
    connection: Connection, retailer_id: str, ask: Redeem, row: Any, catalogue: Catalogue
) -> Answer:
    refusal = _why_not(row, ask)
    if refusal is not None:
        return refusal
    discount = msgspec.convert(row["discount"], Discount, strict=False)
    coupon = Coupon(discount=discount, reserved=row["spend"], offer=catalogue.offers.get(row["offer"]))
    if ask.beside:
        others = await _beside(connection, retailer_id, ask, catalogue)
        if isinstance(others, Answer):
            return others
        if (refused := not_beside(coupon.offer, others)) is not None:
            return _refused(409, refused.code, refused.detail)
    found = taken(coupon, ask.basket, ask.amount, catalogue)
    if isinstance(found, Refused):
        return _refused(422, found.code, found.detail)
    store = ask.store or row["store"]
    at_us = ask.used_at_us or ask.received_at_us
    await connection.execute(
        SQL["redeem"], retailer_id, row["code_hash"], from_us(at_us), store, found.saving, found.left
    )
    granted = RecordRedemption(
        shopper_id=row["shopper_id"],
        received_at_us=ask.received_at_us,
        offer=row["offer"],
        sku=row["sku"],
        decision_id=row["decision_id"],
        store=store,
    )
    # Of a coupon that is used in parts the first part counts for her history. A static code tells of nobody.
    return Answer(
        status=200,
        body=_told(row, found, store, at_us),
        granted=granted if row["spent"] == 0 and not row["is_static"] else None,
    )


def _told(row: Any, found: Taken, store: str, at_us: int) -> dict[str, Any]:
    parts = {"left": f"{found.left}"} if found.left else {}
    return parts | {
        "status": "partly_redeemed" if found.left else "redeemed",
        "offer": row["offer"],
        "store": store,
        "sku": found.sku or row["sku"],
        "discount": row["discount"],
        "saving": f"{found.saving}",
        "decision_id": row["decision_id"],
        "plausibility": row["plausibility"],
        "redeemed_at": rfc3339(at_us),
    }


async def _reversed(connection: Connection, retailer_id: str, ask: Redeem, row: Any) -> Answer:
    """The coupon as it was before: good again, unless it is over by now."""
    now = from_us(ask.received_at_us)
    if row["spent"] == 0 and row["status"] != "redeemed":
        return _refused(409, "not_redeemed", "this code was not redeemed")
    if ask.store is not None and row["redeemed_store"] != ask.store:
        return _refused(403, "other_store", "this code was redeemed at another store than this till's")
    if now > row["redeemed_at"] + REVERSIBLE:
        return _refused(409, "too_late", "a redemption can be taken back for a day")
    reusable = row["expires_at"] > now
    await connection.execute(SQL["reverse"], retailer_id, row["code_hash"], now, reusable)
    granted = RecordReversal(
        shopper_id=row["shopper_id"],
        received_at_us=ask.received_at_us,
        offer=row["offer"],
        decision_id=row["decision_id"],
    )
    body = {
        "status": "reversed",
        "decision_id": row["decision_id"],
        "offer": row["offer"],
        "saving": f"{row['spent']}",
        "reusable": reusable,
        "reversed_at": rfc3339(ask.received_at_us),
    }
    return Answer(status=200, body=body, granted=None if row["is_static"] else granted)


def _why_not(row: Any, ask: Redeem) -> Answer | None:
    used = from_us(ask.used_at_us or ask.received_at_us)
    if row["status"] == "redeemed":
        when = rfc3339(to_us(row["redeemed_at"]))
        return _refused(409, "already_redeemed", f"this code was redeemed at {when}; it works once")
    if ask.store is not None and row["store"] != ask.store:
        return _refused(403, "other_store", "this code is for another store than this till's")
    if row["status"] == "expired" or not row["issued_at"] <= used < row["expires_at"]:
        return _refused(410, "expired", f"this code expired at {rfc3339(to_us(row['expires_at']))}")
    return None


def _refused(status: int, code: str, detail: str) -> Answer:
    return Answer(status=status, body={"code": code, "detail": detail})
