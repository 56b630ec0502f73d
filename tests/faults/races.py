"""Races for the last coupon of a budget and for one coupon at many tills, through the real SQL, with kills.

`tests/faults/test_races.py` runs some thousands of attempts, `./vicino bench races` a million.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from offers.budget import Budget, Cap
from offers.catalogue import Catalogue
from offers.coupon import code_hash, coupon_code
from offers.ids import derived_id
from server.cli.retailer import create_retailer
from server.clock import SystemClock, from_us
from server.db import Database, DatabaseError
from server.ledgers import Ledgers, Place
from server.redeem import Redeem, redeem
from server.sql import queries
from tests.faults.invariants import LEDGERS_THAT_DIFFER
from tests.faults.postgres import postgres
from tests.unit.offers.scene import OFFER, STORE, TRAINERS, changed

RACERS, KILLS = 16, 4
ISSUED, PRICE = 200, Decimal("13.50")
SHOPPERS, EACH = 25, 7  #: one of them wants more than all others
BUDGET = Budget(
    issued=ISSUED,
    spend=PRICE * (ISSUED - 50),  # the money is gone before the coupons are
    caps=(Cap(per="shopper", redemptions=EACH), Cap(per="store", period="month", issued=ISSUED - 40)),
)
SECRET = b"s" * 32
SOLD_FOR = {"kind": "percent", "value": "15"}
UNDONE = (DatabaseError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
SQL = queries("engine")
CATALOGUE = Catalogue.build((STORE,), (TRAINERS,), (changed(OFFER, budget=BUDGET),), version=1)


class Race:
    """One retailer's offer, and everybody who wants it."""

    def __init__(self, database: Database, retailer_id: str) -> None:
        self.refused = self.undone = 0
        self.reserved: list[str] = []  #: decisions whose coupon was acknowledged
        self.granted: dict[str, list[str]] = defaultdict(list)  #: by decision: who was told that it is good
        self._database = database
        self._retailer_id = retailer_id
        self._numbers = iter(range(10**9))

    async def run(self, attempts: int, attempt: Callable[[int], Awaitable[None]]) -> None:
        """So many attempts by many at once. Some end with the server's death, as if they had not been."""
        left = iter(range(attempts))

        async def racer() -> None:
            for number in left:
                try:
                    await attempt(number)
                except UNDONE:
                    self.undone += 1
                    await asyncio.sleep(0.05)

        await asyncio.gather(*(racer() for _ in range(RACERS)))

    async def reserve(self, number: int) -> None:
        """As a micro-batch does it, without the place in line that keeps a retailer's batches apart."""
        decision_id = derived_id("dec", number, next(self._numbers))
        now_us = SystemClock().now_us()
        now = from_us(now_us)
        place = Place(store=STORE.external_id, shopper_id=f"shp_{min(number % 40, SHOPPERS - 1)}")
        async with self._database.transaction(self._retailer_id) as connection:
            ledgers = await Ledgers.lock(
                connection, self._retailer_id, CATALOGUE, {"mom": place}, now_us=now_us
            )
            granted = ledgers.budget("mom", OFFER.external_id, PRICE)
            if granted:
                ledgers.reserve(OFFER.external_id, place, PRICE)
                code = code_hash(SECRET, coupon_code(SECRET, decision_id))
                ends = from_us(SystemClock().now_us() + 10**10)
                purses = ledgers.purses_of(OFFER.external_id, STORE.external_id)
                sold: tuple[Any, ...] = (
                    OFFER.external_id,
                    None,
                    STORE.external_id,
                    PRICE,
                    SOLD_FOR,
                    now,
                    ends,
                )
                await connection.execute(
                    SQL["add_coupon"],
                    self._retailer_id,
                    code,
                    decision_id,
                    place.shopper_id,
                    *sold,
                    purses,
                    None,
                )
                await ledgers.write(connection, self._retailer_id, now.date())
        if granted:
            self.reserved.append(decision_id)
        else:
            self.refused += 1

    async def redeem(self, number: int) -> None:
        """A till with a key of its own asks for one of the coupons."""
        decision_id = self.reserved[number % len(self.reserved)]
        ask = Redeem(
            code_hash=code_hash(SECRET, coupon_code(SECRET, decision_id)),
            store=None,
            received_at_us=SystemClock().now_us(),
            caller="till",
            idempotency_key=f"{number}",
            request_hash=b"",
        )
        async with self._database.transaction(self._retailer_id) as connection:
            answer = await redeem(connection, self._retailer_id, ask, CATALOGUE)
        if answer.status == 200:
            self.granted[decision_id].append(f"{number}")
        else:
            assert answer.status == 409, answer
            self.refused += 1


class Raced(msgspec.Struct, frozen=True, kw_only=True):
    """What a race came to; that it came to an end says that every promise was kept."""

    attempts: int
    issued: int
    redeemed: int
    undone: int  #: attempts that ended with the server's death


async def raced(folder: Path, attempts: int, on_done: Callable[[int], None] = lambda _: None) -> Raced:
    """Half of the attempts reserve, half redeem, and all of PostgreSQL is killed amid both.

    Raises AssertionError where a budget was overspent, a coupon worked twice, or a ledger does not add up.
    """
    chosen = random.Random(1)
    async with postgres(folder) as server, await Database.open(server.url) as database:
        keys = await create_retailer(database, "Race", {})
        race = Race(database, keys["retailer_id"])

        async def kills(done: Callable[[], int]) -> None:
            for kill in range(1, KILLS + 1):
                while done() < kill * attempts // (2 * KILLS + 2):
                    on_done(tally(race))
                    await asyncio.sleep(0.005)
                await asyncio.sleep(chosen.uniform(0, 0.02))
                server.kill_tree()

        for attempt in (race.reserve, race.redeem):
            begun = tally(race)
            killer = asyncio.create_task(kills(lambda begun=begun: tally(race) - begun))  # type: ignore[misc]
            await race.run(attempts // 2, attempt)
            await killer

        connection = await asyncpg.connect(server.url)
        [(issued, spend, redeemed)] = await connection.fetch(
            "SELECT count(*), sum(spend + spent), count(*) FILTER (WHERE status = 'redeemed') FROM coupons"
        )
        [(greediest,)] = await connection.fetch(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM coupons GROUP BY shopper_id) AS each"
        )
        differ = await connection.fetch(LEDGERS_THAT_DIFFER)
        purses = await connection.fetchval("SELECT count(*) FROM ledgers")
        await connection.close()

    assert race.undone > 0
    assert spend <= BUDGET.spend
    assert greediest == EACH
    assert purses == 2
    assert issued - KILLS * RACERS <= len(race.reserved) <= issued <= ISSUED
    assert [tills for tills in race.granted.values() if len(tills) > 1] == []
    assert len(race.granted) <= redeemed <= len(race.reserved)
    assert len(race.granted) >= len(race.reserved) - KILLS * RACERS
    assert differ == []
    return Raced(attempts=attempts, issued=issued, redeemed=redeemed, undone=race.undone)


def tally(race: Race) -> int:
    """How many attempts have ended so far."""
    return len(race.reserved) + sum(map(len, race.granted.values())) + race.refused + race.undone
