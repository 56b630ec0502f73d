"""The log of decisions as evidence: moments with something to say, as columns."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from offers.learn.blr import Floats
from offers.settings import Settings, settings_from_body
from server.clock import to_us
from server.db import Connection, Database
from server.publish import UnknownRetailer, settings_at
from server.sql import queries

SQL = queries("evidence")

DAYS_USUAL, DAYS_MOST = 28, 400  #: how long a report is of, unless asked otherwise; at the most
WITHIN = timedelta(hours=24)  #: what comes of a decision later than this is not put down to it


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when, the end left out; UTC."""

    since: datetime
    until: datetime


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """n moments in which there was something to say, in order."""

    decision: tuple[str, ...]
    shopper: NDArray[np.int64]  #: a number for each
    store: tuple[str, ...]
    at_us: NDArray[np.int64]
    offer: tuple[str | None, ...]  #: that was made
    best: tuple[str | None, ...]  #: that was made or, in the holdout, would have been
    held: NDArray[np.bool_]  #: silent because she is in the holdout
    refused: NDArray[np.bool_]  #: silent because of a quota or budget, which are asked last
    share: Floats  #: of shoppers in the holdout then
    policy: tuple[str, ...]
    judgement: tuple[dict[str, Any] | None, ...]
    visited: Floats  #: 1 where she stayed at the store afterwards
    redeemed: Floats
    spend: Floats  #: what redeemed coupons cost

    def __len__(self) -> int:
        return len(self.decision)

    def take(self, rows: NDArray[np.bool_]) -> "Moments":
        """Some of them."""
        places = np.flatnonzero(rows)
        columns: dict[str, Any] = {
            name: column[places] if isinstance(column, np.ndarray) else tuple(column[one] for one in places)
            for name, column in msgspec.structs.asdict(self).items()
        }
        return Moments(**columns)


@asynccontextmanager
async def snapshot(database: Database, retailer_id: str) -> AsyncIterator[Connection]:
    """One view of everything, as of now. Raises UnknownRetailer."""
    async with database.transaction(retailer_id, snapshot=True) as connection:
        if await connection.fetchval(queries("engine")["secret"], retailer_id) is None:
            raise UnknownRetailer(f"no retailer {retailer_id}")
        yield connection


async def moments_of(connection: Connection, retailer_id: str, period: Period) -> Moments:
    """The moments of a period; 24 hours before its end nothing has had its time yet, and they are left out
    by the caller who asks for an earlier end.
    """
    settings = _SettingsByVersion(connection, retailer_id)
    rows: list[Any] = []
    shares: list[float] = []
    arguments = (retailer_id, period.since, period.until, WITHIN)
    async for row in connection.cursor(SQL["to_say"], *arguments, prefetch=1000):
        rows.append(row)
        shares.append((await settings.at(row["version"])).holdout)
    numbers: dict[str, int] = {}
    return Moments(
        decision=tuple(row["decision_id"] for row in rows),
        shopper=np.array([numbers.setdefault(row["shopper_id"], len(numbers)) for row in rows], np.int64),
        store=tuple(row["store"] or "" for row in rows),
        at_us=np.array([to_us(row["decided_at"]) for row in rows], np.int64),
        offer=tuple(row["offer"] for row in rows),
        best=tuple(row["best"] for row in rows),
        held=np.array([row["held"] for row in rows], np.bool_),
        refused=np.array([row["refused"] for row in rows], np.bool_),
        share=np.array(shares, np.float64),
        policy=tuple(row["policy"] for row in rows),
        judgement=tuple(row["judgement"] for row in rows),
        visited=np.array([row["visited"] for row in rows], np.float64),
        redeemed=np.array([row["redeemed"] for row in rows], np.float64),
        spend=np.array([row["spend"] for row in rows], np.float64),
    )


class _SettingsByVersion:
    def __init__(self, connection: Connection, retailer_id: str) -> None:
        self._connection, self._retailer_id = connection, retailer_id
        self._known: dict[int, Settings] = {}

    async def at(self, version: int) -> Settings:
        if version not in self._known:
            body = await settings_at(self._connection, self._retailer_id, version)
            self._known[version] = settings_from_body(body)
        return self._known[version]
