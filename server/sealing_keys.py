"""The keys by which a retailer's secrets are sealed, and their rotation while all goes on.

Every key has a number, and what is sealed the number of its key: the newest seals, the others open. A
rotation makes a key, seals everything anew in small transactions, and retires the keys before. It may be
interrupted anywhere: the next one goes on where it was, since each row says by which key it is sealed.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from asyncpg import Record
from cryptography.exceptions import InvalidTag

from server import codes
from server.accounts import audit, totp
from server.db import Connection, Database
from server.errors import VicinoError
from server.sql import queries

SQL = queries("sealing")

KEY_BYTES = 32
AT_ONCE = 100  #: secrets a transaction, a few milliseconds: whose pool is all but empty hardly notices
_AGAIN_S = 0.05  #: somebody is changing what is left


class SealingKey(NamedTuple):
    """A key and its number."""

    number: int
    secret: bytes


class Rotated(NamedTuple):
    """What came of a rotation."""

    number: int  #: of the key that seals now
    sealed: int  #: secrets that were sealed anew


class OpensNot(VicinoError):  # noqa: N818 - it names what was found
    """What is kept opens by no key: it was changed, or restored from elsewhere."""


#: By table: how to seal anew what lies there, given its id, the old key, the new one and the sealed bytes.
SEALED: Mapping[str, Callable[[Any, bytes, bytes, bytes], bytes]] = {
    "users": lambda user, old, new, kept: totp.sealed(totp.opened(kept, old, user), new, user),
    "pool_codes": lambda _, old, new, kept: codes.sealed(new, codes.opened(old, kept)),
}


async def add_first(connection: Connection, retailer_id: str) -> None:
    """The key of a new retailer."""
    await connection.execute(SQL["add_first"], retailer_id, secrets.token_bytes(KEY_BYTES))


async def newest(connection: Connection, retailer_id: str) -> SealingKey:
    """The key that seals. What it has sealed is to be written in the same transaction."""
    row = await connection.fetchrow(SQL["newest"], retailer_id)
    if row is None:  # it was retired while it was waited for: there is a newer one
        row = await connection.fetchrow(SQL["newest"], retailer_id)
    assert row is not None, "a retailer has a key"
    return SealingKey(*row)


async def every(connection: Connection, retailer_id: str) -> dict[int, bytes]:
    """All keys by their numbers, the one that seals first."""
    rows = await connection.fetch(SQL["every"], retailer_id)
    return {row["number"]: row["secret"] for row in rows}


async def rotate(
    database: Database, retailer_id: str, at: datetime, *, actor: str, tell: Callable[[int, int], None]
) -> Rotated:
    """Rotates a retailer's keys; `tell` hears how many secrets are sealed anew, and of how many there were.
    Raises OpensNot; all goes on by the old key and the new one then.
    """
    async with database.transaction(retailer_id) as connection:
        await connection.execute(SQL["add_next"], retailer_id, secrets.token_bytes(KEY_BYTES))
        number = (await newest(connection, retailer_id)).number
        total = await connection.fetchval(SQL["left"], retailer_id, number)
    done = 0
    tell(done, total)
    while not await _retire(database, retailer_id, number, at, actor):
        before = done
        for table in SEALED:
            after: Any = None
            while ids := await _seal(database, retailer_id, number, table, after):
                after = ids[-1]
                done += len(ids)
                tell(done, max(done, total))
        if done == before:
            await asyncio.sleep(_AGAIN_S)  # others hold what is left: they can only be waited for
    return Rotated(number, done)


async def _seal(database: Database, retailer_id: str, number: int, table: str, after: Any) -> list[Any]:
    """Seals the next few of a table's secrets anew; their ids."""
    async with database.transaction(retailer_id) as connection:
        rows = await connection.fetch(SQL[f"old_{table}"], retailer_id, number, after, AT_ONCE)
        ids = [row["id"] for row in rows]
        if rows:
            keys = await every(connection, retailer_id)
            anew = [_anew(table, row, keys, number) for row in rows]
            await connection.execute(SQL[f"seal_{table}"], retailer_id, number, ids, anew)
    return ids


def _anew(table: str, row: Record, keys: Mapping[int, bytes], number: int) -> bytes:
    try:
        return SEALED[table](row["id"], keys[row["number"]], keys[number], row["sealed"])
    except (InvalidTag, KeyError, ValueError):
        name = row["id"] if isinstance(row["id"], str) else row["id"].hex()
        raise OpensNot(
            f"{table}: what key {row['number']} has sealed for {name} does not open: take that second factor "
            "away, or the codes out of their pool, and rotate again"
        ) from None


async def _retire(database: Database, retailer_id: str, number: int, at: datetime, actor: str) -> bool:
    """Ends all keys but this one; False while something is sealed by them."""
    async with database.transaction(retailer_id) as connection:
        older = await connection.fetch(SQL["hold_older"], retailer_id, number)
        # Whoever was sealing by one of them has committed by now, and nobody else can.
        if await connection.fetchval(SQL["left"], retailer_id, number):
            return False
        if older:
            await connection.execute(SQL["retire"], retailer_id, number)
            said = {"actor": actor, "action": "sealing_key_rotated", "subject": f"key {number}"}
            await audit.note(connection, retailer_id, at, **said)
    return True
