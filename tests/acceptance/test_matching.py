"""Device matching (fences without positions), and positions that are not plausible."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.clock import from_us
from server.inputs import RecordFixes
from server.journal import listed
from server.replay_journal import replay_day
from tests.acceptance.mall import ALL_CONSENTS, Mall, Shopper, mall


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


async def crosses(shopper: Shopper, kind: str, *, ago_s: float = 0.0, geofence: str = "door") -> Any:
    crossing = {"geofence_id": geofence, "kind": kind, "at": shopper.mall.time(-ago_s)}
    return await shopper.post("/v1/crossings", {"crossings": [crossing]})


async def seen(shopper: Shopper) -> list[str]:
    history = await shopper.mall.server.get(f"/v1/devices/{shopper.device_id}/history")
    return [one["kind"] for one in history["transitions"]]


async def test_a_phone_that_sends_no_position_gets_its_offer_at_the_door(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")

    assert await crosses(shopper, "enter") == {"accepted": 1, "rejected": []}

    delivery = await at_noon.fcm.wait_for_push(shopper.address, 10)
    assert delivery is not None
    [receipt] = await shopper.receipts()
    assert receipt["moment"]["evidence"][0]["kind"] == "phone"
    assert receipt["moment"]["distance_m"] is None
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT inputs FROM journal")
    assert not [i for row in rows for i in listed(row["inputs"]) if isinstance(i, RecordFixes)]


async def test_a_visit_by_report_is_entered_once_dwelled_and_left(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()

    for kind in ("enter", "enter", "dwell", "exit", "exit"):
        await crosses(shopper, kind)
        at_noon.clock.advance(90)

    assert await seen(shopper) == ["enter", "dwell", "exit"]
    history = await at_noon.server.get(f"/v1/devices/{shopper.device_id}/history")
    assert len(history["visits"]) == 1


async def test_a_repeated_report_changes_nothing(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()

    answers = [await crosses(shopper, "enter") for _ in range(2)]

    assert [one["accepted"] for one in answers] == [1, 1]
    assert await seen(shopper) == ["enter"]


async def test_looking_at_something_inside_makes_a_moment_unless_the_phone_fell_silent(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await crosses(shopper, "enter")
    at_noon.clock.advance(300)
    await shopper.looks_at("T-1")
    assert len(await shopper.inbox()) == 1

    other = await at_noon.shopper()
    await crosses(other, "enter")
    at_noon.clock.advance(1801)
    await other.looks_at("T-1")

    assert [one["moment"]["trigger"] for one in await other.receipts()] == ["enter"]
    assert await seen(other) == ["enter"], "the visit itself is open for the presence time-out"


async def test_a_visit_of_which_the_phone_says_no_more_ends_with_the_presence_time_out(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await crosses(shopper, "enter")

    at_noon.clock.advance(12 * 3600 + 1)
    await shopper.looks_at("T-1")

    assert await shopper.inbox() == []
    assert await seen(shopper) == ["enter", "exit"]


async def test_an_old_report_is_history_and_makes_no_offer(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")

    await crosses(shopper, "enter", ago_s=200)

    assert (await shopper.receipts())[0]["reasons"] == ["stale"]


async def test_reports_are_refused_one_by_one(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    body = {
        "crossings": [
            {"geofence_id": "nowhere", "kind": "enter", "at": at_noon.time()},
            {"geofence_id": "door", "kind": "pass", "at": at_noon.time()},
            {"geofence_id": "door", "kind": "enter", "at": at_noon.time(3600)},
            {"geofence_id": "door", "kind": "enter", "at": at_noon.time(-90_000)},
            {"geofence_id": "door", "kind": "enter", "at": at_noon.time()},
        ]
    }

    answer = await shopper.post("/v1/crossings", body)

    assert answer["accepted"] == 1
    reasons = [one["reason"] for one in answer["rejected"]]
    assert reasons == ["unknown_geofence", "malformed", "in_future", "too_old"]


async def test_without_consent_no_report_is_kept(at_noon: Mall) -> None:
    shopper = await at_noon.shopper(consents={"push": ALL_CONSENTS["push"]})

    answer = await crosses(shopper, "enter")

    assert answer["rejected"][0]["reason"] == "no_consent"
    assert await seen(shopper) == []


async def test_a_phone_can_read_the_fences_to_compare_with(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()

    fences = await shopper.get("/v1/me/geofences")

    assert [one["properties"]["external_id"] for one in fences["features"]] == ["door"]


async def test_a_position_that_jumps_about_is_taken_and_makes_no_offer(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    # 60 km to and fro within ten seconds each, and then to the door.
    fixes = [at_noon.fix(60_000 if number % 2 else 40, ago_s=70 - 10 * number) for number in range(7)]
    answer = await shopper.post("/v1/pings", {"fixes": fixes})

    assert answer["accepted"] == 7
    [receipt] = [one for one in await shopper.receipts() if one["moment"]["trigger"] == "enter"][:1]
    assert receipt["reasons"] == ["implausible"]
    plausibility = receipt["moment"]["plausibility"]
    assert plausibility["score"] < 0.3
    assert "impossible_speed" in [sign["code"] for sign in plausibility["signs"]]
    assert "60." not in json.dumps(plausibility)


async def test_a_till_learns_how_plausible_the_coupons_moment_was(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    [item] = await shopper.inbox()

    redeemed = await at_noon.till.post("/v1/redemptions", {"code": item["code"]})

    assert redeemed["plausibility"] == {"score": 1.0, "signs": []}


async def test_a_day_of_reports_replays_the_same(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await crosses(shopper, "enter")
    at_noon.clock.advance(1900)
    await shopper.looks_at("B-1")
    await crosses(shopper, "dwell")
    day = from_us(at_noon.clock.now_us()).date()

    told = await replay_day(at_noon.vicino.database, at_noon.keys["retailer_id"], day)

    assert (told.different, told.different_states) == ((), ())
    assert told.decisions >= 2
