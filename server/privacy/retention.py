"""How long things are kept. The journal goes by whole partitions, the rest in bounded steps, oldest first."""

from datetime import timedelta

import msgspec
import structlog

from server.clock import Clock, from_us
from server.db import Database
from server.sql import queries

SQL = queries("privacy")
log = structlog.get_logger("vicino.privacy")

ROWS_AT_ONCE = 2_000  #: deleted in one transaction
STEPS_MOST = 20  #: of these per table and round; the next round goes on


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """For how many days what is kept, counted from when it happened."""

    addresses: int = 60  #: push addresses, from when they were last confirmed or their device last heard of
    visits: int = 90  #: transitions and visits
    decisions: int = 180  #: decisions with receipts, inbox, outbox; lessons
    redemptions: int = 396  #: coupons
    audit: int = 365  #: receipts and keyed hashes of erasures

    def days_by_table(self) -> dict[str, int]:
        """By table. What follows from a coupon goes no later: by it a shopper's pushes are found."""
        return {
            "transitions": self.visits,
            "visits": self.visits,
            "decisions": self.decisions,
            "lessons": self.decisions,
            "inbox": min(self.decisions, self.redemptions),
            "outbox": min(self.decisions, self.redemptions),
            "coupons": self.redemptions,
            "erasures": self.audit,
        }


async def forget_old(database: Database, clock: Clock, keep: Keep) -> dict[str, int]:
    """Deletes what is older than it may be, of all retailers; how many rows, by table."""
    now, gone = from_us(clock.now_us()), dict[str, int]()
    for table, days in keep.days_by_table().items():
        before = now - timedelta(days=days)
        for _ in range(STEPS_MOST):
            async with database.system() as connection:
                rows = await connection.fetchval(SQL["forget_older"], table, before, ROWS_AT_ONCE)
            gone[table] = gone.get(table, 0) + rows
            if rows < ROWS_AT_ONCE:
                break
    if any(gone.values()):
        log.info("forgotten_by_age", **{name: rows for name, rows in gone.items() if rows})
    return gone
