"""The counter at which the tills of a micro-batch are answered, in its transaction.

A coupon's row is locked from the first look to the commit, so of tills that race one is granted it. What it
takes off is judged in `offers.redemption`; what that moves in the purses of the budget is written with what
the batch reserves (`server/ledgers.py`).
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec

from offers.catalogue import Catalogue, Discount, Offer
from offers.redemption import Coupon, Refused, Taken, not_beside, taken
from server.clock import from_us, to_us
from server.db import Connection
from server.inputs import RecordRedemption, RecordReversal
from server.redeem import Answer, Move, Moved, Redeem
from server.sql import queries
from server.tills import Tills
from server.wire import rfc3339

SQL = queries("redeem")

#: A redemption can be taken back for so long.
REVERSIBLE = timedelta(days=1)


async def redeem(
    connection: Connection, retailer_id: str, asks: Sequence[Redeem], catalogue: Catalogue
) -> list[Answer]:
    """Answers tills inside the transaction of the micro-batch. A repeat gets its first answer again."""
    if not asks:
        return []
    counter = await _Counter.open(connection, retailer_id, asks, catalogue)
    return await counter.answers(asks)


class _Counter:
    """Where the tills of a batch are answered. Whatever is asked first, rows are locked in one order: tills,
    coupons, and last the purses (`server/ledgers.py`). Else the batches of two parts would wait in a ring.
    """

    def __init__(self, connection: Connection, retailer_id: str, catalogue: Catalogue, tills: Tills) -> None:
        self._connection, self._retailer_id = connection, retailer_id
        self._catalogue, self._tills = catalogue, tills
        self._coupons: dict[bytes, Any] = {}  #: rows that are as they were when they were locked
        self._first: dict[tuple[str, str], tuple[bytes, Answer]] = {}  #: by caller and key

    @classmethod
    async def open(
        cls, connection: Connection, retailer_id: str, asks: Sequence[Redeem], catalogue: Catalogue
    ) -> "_Counter":
        names = (ask.caller for ask in asks if ask.till)
        per_hour = catalogue.settings.till_per_hour
        tills = await Tills.lock(connection, retailer_id, names, asks[0].received_at_us, per_hour)
        counter = cls(connection, retailer_id, catalogue, tills)
        await counter._lock(ask.code_hash for ask in asks)
        if keys := [(ask.caller, ask.idempotency_key) for ask in asks if ask.idempotency_key is not None]:
            asked = zip(*keys, strict=True)
            for row in await connection.fetch(SQL["first_answers"], retailer_id, *asked):
                answer = Answer(status=row["status"], body=msgspec.json.decode(row["body"]))
                counter._first[row["caller"], row["key"]] = row["request_hash"], answer
        return counter

    async def answers(self, asks: Sequence[Redeem]) -> list[Answer]:
        """One after the other, as they came; then what is to be kept of them is written."""
        told, kept = [], []
        for ask in asks:
            key = (ask.caller, ask.idempotency_key or "")
            if key in self._first:
                told.append(_again(ask, *self._first[key]))
                continue
            told.append(answer := await self._answer(ask))
            # A till that may come again later must be able to do so under the same key.
            if ask.idempotency_key is not None and answer.status != 429:
                self._first[key] = ask.request_hash, Answer(status=answer.status, body=answer.body)
                body = msgspec.json.encode(answer.body)
                kept.append((self._retailer_id, *key, ask.request_hash, answer.status, body))
        if kept:
            await self._connection.executemany(SQL["keep_answer"], sorted(kept))
        await self._tills.write(self._connection, self._retailer_id)
        return told

    async def _lock(self, hashes: Iterable[bytes]) -> None:
        wanted = sorted(set(hashes))
        for row in await self._connection.fetch(SQL["lock_coupons"], self._retailer_id, wanted):
            self._coupons[row["code_hash"]] = row

    async def _answer(self, ask: Redeem) -> Answer:
        if ask.till:
            why = self._tills.locked_out(ask.caller, ask.received_at_us)
            if why is not None:
                return _refused(429, "till_locked", why)
        row = await self._coupon(ask)
        if isinstance(row, Answer):
            answer = row
        elif ask.reverse:
            answer = await self._reversed(ask, row)
        else:
            answer = await self._redeemed(ask, row)
        if ask.till:
            self._tills.note(ask.caller, ask.received_at_us, answer.status, reverse=ask.reverse)
        return answer

    async def _coupon(self, ask: Redeem) -> Any:
        """The coupon, held until the commit; of a static code, which many have, one of those that fit."""
        if ask.code_hash not in self._coupons:
            await self._lock([ask.code_hash])
        if ask.code_hash in self._coupons:
            return self._coupons[ask.code_hash]
        if not await self._connection.fetchval(SQL["is_static"], self._retailer_id, ask.code_hash):
            return _refused(404, "unknown_code", "no such code; read it again, all characters count")
        used_at = from_us(ask.used_at_us or ask.received_at_us)
        query = SQL["lock_static_used" if ask.reverse else "lock_static"]
        one = await self._connection.fetchval(query, self._retailer_id, ask.code_hash, ask.store, used_at)
        if one is None:
            was = "redeemed here" if ask.reverse else "given for this store and not used yet"
            return _refused(409, "none_left", f"no coupon with this code is left that was {was}")
        await self._lock([one])
        return self._coupons[one]

    async def _beside(self, ask: Redeem) -> list[Offer | None] | Answer:
        """The offers of the coupons that were used in the same sale."""
        rows = await self._connection.fetch(SQL["redeemed_offers"], self._retailer_id, list(ask.beside))
        if len(rows) < len(set(ask.beside)):
            detail = "`with` names a decision whose coupon was not redeemed"
            return _refused(422, "unknown_decision", detail)
        return [self._catalogue.offers.get(row["offer"]) for row in rows]

    async def _redeemed(self, ask: Redeem, row: Any) -> Answer:
        refusal = _why_not(row, ask)
        if refusal is not None:
            return refusal
        discount = msgspec.convert(row["discount"], Discount, strict=False)
        offer = self._catalogue.offers.get(row["offer"])
        if ask.beside:
            others = await self._beside(ask)
            if isinstance(others, Answer):
                return others
            if (refused := not_beside(offer, others)) is not None:
                return _refused(409, refused.code, refused.detail)
        coupon = Coupon(discount=discount, reserved=row["spend"], offer=offer)
        found = taken(coupon, ask.basket, ask.amount, self._catalogue)
        if isinstance(found, Refused):
            return _refused(422, found.code, found.detail)
        store, at_us = ask.store or row["store"], ask.used_at_us or ask.received_at_us
        await self._change("redeem", row, from_us(at_us), store, found.saving, found.left)
        # Of a coupon used in parts the first part counts for her history. A static code tells of nobody.
        tells = row["spent"] == 0 and not row["is_static"]
        return Answer(
            status=200,
            body=_told(row, found, store, at_us),
            granted=_granted(row, ask, store) if tells else None,
            moved=_moved(row, found),
        )

    async def _reversed(self, ask: Redeem, row: Any) -> Answer:
        """The coupon as it was before: good again, unless it is over by now."""
        refusal = _why_not_back(row, ask)
        if refusal is not None:
            return refusal
        now = from_us(ask.received_at_us)
        reusable = row["expires_at"] > now
        await self._change("reverse", row, now, reusable)
        return Answer(
            status=200,
            body=_told_back(row, ask, reusable=reusable),
            granted=None if row["is_static"] else _taken_back(row, ask),
            moved=_moved_back(row, reusable=reusable),
        )

    async def _change(self, query: str, row: Any, *values: Any) -> None:
        """Writes a coupon's row; the next who asks for it reads it again."""
        code_hash = row["code_hash"]
        await self._connection.execute(SQL[query], self._retailer_id, code_hash, *values)
        del self._coupons[code_hash]


