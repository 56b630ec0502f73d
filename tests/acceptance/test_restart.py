"""What survives a restart, what goes wrong in a batch, and who may run an engine."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from geo.engine import FixBatch, Fleet, Told
from geo.index import FenceSet
from geo.transition import Rules
from server import whereabouts
from server.app import running
from server.engine import AnotherEngine
from tests.acceptance.mall import Mall, mall, mall_config, until


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


async def test_a_dwell_whose_time_came_while_the_server_was_down_fires_after_the_restart(
    database_url: str, tmp_path: Path
) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper = await opened.shopper()
        await shopper.ping(north_m=40)
        clock, fcm, keys = opened.clock, opened.fcm, opened.keys
        session = opened.session
        config = mall_config(database_url, tmp_path, fcm)
        await opened.stop()
        clock.advance(90)

        async with running(config, clock=clock) as again:
            reopened = Mall(again, session, clock, fcm, keys)

            async def dwelled() -> bool:
                told = await reopened.server.get(f"/v1/devices/{shopper.device_id}/history")
                return [t["kind"] for t in told["transitions"]] == ["enter", "dwell"]

            await until(dwelled)


async def test_a_shopper_is_known_after_a_restart(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper = await opened.shopper()
        await shopper.looks_at("T-1")
        await shopper.ping(north_m=40)
        config = mall_config(database_url, tmp_path, opened.fcm)
        await opened.stop()

        async with running(config, clock=opened.clock) as again:
            shopper.moves_to(again)
            await shopper.ping(north_m=40)

            assert len(await shopper.inbox()) == 1
            assert len((await shopper.get("/v1/inbox"))["items"]) == 1


async def test_a_second_engine_on_the_same_database_is_refused(at_noon: Mall, tmp_path: Path) -> None:
    config = mall_config(at_noon.vicino.database_url, tmp_path, at_noon.fcm)

    with pytest.raises(AnotherEngine, match="another Vicino runs on this database"):
        async with running(config, clock=at_noon.clock):
            pass


async def test_an_input_that_breaks_its_batch_is_put_aside_and_the_others_go_on(
    at_noon: Mall, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = await at_noon.shopper(), await at_noon.shopper()
    sense = whereabouts.sense

    def breaks(fleet: Fleet, batch: FixBatch, fences: FenceSet, rules: Rules) -> Told:
        told = sense(fleet, batch, fences, rules)  # where they are has changed by then
        if (batch.lat_deg > 60.5).any():
            raise ZeroDivisionError("a defect that only this fix meets")
        return told

    monkeypatch.setattr(whereabouts, "sense", breaks)

    fixes = [at_noon.fix(40, lat=60.6)]
    answers = await asyncio.gather(
        bad.call("POST", "/v1/pings", {"fixes": fixes}),
        *(good.call("POST", "/v1/pings", {"fixes": [at_noon.fix(300 + i, ago_s=i)]}) for i in range(10)),
    )

    assert answers[0][0] == 422
    assert answers[0][1]["code"] == "poison"
    assert [status for status, _ in answers[1:]] == [200] * 10
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT reason, detail FROM quarantine")
    assert [tuple(row) for row in rows] == [("ZeroDivisionError", "RecordFixes")]


async def test_a_late_fix_that_proves_a_whole_visit_short_takes_back_its_dwell_and_its_exit(
    at_noon: Mall,
) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40, ago_s=115)
    await shopper.ping(north_m=300, ago_s=20)
    before = await at_noon.server.get(f"/v1/devices/{shopper.device_id}/history")

    await shopper.ping(north_m=300, ago_s=95)

    after = await at_noon.server.get(f"/v1/devices/{shopper.device_id}/history")
    assert [t["kind"] for t in before["transitions"]] == ["enter", "dwell", "exit"]
    told = [(t["kind"], t["revised"]) for t in after["transitions"]]
    assert told == [("enter", False), ("exit", True), ("pass_by", True)]
    [visit] = after["visits"]
    assert visit["dwelled_at"] is None
    assert visit["exited_at"] == after["transitions"][1]["at"]


async def test_a_push_of_a_shopper_who_has_left_before_it_was_sent_is_withdrawn(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    at_noon.fcm.fail_next("unavailable", retry_after_s=10)
    await shopper.ping(north_m=40)

    async def tried() -> bool:
        return at_noon.fcm.requests == 1

    await until(tried)
    at_noon.clock.advance(5)
    await shopper.ping(north_m=60)
    at_noon.clock.advance(120)
    await shopper.ping(north_m=400)

    async def withdrawn() -> bool:
        pushes = [receipt["push"] for receipt in await shopper.receipts() if "push" in receipt]
        return pushes == [{"state": "withdrawn", "reason": "left"}]

    await until(withdrawn)
    assert at_noon.fcm.phone(shopper.address).shown == []


async def test_a_withdrawn_consent_withdraws_what_was_not_sent(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    at_noon.fcm.fail_next("unavailable", retry_after_s=10)
    await shopper.ping(north_m=40)

    await shopper.put("/v1/me/consents", {"push": {"granted": False}})

    [receipt, *_] = await shopper.receipts()
    assert receipt["push"] == {"state": "withdrawn", "reason": "no_consent"}


async def test_a_database_that_refuses_for_a_while_costs_nobody_anything(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    owner = await asyncpg.connect(at_noon.vicino.database_url)
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    async def refused() -> bool:
        status, _ = await shopper.call("POST", "/v1/pings", {"fixes": [at_noon.fix(40)]})
        assert status == 503
        return True

    for _ in range(5):
        await refused()
    await owner.execute("SET default_transaction_read_only = off")
    await owner.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = off')
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await owner.close()

    async def taken() -> bool:
        status, _ = await shopper.call("POST", "/v1/pings", {"fixes": [at_noon.fix(40)]})
        return status == 200

    await until(taken)
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        assert await connection.fetchval("SELECT count(*) FROM quarantine") == 0


async def test_what_the_phone_reports_is_shown_in_the_inbox(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    [item] = await shopper.inbox()

    for outcome in ("delivered", "opened", "opened"):
        await shopper.post(f"/v1/notifications/{item['id']}/{outcome}", None)

    [item] = await shopper.inbox()
    assert {"delivered_at", "opened_at"} <= set(item)
    status, _ = await shopper.call("POST", "/v1/notifications/psh_unknown/opened")
    assert status == 404


async def test_an_edited_fence_is_live_with_the_next_ping(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=150)
    fence = at_noon.fence(radius=200)
    await at_noon.server.post("/v1/geofences", {"type": "FeatureCollection", "features": [fence]})
    at_noon.clock.advance(10)

    await shopper.ping(north_m=151)

    told = await at_noon.server.get(f"/v1/devices/{shopper.device_id}/history")
    assert [t["kind"] for t in told["transitions"]] == ["enter"]


async def test_the_journal_drops_days_whose_retention_is_over(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    at_noon.clock.advance(2 * 86_400)

    await at_noon.vicino.engine.upkeep.keep_journal()

    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        assert await connection.fetchval("SELECT count(*) FROM journal") == 0
        assert await connection.fetchval("SELECT count(*) FROM shopper_days") == 0
        assert await connection.fetchval("SELECT count(*) FROM transitions") > 0
