"""The audit log: what people did, in entries that are chained by their hashes.

An entry's hash is the SHA-256 of the hash before and of everything the entry says. Who changes or removes one
has to make all later ones again; `broken_at` finds the first that does not fit.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from server.clock import to_us
from server.db import Connection, Database
from server.sql import queries
from server.wire import rfc3339

SQL = queries("accounts")

_START = bytes(32)
_ROWS_AT_ONCE = 1_000


async def note(
    connection: Connection,
    retailer_id: str,
    at: datetime,
    *,
    actor: str,
    action: str,
    subject: str = "",
    **detail: Any,
) -> None:
    """Adds an entry, in the transaction of what it tells of."""
    await connection.execute(SQL["lock_audit"], retailer_id)
    newest = await connection.fetchrow(SQL["newest_audit"], retailer_id)
    seq = newest["seq"] + 1 if newest else 1
    entry = {"seq": seq, "at": at, "actor": actor, "action": action, "subject": subject, "detail": detail}
    digest = _hash(newest["hash"] if newest else _START, entry)
    await connection.execute(SQL["add_audit"], retailer_id, seq, at, actor, action, subject, detail, digest)


async def page(
    connection: Connection, retailer_id: str, below: int | None, limit: int
) -> list[dict[str, Any]]:
    """Entries below a number, newest first."""
    rows = await connection.fetch(SQL["audit_page"], retailer_id, below, limit)
    return [dict(row) | {"at": rfc3339(to_us(row["at"])), "hash": row["hash"].hex()} for row in rows]


async def broken_at(database: Database, retailer_id: str) -> int | None:
    """The number of the first entry that does not follow from the one before; None where all do."""
    before, expected = _START, 1
    async with database.transaction(retailer_id, snapshot=True) as connection:
        while rows := await connection.fetch(SQL["audit_from"], retailer_id, expected, _ROWS_AT_ONCE):
            for row in rows:
                if row["seq"] != expected or _hash(before, dict(row)) != row["hash"]:
                    return expected
                before, expected = row["hash"], expected + 1
    return None


def _hash(before: bytes, entry: Mapping[str, Any]) -> bytes:
    says = [entry["seq"], to_us(entry["at"])]
    says += [entry[field] for field in ("actor", "action", "subject", "detail")]
    return hashlib.sha256(before + msgspec.json.encode(says, order="deterministic")).digest()
