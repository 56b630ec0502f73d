"""A publication counts at once: for the next fix, and for those who are in a fence and send none."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.app import running
from server.clock import from_us
from server.db import Database, DatabaseBusy
from server.inputs import Wake
from server.journal import unpack_inputs
from server.pipeline import Pipeline
from server.publish import publish
from server.replay_journal import replay_day
from tests.acceptance.mall import SHOP, STORE, Mall, Shopper, mall, mall_config, until


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


async def transitions(opened: Mall, shopper: Shopper) -> list[dict[str, Any]]:
    told = await opened.server.get(f"/v1/devices/{shopper.device_id}/history")
    found: list[dict[str, Any]] = told["transitions"]
    return found


async def until_told(opened: Mall, shopper: Shopper, *kinds: str) -> list[dict[str, Any]]:
    """Her transitions, as soon as they are of these kinds."""

    async def so() -> bool:
        return [one["kind"] for one in await transitions(opened, shopper)] == [*kinds]

    await until(so)
    return await transitions(opened, shopper)


async def woken(opened: Mall) -> list[str]:
    """Whose timers were due so far, as the journal has it."""
    async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT inputs FROM journal ORDER BY seq")
    inputs = [item for row in rows for item in unpack_inputs(row["inputs"])[0]]
    return [item.shopper_id for item in inputs if isinstance(item, Wake)]


async def until_woken(opened: Mall, *shoppers: Shopper) -> None:
    async def so() -> bool:
        return await woken(opened) == [shopper.shopper_id for shopper in shoppers]

    await until(so)


def moved(opened: Mall, north_m: float, **properties: Any) -> dict[str, Any]:
    fence = opened.fence(**properties)
    fence["geometry"] = {"type": "Point", "coordinates": [SHOP[1], SHOP[0] + north_m / 111_412]}
    return fence


async def test_the_visit_to_a_deleted_fence_ends_with_the_publication(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    at_noon.clock.advance(30)
    deleted_at = from_us(at_noon.clock.now_us()).isoformat().replace("+00:00", "Z")

    status, _ = await at_noon.server.call("DELETE", "/v1/geofences/door")

    assert status == 200
    told = await until_told(at_noon, shopper, "enter", "exit")
    assert told[1]["at"] == deleted_at


async def test_so_does_that_to_a_fence_which_is_switched_off(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    at_noon.clock.advance(5)

    await at_noon.server.post("/v1/geofences", at_noon.fence(enabled=False))

    await until_told(at_noon, shopper, "enter", "exit")


async def test_so_it_does_when_it_came_while_the_server_was_down(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper = await opened.shopper()
        await shopper.ping(north_m=40)
        opened.clock.advance(5)
        config = mall_config(database_url, tmp_path, opened.fcm)
        await opened.stop()
        async with (
            await Database.open(database_url) as database,
            database.transaction(opened.keys["retailer_id"]) as connection,
        ):
            await publish(connection, opened.keys["retailer_id"], "geofence", {}, remove=["door"])
        async with running(config, clock=opened.clock) as again:
            shopper.moves_to(again)

            await until_told(shopper.mall, shopper, "enter", "exit")


async def test_shoppers_in_a_fence_that_changes_are_woken_and_no_others(at_noon: Mall) -> None:
    inside, outside = await at_noon.shopper(), await at_noon.shopper()
    await inside.ping(north_m=40)
    await outside.ping(north_m=2000)

    await at_noon.server.post("/v1/geofences", moved(at_noon, 5000))

    await until_woken(at_noon, inside)


async def test_a_shopper_around_whom_a_fence_is_put_is_woken_while_her_newest_fix_is_fresh(
    at_noon: Mall,
) -> None:
    gone, fresh = await at_noon.shopper(), await at_noon.shopper()
    await gone.ping(north_m=2000)
    at_noon.clock.advance(661)
    await fresh.ping(north_m=2000)

    await at_noon.server.post("/v1/geofences", moved(at_noon, 2000, external_id="new"))

    await until_woken(at_noon, fresh)


async def test_a_publication_that_concerns_no_fence_wakes_nobody(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)

    await at_noon.server.post("/v1/stores", STORE | {"name": "Shoes and more"})
    await at_noon.server.put("/v1/settings", {"shopper_per_day": 3})
    await shopper.ping(north_m=41)

    assert await woken(at_noon) == []


async def test_a_shorter_dwell_counts_for_those_who_are_inside(at_noon: Mall) -> None:
    await at_noon.server.post("/v1/geofences", at_noon.fence(dwell_s=3600))
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    at_noon.clock.advance(100)

    await at_noon.server.post("/v1/geofences", at_noon.fence(dwell_s=90))

    await until_told(at_noon, shopper, "enter", "dwell")


async def test_a_shorter_time_out_counts_for_those_who_are_inside(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    at_noon.clock.advance(70)
    await shopper.ping(north_m=40)
    at_noon.clock.advance(1000)

    await at_noon.server.put("/v1/settings", {"presence_timeout_s": 900})

    await until_told(at_noon, shopper, "enter", "dwell", "exit")


async def test_being_woken_for_nothing_leaves_her_timers_as_they_were(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    await at_noon.server.post("/v1/geofences", at_noon.fence(name="The door"))
    await until_woken(at_noon, shopper)

    at_noon.clock.advance(61)

    await until_told(at_noon, shopper, "enter", "dwell")


async def test_a_day_with_publications_is_replayed_as_it_was(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    for step in range(4):
        await shopper.ping(north_m=40 + step)
        at_noon.clock.advance(20)
        await at_noon.server.post("/v1/geofences", at_noon.fence(dwell_s=10 * step + 5))
        await at_noon.server.post("/v1/geofences", moved(at_noon, 500 * (step + 1), external_id="other"))
        at_noon.clock.advance(20)
    await at_noon.server.call("DELETE", "/v1/geofences/door")
    told = await until_told(at_noon, shopper, "enter", "dwell", "exit")
    day = from_us(at_noon.clock.now_us()).date()

    replayed = await replay_day(at_noon.vicino.database, at_noon.keys["retailer_id"], day)

    assert told
    assert replayed.decisions >= 2
    assert (replayed.different, replayed.different_states) == ((), ())


async def test_in_which_order_fences_were_published_makes_no_difference_to_a_replay(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    for step, name in enumerate("cabd"):
        fence = moved(at_noon, 10, external_id=name, radius=60 + 10 * step)
        await at_noon.server.post("/v1/geofences", fence)
        await shopper.ping(north_m=40 + step)
        at_noon.clock.advance(20)
    await at_noon.server.post("/v1/geofences", moved(at_noon, 10, external_id="b", radius=90))
    await shopper.ping(north_m=45)
    day = from_us(at_noon.clock.now_us()).date()

    replayed = await replay_day(at_noon.vicino.database, at_noon.keys["retailer_id"], day)

    assert replayed.decisions >= 5
    assert (replayed.different, replayed.different_states) == ((), ())


async def test_a_publication_amid_traffic_costs_no_answer(at_noon: Mall) -> None:
    shoppers = [await at_noon.shopper() for _ in range(5)]

    async def publish() -> None:
        for step in range(20):
            await at_noon.server.post("/v1/geofences", at_noon.fence(name=f"door {step}"))

    async def walk(shopper: Shopper) -> list[int]:
        answers = [await shopper.ping(north_m=40 + step, ago_s=30 - step) for step in range(20)]
        return [answer["accepted"] for answer in answers]

    told = await asyncio.gather(publish(), *(walk(shopper) for shopper in shoppers))

    assert told[1:] == [[1] * 20] * 5


async def test_a_publication_that_met_a_busy_database_is_followed_a_little_later(
    at_noon: Mall, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    at_noon.clock.advance(5)
    run, refused = Pipeline.run, []

    async def run_or_refuse(self: Pipeline, batch: Any, span: Any = None) -> Any:
        if not refused:
            refused.append(batch)
            raise DatabaseBusy("no connection is free")
        return await run(self, batch, span)

    monkeypatch.setattr(Pipeline, "run", run_or_refuse)

    await at_noon.server.call("DELETE", "/v1/geofences/door")

    await until_told(at_noon, shopper, "enter", "exit")
    assert refused == [[]]


async def test_a_closed_store_makes_no_offer_by_its_own_clock_and_its_fence_records_all_the_same(
    at_noon: Mall,
) -> None:
    # Noon in Helsinki, where the retailer is; nine in the morning at the store.
    store = STORE | {"timezone": "Atlantic/Azores", "opening_hours": "Mo-Sa 10:00-20:00"}
    await at_noon.server.post("/v1/stores", store)
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")

    await shopper.ping(north_m=40)
    at_noon.clock.advance(61)

    await until_told(at_noon, shopper, "enter", "dwell")
    assert [receipt["reasons"] for receipt in await shopper.receipts()] == [["closed"]] * 2
    assert at_noon.fcm.requests == 0


async def replayed_as_it_was(opened: Mall) -> bool:
    """Whether a replay of the stored day decides the same, and leaves everybody where she is."""
    day = from_us(opened.clock.now_us()).date()
    replayed = await replay_day(opened.vicino.database, opened.keys["retailer_id"], day)
    return (replayed.different, replayed.different_states) == ((), ())


async def test_the_visit_to_a_fence_that_is_moved_away_ends_where_she_was_seen_last(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    at_noon.clock.advance(5)

    await at_noon.server.post("/v1/geofences", moved(at_noon, 5000))

    told = await until_told(at_noon, shopper, "enter", "exit")
    assert "pass_by" not in {one["kind"] for one in told}
    assert await replayed_as_it_was(at_noon)


async def test_a_fence_that_is_moved_over_a_shopper_is_entered_and_its_store_speaks(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=2000)
    at_noon.clock.advance(5)

    await at_noon.server.post("/v1/geofences", moved(at_noon, 2010))

    await until_told(at_noon, shopper, "enter")
    [receipt] = await shopper.receipts()
    assert (receipt["outcome"], receipt["moment"]["trigger"]) == ("offer", "enter")
    assert await replayed_as_it_was(at_noon)


async def test_a_fence_that_is_made_around_a_shopper_is_entered_and_dwelled_in_without_a_further_fix(
    at_noon: Mall,
) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=2000)
    at_noon.clock.advance(5)

    await at_noon.server.post("/v1/geofences", moved(at_noon, 2010, external_id="new"))

    await until_told(at_noon, shopper, "enter")
    at_noon.clock.advance(61)
    await until_told(at_noon, shopper, "enter", "dwell")
    assert await replayed_as_it_was(at_noon)


async def test_a_fence_that_is_made_around_an_old_fix_is_entered_and_its_store_is_silent(
    at_noon: Mall,
) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=2000)
    at_noon.clock.advance(300)

    await at_noon.server.post("/v1/geofences", moved(at_noon, 2010, external_id="new", dwell_s=3600))

    await until_told(at_noon, shopper, "enter")
    [receipt] = await shopper.receipts()
    assert receipt["reasons"] == ["stale"]


async def test_a_shopper_who_left_for_a_sensitive_place_is_in_no_fence_made_there(at_noon: Mall) -> None:
    clinic = moved(at_noon, 2300, external_id="clinic") | {}
    clinic["properties"] = {"external_id": "clinic", "kind": "health", "radius": 20, "distance_m": 10}
    await at_noon.server.post("/v1/sensitive", clinic)
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=2000, ago_s=5)
    await shopper.ping(north_m=2300)

    await at_noon.server.post("/v1/geofences", moved(at_noon, 2010, external_id="new"))
    await shopper.ping(north_m=2301)

    assert await transitions(at_noon, shopper) == []
    assert await replayed_as_it_was(at_noon)
