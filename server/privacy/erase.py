"""Erasing a shopper inside her retailer's micro-batch: memory and all tables but the journal, at once.

The journal's rows are rewritten after it, beside the traffic (`server.privacy.erasing`). What stays is a
keyed hash of her id, by which a registration that would bring her back is known.
"""

import hashlib
from collections.abc import Collection, Sequence

from server.db import Connection
from server.ids import new_id
from server.inputs import EraseShopper, Input, RegisterDevice, Suppressed
from server.sql import queries

SQL = queries("privacy")
SECRET = queries("engine")["secret"]

#: Tables in the order in which they are emptied of a shopper.
BY_SHOPPER = (
    "outbox",
    "inbox",
    "decisions",
    "lessons",
    "visits",
    "transitions",
    "consent_changes",
    "webhook_messages",
    "shopper_merges",
    "topic_keys",
    "devices",
    "shoppers",
)


def subject_hash(secret: bytes, shopper_id: str) -> bytes:
    """What is kept of somebody erased: a hash keyed by the retailer's secret. SQL computes the same."""
    return hashlib.sha256(secret + b".erased." + shopper_id.encode()).digest()


async def without_erased(
    connection: Connection, retailer_id: str, secret: bytes, inputs: Sequence[Input]
) -> list[Input]:
    """The inputs, with registrations that would bring back somebody who was erased made `Suppressed`."""
    hashes = {
        i.shopper_id: subject_hash(secret, i.shopper_id) for i in inputs if isinstance(i, RegisterDevice)
    }
    if not hashes:
        return list(inputs)
    rows = await connection.fetch(SQL["suppressed"], retailer_id, list(hashes.values()))
    known = {row["subject_hash"] for row in rows}
    return [
        Suppressed(shopper_id=i.shopper_id, received_at_us=i.received_at_us)
        if isinstance(i, RegisterDevice) and hashes[i.shopper_id] in known
        else i
        for i in inputs
    ]


async def erase_rows(connection: Connection, retailer_id: str, inputs: Collection[Input]) -> set[str]:
    """Deletes the rows of all shoppers of the batch who are to be erased; all their ids."""
    erased: set[str] = set()
    for item in inputs:
        if isinstance(item, EraseShopper):
            for shopper_id in [item.shopper_id, *await _former_ids(connection, retailer_id, item)]:
                gone = await _erase_rows(connection, retailer_id, shopper_id)
                rows = list(gone), list(gone.values())
                await connection.execute(SQL["note_erased"], retailer_id, item.erasure_id, *rows)
                erased.add(shopper_id)
    return erased


async def _former_ids(connection: Connection, retailer_id: str, item: EraseShopper) -> list[str]:
    """The ids that she had before she logged in: made part of her erasure, and known again by it."""
    rows = await connection.fetch(SQL["former_ids"], retailer_id, item.shopper_id)
    ids = [row["former_id"] for row in rows]
    if ids:
        secret = await connection.fetchval(SECRET, retailer_id)
        names = [new_id("era") for _ in ids]
        hashes = [subject_hash(secret, one) for one in ids]
        await connection.execute(SQL["erase_with"], retailer_id, item.erasure_id, names, hashes, ids)
    return ids


async def _erase_rows(connection: Connection, retailer_id: str, shopper_id: str) -> dict[str, int]:
    """Deletes a shopper's rows; how many, by table."""
    hers = (retailer_id, shopper_id)
    await connection.execute(SQL["lock_shopper"], *hers)
    devices = [row["device_id"] for row in await connection.fetch(SQL["devices_of"], *hers)]
    days = [row["day"] for row in await connection.fetch(SQL["journal_days"])]
    gone = {
        "idempotency": await _deleted(connection, "idempotency", *hers, devices),
        "quarantine": await _deleted(connection, "quarantine", *hers, devices),
        "shopper_days": await _deleted(connection, "shopper_days", *hers, days),
    }
    for table in BY_SHOPPER:
        gone[table] = await _deleted(connection, table, *hers)
        if table == "inbox":  # by the coupons the rows of the outbox were found
            gone["coupons"] = await connection.fetchval(SQL["erase_coupons"], *hers)
    return gone


async def _deleted(connection: Connection, table: str, *arguments: object) -> int:
    """How many rows the statement that erases a shopper from `table` deleted."""
    told = await connection.execute(SQL[f"erase_{table}"], *arguments)
    return int(told.rpartition(" ")[2])
