"""Engines and edges of a cluster under load die, sleep, come and go; the promises hold."""

import asyncio
import os
from pathlib import Path

import asyncpg
import pytest

from server.kafka.topics import grow
from tests.kafka.cluster import (
    PARTS,
    Fault,
    cluster,
    counted,
    dies_after_a_commit,
    dies_before_a_commit,
    edge_killed,
    engine_joins_and_leaves,
    engine_killed,
    zombie,
)

FAULTS = (
    engine_killed,
    edge_killed,
    engine_joins_and_leaves,
    zombie,
    dies_before_a_commit,
    dies_after_a_commit,
)
SEEDS = [int(seed) for seed in os.environ.get("VICINO_TEST_SEEDS", "1").split(",")]

OVERSPENT = "SELECT offer FROM ledgers WHERE issued > 100"
MISCOUNTED = """
SELECT l.offer FROM ledgers l WHERE l.issued <> (SELECT count(*) FROM coupons c WHERE c.offer = l.offer)
"""
PUSHED_TWICE = "SELECT decision_id FROM outbox GROUP BY decision_id, device_id HAVING count(*) > 1"
OPEN_TWICE = """
SELECT device_id FROM visits WHERE exited_at IS NULL GROUP BY device_id, geofence HAVING count(*) > 1
"""
NOT_WRITTEN = """
SELECT h.part FROM heads h LEFT JOIN checkpoints c USING (retailer_id, part)
WHERE h.journal_seq > coalesce(c.seq, 0)
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(
    database_url: str, kafka: str, tmp_path: Path, fault: Fault, seed: int
) -> None:
    async with cluster(database_url, kafka, tmp_path, seed) as (made, retailer_id):
        await asyncio.sleep(made.draw.uniform(1, 2))
        await fault(made)
        await asyncio.sleep(1)
        made.go_home()
        await made.settled()
        for server in (*made.edges, *made.engines, made.push):
            await server.stop()

        entries = await made.entries(retailer_id)
        found = counted(entries)
        assert len(made.acked) > 20
        assert [fix for fix in made.acked if found[fix] != 1] == []
        assert [fix for fix, times in found.items() if times != 1] == []
        for part in entries.values():
            seqs = [entry.seq for entry in part]
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else True
        connection = await asyncpg.connect(database_url)
        try:
            for query in (OVERSPENT, MISCOUNTED, PUSHED_TWICE, OPEN_TWICE, NOT_WRITTEN):
                assert await connection.fetch(query) == [], query
            assert await connection.fetchval("SELECT count(*) FROM quarantine") == 0
        finally:
            await connection.close()
        await grow(kafka, made.topics, database_url, parts=2 * PARTS)  # which asks whether all is done
