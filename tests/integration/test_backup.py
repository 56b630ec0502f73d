"""The drill: a database is dumped while it is used, lost, and restored; Vicino goes on from there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from server.app import running
from server.clock import from_us
from server.postgres import EmbeddedPostgres
from server.postgres.account import server_account
from server.postgres.binaries import find_binaries
from server.replay_journal import replay_day
from tests.acceptance.mall import Mall, mall, mall_config
from tests.acceptance.traces import dump


@pytest.fixture
async def restored_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The URL of an empty database to restore into."""
    admin = await asyncpg.connect(postgres.url.replace("/vicino?", "/postgres?"))
    try:
        await admin.execute("CREATE DATABASE restored TEMPLATE template0")
        yield postgres.url.replace("/vicino?", "/restored?")
        await admin.execute("DROP DATABASE restored WITH (FORCE)")
    finally:
        await admin.close()


async def restore(whole: bytes, url: str) -> None:
    """What `psql` does with a dump."""
    program = find_binaries(server_account()).program("psql")
    process = await asyncio.create_subprocess_exec(
        *(program, "--dbname", url, "--quiet", "--set", "ON_ERROR_STOP=1"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate(whole)
    assert process.returncode == 0, errors.decode()


async def test_a_restored_database_goes_on_where_the_backup_was_made(
    database_url: str, restored_url: str, tmp_path: Path
) -> None:
    async with mall(database_url, tmp_path) as opened:
        retailer_id = opened.keys["retailer_id"]
        shopper = await opened.shopper()
        await shopper.looks_at("T-1")
        await shopper.ping(north_m=40)
        [item] = await shopper.inbox()
        state = await opened.vicino.engine.state(retailer_id)

        backup = await dump(database_url)
        config = mall_config(restored_url, tmp_path, opened.fcm)
        await opened.stop()  # … and the machine is gone
        await restore(backup, restored_url)

        async with running(config, clock=opened.clock) as again:
            assert await again.engine.state(retailer_id) == state
            shopper.moves_to(again)
            there = Mall(again, opened.session, opened.clock, opened.fcm, opened.keys)
            assert [one["id"] for one in await shopper.inbox()] == [item["id"]]
            assert (await there.till.post("/v1/redemptions", {"code": item["code"]}))["status"] == "redeemed"
            assert (await shopper.ping(north_m=41))["accepted"] == 1
            day = from_us(opened.clock.now_us()).date()
            replayed = await replay_day(again.database, retailer_id, day)
            assert (replayed.offers, replayed.different, replayed.different_states) == (1, (), ())
