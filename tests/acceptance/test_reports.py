"""Reports over HTTP: who may ask, for which time, and what is answered."""

from pathlib import Path

from tests.acceptance.mall import mall
from tests.acceptance.test_replay_day import live_a_day

NAMES = ("lift", "funnel", "journeys", "pilot")


async def test_reports_are_for_the_retailers_servers(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path) as opened:
        await live_a_day(opened)
        opened.clock.advance(86_400)
        for name in (*NAMES, "evaluation"):
            told = await opened.server.get(f"/v1/reports/{name}")
            assert told["since"] < told["until"]
            assert (await opened.app.call("GET", f"/v1/reports/{name}"))[0] == 403
        # Three offers, and four moments that the budget of the afternoon refused.
        assert (await opened.server.get("/v1/reports/lift"))["moments"] == 7
        assert (await opened.server.get("/v1/reports/pilot"))["verdict"] == "wait"


async def test_a_time_that_cannot_be_is_refused_by_its_field(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path) as opened:
        for query, field in (
            ("since=yesterday", "since"),
            ("until=2026-11-18T10:00:00", "until"),
            ("since=2026-11-18T10:00:00Z&until=2026-11-17T10:00:00Z", "since"),
        ):
            status, told = await opened.server.call("GET", f"/v1/reports/lift?{query}")
            assert (status, told["code"], told["field"]) == (400, "bad_query", field)
        status, told = await opened.server.call("GET", "/v1/reports/evaluation")
        assert (status, told["code"]) == (409, "nothing_logged")