def _again(ask: Redeem, request_hash: bytes, first: Answer) -> Answer:
    if request_hash != ask.request_hash:
        detail = "this Idempotency-Key was used for another request"
        return _refused(422, "idempotency_key_reused", detail)
    return first


def _granted(row: Any, ask: Redeem, store: str) -> RecordRedemption:
    return RecordRedemption(
        shopper_id=row["shopper_id"],
        received_at_us=ask.received_at_us,
        offer=row["offer"],
        sku=row["sku"],
        decision_id=row["decision_id"],
        store=store,
    )


def _taken_back(row: Any, ask: Redeem) -> RecordReversal:
    return RecordReversal(
        shopper_id=row["shopper_id"],
        received_at_us=ask.received_at_us,
        offer=row["offer"],
        decision_id=row["decision_id"],
    )


def _moved(row: Any, found: Taken) -> Moved:
    """What the coupon held becomes what it cost; of one that is used in part the rest is still held."""
    whole = not found.left
    by = Move(
        outstanding=-whole,
        redeemed=+whole,
        reserved=found.left - row["spend"],
        committed=found.saving,
    )
    return Moved(offer=row["offer"], purses=tuple(row["purses"]), by=by)


def _moved_back(row: Any, *, reusable: bool) -> Moved:
    """What it cost is held again where the coupon is good again, else free, with what was left of it."""
    whole = row["status"] == "redeemed"
    by = Move(
        outstanding=whole + reusable - 1,
        redeemed=-whole,
        reserved=row["spent"] if reusable else Decimal(0) if whole else -row["spend"],
        committed=-row["spent"],
    )
    return Moved(offer=row["offer"], purses=tuple(row["purses"]), by=by)


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


def _told_back(row: Any, ask: Redeem, *, reusable: bool) -> dict[str, Any]:
    return {
        "status": "reversed",
        "decision_id": row["decision_id"],
        "offer": row["offer"],
        "saving": f"{row['spent']}",
        "reusable": reusable,
        "reversed_at": rfc3339(ask.received_at_us),
    }


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


def _why_not_back(row: Any, ask: Redeem) -> Answer | None:
    if row["spent"] == 0 and row["status"] != "redeemed":
        return _refused(409, "not_redeemed", "this code was not redeemed")
    if ask.store is not None and row["redeemed_store"] != ask.store:
        return _refused(403, "other_store", "this code was redeemed at another store than this till's")
    if from_us(ask.received_at_us) > row["redeemed_at"] + REVERSIBLE:
        return _refused(409, "too_late", "a redemption can be taken back for a day")
    return None


def _refused(status: int, code: str, detail: str) -> Answer:
    return Answer(status=status, body={"code": code, "detail": detail})
