"""A server that is told to stop ends in good order: whoever it has heard is answered, and nothing is lost."""

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
import asyncpg

from server.cli.retailer import create_retailer
from server.clock import SystemClock, from_us
from server.db import Database
from server.journal import PostgresJournal
from tests.acceptance.mall import ALL_CONSENTS, SHOP
from tests.faults.processes import Server

PHONES = 20


async def test_a_server_told_to_stop_under_load_answers_what_it_has_heard_and_loses_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async with await Database.open(database_url) as database:
        keys = await create_retailer(database, "Corner Shoes", {})
    server = Server({"VICINO_DATABASE_URL": database_url, "VICINO_LIMITS": "off"}, tmp_path)
    answers: Counter[int] = Counter()
    acked: set[tuple[str, int]] = set()

    async def phone(session: aiohttp.ClientSession) -> None:
        """Sends until nobody is there any more."""
        headers = {"Authorization": f"Bearer {keys['app_key']}"}
        body = {"platform": "android", "consents": ALL_CONSENTS}
        async with session.post(f"{server.url}/v1/devices", json=body, headers=headers) as answer:
            told = await answer.json()
        headers = {"Authorization": f"Bearer {told['access_token']}"}
        while True:
            at_us = SystemClock().now_us()
            fix = {"lat": SHOP[0], "lon": SHOP[1], "fixed_at": from_us(at_us).isoformat()}
            try:
                async with session.post(
                    f"{server.url}/v1/pings", json={"fixes": [fix]}, headers=headers
                ) as answer:
                    answers[answer.status] += 1
                    await answer.read()
            except (aiohttp.ClientError, ConnectionError):
                return
            if answer.status == 200:
                acked.add((told["device_id"], at_us))

    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            phones = [asyncio.create_task(phone(session)) for _ in range(PHONES)]
            async with asyncio.timeout(60):
                while len(acked) < 200:
                    await asyncio.sleep(0.01)  # another process
            await server.stop()
            await asyncio.gather(*phones)
    finally:
        await server.end()

    assert set(answers) <= {200, 429}, "a 429 acknowledges nothing"
    found: Counter[tuple[str, int]] = Counter()
    connection = await asyncpg.connect(database_url)
    days = await connection.fetch("SELECT DISTINCT day FROM journal")
    behind = await connection.fetchval(
        "SELECT count(*) FROM heads h JOIN checkpoints c USING (retailer_id, part) "
        "WHERE c.seq < h.journal_seq"
    )
    await connection.close()
    async with (
        await Database.open(database_url) as database,
        database.transaction(keys["retailer_id"]) as reading,
    ):
        for row in days:
            async for entry in PostgresJournal().day(reading, keys["retailer_id"], row["day"]):
                for ping, item in enumerate(entry.pings.items):
                    times = (int(entry.pings.fixed_at_us[n]) for n in entry.pings.rows(ping))
                    found.update((item.device_id, at_us) for at_us in times)
    assert [fix for fix in acked if found[fix] != 1] == []
    assert behind == 0, "what was in memory alone was written"
