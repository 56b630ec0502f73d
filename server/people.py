"""Reading a shopper's record outside her pipeline, and the keyed hash of a retailer's own user ids."""

import hashlib
import hmac

from geo.transition import Presence
from server.db import Database
from server.device import Inside
from server.problems import Problem
from server.records import Kept, Record, unpack_record
from server.sql import queries

SQL = queries("engine")

#: Who was heard of so lately is taken to be where she was.
HEARD_US = 1_800 * 1_000_000


async def record_of(database: Database, retailer_id: str, shopper_id: str) -> Record:
    """The record as last committed. Raises Problem 404."""
    return (await kept_of(database, retailer_id, shopper_id)).record


async def kept_of(database: Database, retailer_id: str, shopper_id: str) -> Kept:
    """The record with where her devices are, as last committed. Raises Problem 404."""
    kept = await _find_kept(database, retailer_id, shopper_id)
    if kept is None:
        raise Problem(404, "unknown_shopper", "no such shopper")
    return kept


async def find_record(database: Database, retailer_id: str, shopper_id: str) -> Record | None:
    """The record as last committed; None if there is none."""
    kept = await _find_kept(database, retailer_id, shopper_id)
    return None if kept is None else kept.record


async def _find_kept(database: Database, retailer_id: str, shopper_id: str) -> Kept | None:
    async with database.transaction(retailer_id) as connection:
        row = await connection.fetchrow(SQL["load_records"], retailer_id, [shopper_id])
    return None if row is None else unpack_record(row["state"])


def stores_of(kept: Kept, now_us: int) -> set[str]:
    """The stores that she is at, by what her phones said within `HEARD_US`; none in a sensitive place."""
    since_us, found = now_us - HEARD_US, set[str]()
    for device, place in zip(kept.record.devices, kept.places, strict=True):
        if not device.in_sensitive:
            visits: tuple[Inside | Presence, ...] = (*device.inside, *place.present)
            found |= {visit.store for visit in visits if visit.supported_at_us >= since_us}
    return found


async def user_hash(database: Database, retailer_id: str, user_id: str) -> bytes:
    """What stands for the retailer's own user id: an HMAC under the retailer's secret, never the id."""
    secret = await secret_of(database, retailer_id)
    return hmac.new(secret, b"user\0" + user_id.encode(), hashlib.sha256).digest()


async def secret_of(database: Database, retailer_id: str) -> bytes:
    """What keys the retailer's hashes."""
    async with database.transaction(retailer_id) as connection:
        secret: bytes = await connection.fetchval(SQL["secret"], retailer_id)
    return secret
