"""Redeeming a coupon at a till: one conditional UPDATE, and an answer that a repeat gets again."""

from typing import Any

import msgspec

from server.clock import from_us, to_us
from server.db import Connection
from server.inputs import Input, RecordRedemption
from server.sql import queries
from server.wire import rfc3339

SQL = queries("engine")


class Redeem(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """A till asks to redeem a code."""

    code_hash: bytes
    store: str | None  #: the store its key is bound to; None redeems anywhere
    received_at_us: int
    caller: str
    idempotency_key: str | None
    request_hash: bytes


#: What a batch is made of.
Item = Input | Redeem


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the till is told, and what the journal is told when it was granted."""

    status: int
    body: dict[str, Any]
    granted: RecordRedemption | None = None


async def redeem(connection: Connection, retailer_id: str, ask: Redeem) -> Answer:
    """Answers a till inside the transaction of the micro-batch. A repeat gets its first answer again."""
    if ask.idempotency_key is not None:
        first = await connection.fetchrow(SQL["first_answer"], retailer_id, ask.caller, ask.idempotency_key)
        if first is not None:
            if first["request_hash"] != ask.request_hash:
                return _refused(
                    422, "idempotency_key_reused", "this Idempotency-Key was used for another request"
                )
            return Answer(status=first["status"], body=msgspec.json.decode(first["body"]))
    answer = await _redeem_once(connection, retailer_id, ask)
    if ask.idempotency_key is not None:
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


async def _redeem_once(connection: Connection, retailer_id: str, ask: Redeem) -> Answer:
    now = from_us(ask.received_at_us)
    row = await connection.fetchrow(SQL["redeem"], retailer_id, ask.code_hash, now, ask.store)
    if row is None:
        return await _why_not(connection, retailer_id, ask)
    granted = RecordRedemption(
        shopper_id=row["shopper_id"],
        received_at_us=ask.received_at_us,
        offer=row["offer"],
        sku=row["sku"],
        decision_id=row["decision_id"],
        store=row["redeemed_store"],
    )
    body = {
        "status": "redeemed",
        "offer": row["offer"],
        "store": row["redeemed_store"],
        "sku": row["sku"],
        "discount": row["discount"],
        "decision_id": row["decision_id"],
        "plausibility": row["plausibility"],
        "redeemed_at": rfc3339(to_us(row["redeemed_at"])),
    }
    return Answer(status=200, body=body, granted=granted)


async def _why_not(connection: Connection, retailer_id: str, ask: Redeem) -> Answer:
    row = await connection.fetchrow(SQL["find_coupon"], retailer_id, ask.code_hash)
    if row is None:
        return _refused(404, "unknown_code", "no such code; read it again, all characters count")
    if row["status"] == "redeemed":
        when = rfc3339(to_us(row["redeemed_at"]))
        return _refused(409, "already_redeemed", f"this code was redeemed at {when}; it works once")
    if ask.store is not None and row["store"] != ask.store:
        return _refused(403, "other_store", "this code is for another store than this till's")
    return _refused(410, "expired", f"this code expired at {rfc3339(to_us(row['expires_at']))}")


def _refused(status: int, code: str, detail: str) -> Answer:
    return Answer(status=status, body={"code": code, "detail": detail})
