"""Limits of a single till: so many redemptions an hour, and a lock-out after wrong codes in a row.

Counted in the transaction of the redemption itself. Codes have 80 bits: the lock-out is not against guessing
but so that somebody who tries is noticed, and a broken scanner too.
"""

from collections.abc import Iterable

import msgspec

from server.clock import from_us, to_us
from server.db import Connection
from server.sql import queries
from server.wire import rfc3339

SQL = queries("redeem")

WRONG_MOST = 10  #: wrong codes in a row
LOCK_OUT_US = 15 * 60 * 1_000_000
HOUR_US = 3_600 * 1_000_000


class Till(msgspec.Struct, kw_only=True, gc=False):
    """How a till has fared."""

    hour_us: int  #: the full hour (UTC) in which it has redeemed so much
    redeemed: int = 0
    failed: int = 0  #: wrong codes in a row
    locked_until_us: int | None = None


class Tills:
    """Those that a batch hears of, locked until its commit."""

    def __init__(self, per_hour: int | None) -> None:
        self._per_hour = per_hour
        self._tills: dict[str, Till] = {}
        self._noted: set[str] = set()

    @classmethod
    async def lock(
        cls, connection: Connection, retailer_id: str, names: Iterable[str], now_us: int, per_hour: int | None
    ) -> "Tills":
        """Holds their rows until the commit, in one order."""
        tills = cls(per_hour)
        if wanted := sorted(set(names)):
            hour = from_us(now_us - now_us % HOUR_US)
            await connection.execute(SQL["open_tills"], retailer_id, wanted, hour)
            for row in await connection.fetch(SQL["lock_tills"], retailer_id, wanted):
                until = row["locked_until"]
                tills._tills[row["till"]] = Till(
                    hour_us=to_us(row["hour"]),
                    redeemed=row["redeemed"],
                    failed=row["failed"],
                    locked_until_us=None if until is None else to_us(until),
                )
        return tills

    def locked_out(self, name: str, now_us: int) -> str | None:
        """Why the till may not redeem now, or None."""
        till, hour_us = self._tills[name], now_us - now_us % HOUR_US
        if till.locked_until_us is not None and till.locked_until_us > now_us:
            return f"{WRONG_MOST} wrong codes in a row: locked until {rfc3339(till.locked_until_us)}"
        redeemed = till.redeemed if till.hour_us == hour_us else 0
        if self._per_hour is not None and redeemed >= self._per_hour:
            return f"{self._per_hour} redemptions this hour: again at {rfc3339(hour_us + HOUR_US)}"
        return None

    def note(self, name: str, now_us: int, status: int, *, reverse: bool) -> None:
        """Counts how a redemption ended."""
        till, hour_us = self._tills[name], now_us - now_us % HOUR_US
        if till.hour_us != hour_us:
            till.hour_us, till.redeemed = hour_us, 0
        till.redeemed += status == 200 and not reverse
        till.failed = till.failed + 1 if status == 404 else 0
        if till.failed >= WRONG_MOST:
            till.failed, till.locked_until_us = 0, now_us + LOCK_OUT_US
        self._noted.add(name)

    async def write(self, connection: Connection, retailer_id: str) -> None:
        """Writes what was noted."""
        rows = []
        for name in sorted(self._noted):
            till = self._tills[name]
            until = None if till.locked_until_us is None else from_us(till.locked_until_us)
            rows.append((retailer_id, name, from_us(till.hour_us), till.redeemed, till.failed, until))
        if rows:
            await connection.executemany(SQL["set_till"], rows)
