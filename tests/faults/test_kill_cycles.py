"""A server and its PostgreSQL that are killed again and again, under load, on one set of data."""

from pathlib import Path

import pytest

from tests.faults.cycles import kill_cycles

#: A part of what `./vicino bench kill_cycles` does (25 and 10), so that the tests stay quick.
SERVER, POSTGRES = 6, 3


@pytest.mark.timeout(900)
async def test_kill_after_kill_nothing_is_lost_doubled_or_overspent(postgres_folder: Path) -> None:
    cycles = await kill_cycles(postgres_folder, seed=1, server=SERVER, postgres=POSTGRES, phones=12)

    assert cycles.summary.fixes > 10 * (SERVER + POSTGRES)
    assert cycles.summary.offers > 0
