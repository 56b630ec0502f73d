"""A server that is told to stop under load: nobody gets a 5xx, and all that was acknowledged is kept."""

import asyncio
import itertools
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from server.cli.retailer import create_retailer
from server.db import Database
from server.journal import PostgresJournal
from tests.acceptance.mall import until
from tests.faults.processes import Server

PHONES = 30
CONSENT = {"granted": True, "text_version": "1", "locale": "en"}


class Load:
    """Phones that ping without a break, until nobody takes a connection any more."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url
        self.statuses: Counter[int] = Counter()
        self.acknowledged: set[str] = set()

    async def phone(self, app_key: str) -> None:
        body = {"platform": "android", "consents": {"nearby_offers": CONSENT}}
        told = await self._post("/v1/devices", app_key, body)
        while "device_id" not in told:  # what is compiled is still read in: she comes again, as a 503 asks
            told = await self._post("/v1/devices", app_key, body)
        for number in itertools.count():
            name = f"{told['device_id']}-{number}"
            fix = {
                "lat": 60.1,
                "lon": 24.9,
                "accuracy_m": 8,
                "id": name,
                "fixed_at": datetime.now(UTC).isoformat(),
            }
            try:
                answer = await self._post("/v1/pings", told["access_token"], {"fixes": [fix]})
            except aiohttp.ClientError:
                return  # there is no connection to be had, or it was closed before the request was read
            if answer.get("accepted"):
                self.acknowledged.add(name)

    async def _post(self, path: str, credential: str, body: object) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {credential}"}
        async with self._session.post(self._url + path, json=body, headers=headers) as response:
            self.statuses[response.status] += 1
            answer: dict[str, str] = await response.json(content_type=None)
            return answer

    async def well_under_way(self) -> bool:
        return len(self.acknowledged) > 10 * PHONES


async def test_a_server_that_is_told_to_stop_answers_what_it_has_taken_and_loses_nothing(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    keys = await create_retailer(database, "Shoes", {"policy": "rules", "holdout": 0})
    server = Server({"VICINO_DATABASE_URL": database_url}, tmp_path)
    try:
        await server.start()
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as phones:
            load = Load(session, server.url)
            for _ in range(PHONES):
                phones.create_task(load.phone(keys["app_key"]))
            await until(load.well_under_way, within_s=60)
            load.statuses.clear()
            server.terminate()
            assert await server.ended(30) == 0
    finally:
        await server.end()

    assert load.statuses[200] > 0, "what was under way was answered"
    assert set(load.statuses) <= {200, 429}
    kept = await journaled(database, keys["retailer_id"])
    assert sorted(load.acknowledged - kept.keys()) == []
    assert [name for name, times in kept.items() if times > 1] == []


async def journaled(database: Database, retailer_id: str) -> Counter[str]:
    """How often each fix is in the journal, by its name."""
    counted: Counter[str] = Counter()
    async with database.transaction(retailer_id, snapshot=True) as reading:
        days = await reading.fetch("SELECT DISTINCT day FROM journal WHERE retailer_id = $1", retailer_id)
        for (day,) in days:
            async for entry in PostgresJournal().day(reading, retailer_id, day):
                pings = entry.pings
                for number in range(len(pings.items)):
                    counted.update(str(pings.fix(row).id) for row in pings.rows(number))
    return counted
