"""The till: redeeming a coupon in full or in parts, taking that back, and telling of many later."""

import asyncio
import csv
import io
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec
from aiohttp import web

from offers.codes import foreign_code, foreign_hash
from offers.coupon import code_hash, normalise_code
from offers.redemption import Basket, check_basket
from server.api.idempotency import request_hash, require_key
from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import to_us
from server.people import secret_of
from server.problems import Problem
from server.redeem import Answer, Redeem
from server.wire import decode

ROWS_MOST = 5_000
MORE = "more"  #: where cells beyond the header are put
AT_ONCE = 50  #: rows of an upload that are under way
COLUMNS = ("code", "redeemed_at", "amount", "total")
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class Redemption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a till sends."""

    code: Code
    basket: Basket | None = None
    amount: Decimal | None = None  #: a part of what a coupon over an amount is good for
    #: the `decision_id`s of the coupons redeemed in this sale before
    with_: Annotated[tuple[str, ...], msgspec.Meta(max_length=20)] = msgspec.field(name="with", default=())


class Reversal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a till sends to take a redemption back."""

    code: Code


async def redeem(request: web.Request, caller: Caller) -> web.Response:
    """Redeems a coupon once. A repeat with the same Idempotency-Key gets the same answer again."""
    body = await request.read()
    wanted = decode(body, Redemption)
    if wanted.basket is not None and (wrong := check_basket(wanted.basket)) is not None:
        raise Problem(422, "bad_field", wrong, field="basket")
    if wanted.amount is not None and not wanted.amount.is_finite():
        raise Problem(422, "bad_field", "must be a number", field="amount")
    ask = msgspec.structs.replace(
        await _ask(request, caller, wanted.code, body),
        basket=wanted.basket,
        amount=wanted.amount,
        beside=wanted.with_,
    )
    answer = await request.app[SERVICES].engine.redeem(caller.retailer_id, ask)
    return _told(answer)


async def reverse(request: web.Request, caller: Caller) -> web.Response:
    """Takes a redemption back, for a day. The coupon is good again unless it is over by now."""
    body = await request.read()
    ask = await _ask(request, caller, decode(body, Reversal).code, body)
    engine = request.app[SERVICES].engine
    return _told(await engine.redeem(caller.retailer_id, msgspec.structs.replace(ask, reverse=True)))


async def upload(request: web.Request, caller: Caller) -> web.Response:
    """Redemptions that a till tells later: `code,redeemed_at?,amount?,total?`, one a line.

    Each line stands by itself; the same file once more gets the same answers.
    """
    services, secret = (
        request.app[SERVICES],
        await secret_of(request.app[SERVICES].database, caller.retailer_id),
    )
    rows, room = _rows(await request.read()), asyncio.Semaphore(AT_ONCE)

    async def one(line: int, row: dict[str, str]) -> dict[str, Any]:
        try:
            ask = _of_row(row, caller, secret, services.clock.now_us())
        except Problem as problem:
            return {"line": line, **_brief(problem.body)}
        async with room:
            answer = await services.engine.redeem(caller.retailer_id, ask)
        return {"line": line, "status": answer.status, **_brief(answer.body)}

    told = await asyncio.gather(*(one(line, row) for line, row in rows))
    refused = [row for row in told if row.get("status") != 200]
    return json_answer({"redeemed": len(told) - len(refused), "refused": refused})


async def _ask(request: web.Request, caller: Caller, text: str, body: bytes) -> Redeem:
    services = request.app[SERVICES]
    hashed = _hashed(text, await secret_of(services.database, caller.retailer_id))
    key = request.headers.get("Idempotency-Key")
    if key is not None:
        require_key(key)
    return Redeem(
        code_hash=hashed,
        store=caller.store,
        received_at_us=services.clock.now_us(),
        caller=caller.name,
        idempotency_key=key,
        request_hash=request_hash(body),
        till=caller.kind == "till",
    )


def _hashed(text: str, secret: bytes) -> bytes:
    """What a code is found by: one of Vicino's own, or else a retailer's."""
    if (code := normalise_code(text)) is not None:
        return code_hash(secret, code)
    if (code := foreign_code(text)) is not None:
        return foreign_hash(secret, code)
    raise Problem(404, "unknown_code", "no such code; read it again, all characters count", field="code")


def _told(answer: Answer) -> web.Response:
    if answer.status != 200:
        raise Problem(answer.status, answer.body["code"], answer.body["detail"], field="code")
    return json_answer(answer.body)


def _brief(body: Any) -> dict[str, Any]:
    return {name: body[name] for name in ("code", "detail", "field", "decision_id", "saving") if name in body}


def _rows(body: bytes) -> list[tuple[int, dict[str, str]]]:
    try:
        reader = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), restkey=MORE)
        rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise Problem(400, "bad_csv", f"the body is no CSV in UTF-8: {error}") from None
    unknown = sorted(set(reader.fieldnames or ()) - set(COLUMNS))
    if unknown or "code" not in (reader.fieldnames or ()):
        detail = f"the first line names the columns: code, and maybe {', '.join(COLUMNS[1:])}"
        raise Problem(
            422, "unknown_column" if unknown else "missing_column", detail, field=(unknown or ["code"])[0]
        )
    if len(rows) > ROWS_MOST:
        raise Problem(413, "too_large", f"{ROWS_MOST} lines at the most: send it in parts")
    return rows


def _of_row(row: dict[str, str], caller: Caller, secret: bytes, now_us: int) -> Redeem:
    text = {name: (row.get(name) or "").strip() for name in COLUMNS}
    hashed = _hashed("" if MORE in row else text["code"], secret)
    used_at_us = now_us
    if text["redeemed_at"]:
        try:
            used_at_us = to_us(msgspec.convert(text["redeemed_at"], Time))
        except msgspec.ValidationError:
            raise Problem(422, "bad_field", "a time as 2026-11-28T12:00:00Z", field="redeemed_at") from None
    if used_at_us > now_us:
        raise Problem(422, "in_future", "this is still to come", field="redeemed_at")
    total = _money(text["total"], "total")
    return Redeem(
        code_hash=hashed,
        store=caller.store,
        received_at_us=now_us,
        caller=caller.name,
        # The same line of the same file again is the same redemption.
        idempotency_key=f"csv {request_hash(repr(sorted(text.items())).encode()).hex()[:40]}",
        request_hash=b"csv",
        basket=None if total is None else Basket(total=total),
        amount=_money(text["amount"], "amount"),
        used_at_us=used_at_us,
    )


def _money(text: str, field: str) -> Decimal | None:
    try:
        value = Decimal(text) if text else None
    except InvalidOperation:
        value = Decimal("NaN")
    if value is not None and not (value.is_finite() and 0 <= value <= 1_000_000_000):
        raise Problem(422, "bad_field", "must be a sum of money, as 12.50", field=field)
    return value
