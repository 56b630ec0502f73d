"""Pools of codes: lists of the retailer's own, of which each offer that names the pool gives out the next."""

import asyncio

from aiohttp import web

from server import sealing_keys
from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import from_us
from server.codes import read_codes, sealed
from server.people import secret_of
from server.problems import Problem
from server.sql import queries

SQL = queries("codes")

POOL_MAX = 100
TOLD_MAX = 100  #: lines that are named in an answer
_AT_ONCE = 5_000  #: codes a statement


async def add(request: web.Request, caller: Caller) -> web.Response:
    """Adds codes to a pool, one a line; those that were in any pool before are counted as known."""
    services, pool = request.app[SERVICES], request.match_info["pool"]
    if len(pool) > POOL_MAX or not pool.isprintable():
        raise Problem(422, "bad_field", f"a pool's name has at most {POOL_MAX} characters", field="pool")
    try:
        text = (await request.read()).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(400, "bad_encoding", "the body is no text in UTF-8: one code a line") from None
    secret = await secret_of(services.database, caller.retailer_id)
    codes, wrong = await asyncio.to_thread(read_codes, secret, text)
    rows, added, now = list(codes.items()), 0, from_us(services.clock.now_us())
    async with services.database.transaction(caller.retailer_id) as connection:
        key = await sealing_keys.newest(connection, caller.retailer_id)
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            hashes = [code_hash for code_hash, _ in some]
            kept = await asyncio.to_thread(_sealed, key.secret, [code for _, code in some])
            added += await connection.fetchval(
                SQL["add_codes"], caller.retailer_id, pool, hashes, kept, now, key.number
            )
        free = await connection.fetchval(SQL["free"], caller.retailer_id, pool)
    detail = "no code of 1 to 40 printable ASCII characters, or one that looks like Vicino's own"
    refused = [{"line": line, "code": "bad_code", "detail": detail} for line in wrong[:TOLD_MAX]]
    told = {"pool": pool, "added": added, "known": len(rows) - added, "bad": len(wrong), "free": free}
    return json_answer(told | {"refused": refused})


async def every(request: web.Request, caller: Caller) -> web.Response:
    """The pools, and how many codes of each are free and given out."""
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        rows = await connection.fetch(SQL["pools"], caller.retailer_id)
    return json_answer({"items": [dict(row) for row in rows]})


async def remove(request: web.Request, caller: Caller) -> web.Response:
    """Takes the free codes out of a pool. What was given out stays good."""
    async with request.app[SERVICES].database.transaction(caller.retailer_id) as connection:
        removed = await connection.fetchval(SQL["remove"], caller.retailer_id, request.match_info["pool"])
    return json_answer({"removed": removed})


def _sealed(key: bytes, codes: list[str]) -> list[bytes]:
    return [sealed(key, code) for code in codes]
