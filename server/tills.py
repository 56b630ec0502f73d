"""Limits of a single till: so many redemptions an hour, and a lock-out after wrong codes in a row.

Counted in the transaction of the redemption itself. Codes have 80 bits: the lock-out is not against guessing
but so that somebody who tries is noticed, and a broken scanner too.
"""

from datetime import timedelta

import msgspec

from server.clock import from_us, to_us
from server.db import Connection
from server.sql import queries
from server.wire import rfc3339

SQL = queries("redeem")

WRONG_MOST = 10  #: wrong codes in a row
LOCK_OUT = timedelta(minutes=15)
HOUR_US = 3_600 * 1_000_000


class Till(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A till's key, now."""

    retailer_id: str
    name: str
    now_us: int

    @property
    def hour_us(self) -> int:
        """When the full hour began, by UTC."""
        return self.now_us - self.now_us % HOUR_US


async def locked_out(connection: Connection, till: Till, per_hour: int | None) -> str | None:
    """Why the till may not redeem now, or None; holds its row until the commit."""
    await connection.execute(SQL["open_till"], till.retailer_id, till.name, from_us(till.hour_us))
    row = await connection.fetchrow(SQL["lock_till"], till.retailer_id, till.name)
    assert row is not None, "it was opened just before"
    if row["locked_until"] is not None and to_us(row["locked_until"]) > till.now_us:
        return f"{WRONG_MOST} wrong codes in a row: locked until {rfc3339(to_us(row['locked_until']))}"
    redeemed = row["redeemed"] if to_us(row["hour"]) == till.hour_us else 0
    if per_hour is not None and redeemed >= per_hour:
        return f"{per_hour} redemptions this hour: again at {rfc3339(till.hour_us + HOUR_US)}"
    return None


async def note(connection: Connection, till: Till, status: int, *, reverse: bool) -> None:
    """Counts how a redemption ended."""
    redeemed, failed = status == 200 and not reverse, status == 404
    until = from_us(till.now_us) + LOCK_OUT
    await connection.execute(
        SQL["note_till"],
        till.retailer_id,
        till.name,
        from_us(till.hour_us),
        redeemed,
        failed,
        WRONG_MOST,
        until,
    )
