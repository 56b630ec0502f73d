"""What a race came to: every promise asked for, by the tables, the journal and what tills were told."""

import asyncpg

from server.journal import PostgresJournal
from server.parts import Part
from tests.faults.crowd import Outside
from tests.faults.invariants import (
    evidence,
    i3_budgets_hold,
    i4_a_coupon_works_once,
    i9_the_journal_has_no_gaps,
)
from tests.faults.races.town import BUDGETS, COUPONS, WAVE
from tests.faults.races.visit import Told
from tests.faults.town import Retailer


async def judged(
    url: str, keys: dict[str, str], told: Told, parts: int, shoppers: int
) -> tuple[int, int, int]:
    """Coupons issued and redeemed, and budgets used up. Raises AssertionError where a promise was broken."""
    retailer = Retailer(name="race", quiet=False, **keys)
    journals = [PostgresJournal(Part(number=part, of=parts)) for part in range(parts)]
    outside = Outside()
    for decision_id, key in told.granted:
        outside.granted[decision_id].add(key)
        outside.granted_decisions.add(decision_id)
    async with evidence(url, outside, {}, [retailer], journals) as found:
        checks = (i3_budgets_hold, i4_a_coupon_works_once, i9_the_journal_has_no_gaps)
        wrong = [line for check in checks for line in await check(found)]
        assert wrong == []
        assert await found.connection.fetch("SELECT reason, detail FROM quarantine") == []
        issued, redeemed, used_up = await _given(found.connection, keys["retailer_id"])
        # There were many more who wanted each than it had coupons: a coupon that nobody got would be lost.
        assert used_up == shoppers // WAVE * len(BUDGETS), (issued, redeemed)
        assert redeemed >= len(found.outside.granted_decisions) > issued // 2
        return issued, redeemed, used_up


async def _given(connection: "asyncpg.Connection[asyncpg.Record]", retailer_id: str) -> tuple[int, int, int]:
    """By offer: none gave more than each of its caps bears (`i3` asks for its budget as a whole alone)."""
    rows = await connection.fetch(GIVEN, retailer_id)
    for row in rows:
        number = int(row["offer"].rpartition("-")[2])
        assert row["issued"] <= COUPONS[number], row
        caps = [cap for cap in BUDGETS[number].get("caps", ()) if cap.get("per") == "store"]
        for cap in caps:
            assert row["at_a_store"] <= cap.get("issued", cap.get("redemptions")), row
    full = sum(row["issued"] == COUPONS[int(row["offer"].rpartition("-")[2])] for row in rows)
    return sum(row["issued"] for row in rows), sum(row["redeemed"] for row in rows), full


GIVEN = """
SELECT offer, sum(issued)::int AS issued, sum(redeemed)::int AS redeemed, max(issued)::int AS at_a_store
FROM (SELECT offer, store, count(*) AS issued, count(*) FILTER (WHERE status = 'redeemed') AS redeemed
      FROM coupons WHERE retailer_id = $1 GROUP BY offer, store) AS stores
GROUP BY offer
"""
