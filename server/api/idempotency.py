"""Idempotency-Key: a repeated request gets the first one's answer and does nothing again."""

import hashlib

import msgspec

from server.auth import Caller
from server.db import Database
from server.problems import Problem
from server.sql import queries

SQL = queries("engine")


class FirstAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the first request with the key was answered."""

    status: int
    body: bytes


def request_hash(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def require_key(key: str) -> None:
    """Raises Problem 400 for a key that is none."""
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise Problem(
            400, "bad_idempotency_key", "an Idempotency-Key has 1 to 255 printable ASCII characters"
        )


async def first_time(database: Database, caller: Caller, key: str, body: bytes) -> FirstAnswer | None:
    """Claims the key for this request; the first answer if there was one already.

    Raises Problem 422 where the key was used for a different request.
    """
    require_key(key)
    hashed = request_hash(body)
    async with database.transaction(caller.retailer_id) as connection:
        row = await connection.fetchrow(SQL["first_time"], caller.retailer_id, caller.name, key, hashed)
    assert row is not None
    if row["request_hash"] != hashed:
        raise Problem(422, "idempotency_key_reused", "this Idempotency-Key was used for another request")
    return None if row["status"] is None else FirstAnswer(status=row["status"], body=row["body"])


async def keep_answer(database: Database, caller: Caller, key: str, status: int, body: bytes) -> None:
    """Keeps the answer for repeats."""
    async with database.transaction(caller.retailer_id) as connection:
        await connection.execute(SQL["set_answer"], caller.retailer_id, caller.name, key, status, body)
