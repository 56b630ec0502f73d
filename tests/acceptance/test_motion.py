"""What is told of shoppers on the move: coming nearer, passing by, and positions that cannot be true."""

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.clock import from_us
from server.replay_journal import replay_day
from tests.acceptance.mall import STORE, Mall, Shopper, mall, until


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def early(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    """A mall that speaks a minute before its fence is reached."""
    async with mall(database_url, tmp_path, approach_s=60) as opened:
        yield opened


async def walks(opened: Mall, shopper: Shopper, *north_m: float, every_s: float = 10.0) -> None:
    """Reports these positions one after the other."""
    for metres in north_m:
        await shopper.ping(north_m=metres)
        opened.clock.advance(every_s)


async def walks_until_spoken_to(opened: Mall, shopper: Shopper, *north_m: float) -> tuple[float, ...]:
    """Reports these positions until there is an offer; the rest of them. Time stands still then."""
    for place, metres in enumerate(north_m, start=1):
        await shopper.ping(north_m=metres)
        if await shopper.inbox():
            return north_m[place:]
        opened.clock.advance(10)
    raise AssertionError("there was no offer")


async def triggers(shopper: Shopper) -> list[tuple[str, str]]:
    """Trigger and outcome of her moments, the first one first."""
    receipts = (await shopper.receipts())[::-1]
    return [(receipt["moment"]["trigger"], receipt["outcome"]) for receipt in receipts]


async def history(opened: Mall, shopper: Shopper) -> list[str]:
    told = await opened.server.get(f"/v1/devices/{shopper.device_id}/history")
    return [transition["kind"] for transition in told["transitions"]]


async def replayed_as_it_was(opened: Mall) -> bool:
    day = from_us(opened.clock.now_us()).date()
    replayed = await replay_day(opened.vicino.database, opened.keys["retailer_id"], day)
    return (replayed.different, replayed.different_states) == ((), ())


def evidence(receipt: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in receipt["moment"]["evidence"] if one["kind"] == kind]


async def test_the_receipt_of_an_enter_tells_how_she_came(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()

    await walks(at_noon, shopper, 160, 146, 132, 118, 104, 90)

    [receipt] = await shopper.receipts()
    [coming] = evidence(receipt, "approach")
    assert coming["closing_mps"] == pytest.approx(1.4, abs=0.1)
    assert coming["heading_off_deg"] <= 1
    assert coming["eta_s"] == pytest.approx(64, abs=2)
    assert coming["distance_m"] == 90
    assert await replayed_as_it_was(at_noon)


async def test_the_receipt_of_a_first_fix_tells_of_no_approach(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()

    await shopper.ping(north_m=40)

    [receipt] = await shopper.receipts()
    assert evidence(receipt, "approach") == []


async def test_a_store_that_wants_to_speak_before_she_is_there_does_so_once(early: Mall) -> None:
    shopper = await early.shopper()
    await shopper.looks_at("T-1")

    on_the_way = await walks_until_spoken_to(early, shopper, *range(300, 40, -14))
    await early.fcm.wait_for_push(shopper.address, timeout_s=20)
    early.clock.advance(10)
    await walks(early, shopper, *on_the_way)

    told = await triggers(shopper)
    assert told[:2] == [("approach", "offer"), ("enter", "silence")]
    first, *others = (await shopper.receipts())[::-1]
    assert {tuple(receipt["reasons"]) for receipt in others} == {("already_offered",)}
    [coming] = evidence(first, "approach")
    assert coming["geofence"] == "door"
    assert 0 < coming["eta_s"] <= 60
    assert len(await shopper.inbox()) == 1
    assert await replayed_as_it_was(early)


async def test_nothing_is_said_early_unless_the_retailer_asks_for_it(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")

    await walks(at_noon, shopper, *range(300, 110, -14))

    assert await triggers(shopper) == []


async def test_who_is_interested_in_nothing_is_met_at_the_fence(early: Mall) -> None:
    shopper = await early.shopper()

    await walks(early, shopper, *range(300, 80, -14))

    assert await triggers(shopper) == [("enter", "silence")]


async def test_who_walks_away_is_left_alone(early: Mall) -> None:
    shopper = await early.shopper()
    await shopper.looks_at("T-1")

    await walks(early, shopper, *range(110, 250, 14))

    assert await triggers(shopper) == []


async def test_who_walks_along_beside_the_fence_is_left_alone(early: Mall) -> None:
    shopper = await early.shopper()
    await shopper.looks_at("T-1")
    for step in range(10):
        # On a parallel 150 m north of the shop, whose fence ends at 100 m.
        await shopper.ping(north_m=150, lon=24.9419 + (step - 12) * 14 / 55_600)
        early.clock.advance(10)

    assert await triggers(shopper) == []


async def test_a_driver_is_not_spoken_to_before_she_is_there(early: Mall) -> None:
    shopper = await early.shopper()
    await shopper.looks_at("T-1")

    await walks(early, shopper, *range(900, 300, -120))

    receipts = await shopper.receipts()
    assert [receipt["reasons"] for receipt in receipts] == [["drive_by"]]


async def test_an_offer_on_the_way_is_withdrawn_when_it_could_not_be_sent_and_she_did_not_come(
    early: Mall,
) -> None:
    shopper = await early.shopper()
    await shopper.looks_at("T-1")
    early.fcm.fail_next("unavailable", retry_after_s=10)
    await walks_until_spoken_to(early, shopper, *range(300, 40, -14))

    async def tried() -> bool:
        return early.fcm.requests == 1

    await until(tried)
    early.clock.advance(131)

    async def withdrawn() -> bool:
        [receipt] = await shopper.receipts()
        return receipt["push"] == {"state": "withdrawn", "reason": "left"}

    await until(withdrawn)


async def test_who_drives_past_between_two_fixes_has_a_silent_receipt(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=-300, ago_s=40)

    await shopper.ping(north_m=300)

    assert await history(at_noon, shopper) == ["pass_by"]
    [receipt] = await shopper.receipts()
    assert (receipt["moment"]["trigger"], receipt["reasons"]) == ("pass_by", ["drive_by"])
    told = await at_noon.server.get(f"/v1/devices/{shopper.device_id}/history")
    assert told["visits"] == []
    assert await replayed_as_it_was(at_noon)


async def test_who_walks_past_between_two_fixes_has_left_again(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=-120, ago_s=75)

    await shopper.ping(north_m=120)

    [receipt] = await shopper.receipts()
    assert (receipt["moment"]["trigger"], receipt["reasons"]) == ("pass_by", ["left"])


async def test_a_late_fix_that_shows_a_visit_takes_the_pass_by_back(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=-300, ago_s=40)
    await shopper.ping(north_m=300)

    await shopper.ping(north_m=0, ago_s=20)

    told = await at_noon.server.get(f"/v1/devices/{shopper.device_id}/history")
    assert [(one["kind"], one["revised"]) for one in told["transitions"]] == [
        ("enter", True),
        ("exit", False),
        ("pass_by", False),
    ]
    [visit] = told["visits"]
    assert visit["exited_at"] is not None
    assert await triggers(shopper) == [("pass_by", "silence")]
    assert await replayed_as_it_was(at_noon)


async def test_passing_the_same_fence_again_within_the_hour_is_history_alone(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    for north_m in (-300, 300, -300, 300):
        await walks(at_noon, shopper, north_m, every_s=40)

    assert await history(at_noon, shopper) == ["pass_by"] * 3
    assert len(await shopper.receipts()) == 1


async def test_a_visit_that_was_driven_through_is_told_in_order_and_explained_once(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")

    await walks(at_noon, shopper, -300, -90, 300, every_s=15)

    assert await history(at_noon, shopper) == ["enter", "exit", "pass_by"]
    assert await triggers(shopper) == [("enter", "silence")]


async def test_an_enter_a_dwell_and_an_exit_of_one_instant_are_told_in_that_order(at_noon: Mall) -> None:
    await at_noon.server.put("/v1/settings", {"presence_timeout_s": 1800})
    await at_noon.server.post("/v1/geofences", at_noon.fence(dwell_s=0))
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    at_noon.clock.advance(1801)

    async def ended() -> bool:
        return len(await history(at_noon, shopper)) == 3

    await until(ended)
    assert await history(at_noon, shopper) == ["enter", "dwell", "exit"]


async def test_a_position_nobody_can_have_reached_is_taken_and_not_believed(at_noon: Mall) -> None:
    far = STORE | {"external_id": "far", "lat": 61.0}
    fence = at_noon.fence(external_id="far-door", store="far")
    fence["geometry"] = {"type": "Point", "coordinates": [STORE["lon"], 61.0]}
    await at_noon.server.post("/v1/stores", far)
    await at_noon.server.post("/v1/geofences", fence)
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40, ago_s=20)

    answer = await shopper.ping(lat=61.0, ago_s=10)

    assert (answer["accepted"], answer["rejected"]) == (1, [])
    assert answer["next"]["after_m"] == 0
    assert await history(at_noon, shopper) == ["enter"]
    async with aiohttp.ClientSession() as session, session.get(f"{at_noon.vicino.url}/metrics") as metrics:
        assert 'vicino_fixes_doubted_total{reason="impossible_jump"} 1.0' in await metrics.text()
    assert await replayed_as_it_was(at_noon)


async def test_a_track_that_was_another_shoppers_is_told_and_silences(at_noon: Mall) -> None:
    chance = random.Random(7)
    track = [400 - 10 * step + chance.uniform(-3, 3) for step in range(40)]
    ann, bob = await at_noon.shopper(), await at_noon.shopper()
    for shopper in (ann, bob):
        await shopper.looks_at("T-1")
        for metres in track:
            await shopper.ping(north_m=metres, accuracy_m=chance.uniform(4, 20))
            at_noon.clock.advance(10)

    hers, his = (await ann.receipts())[-1], (await bob.receipts())[-1]

    assert (hers["outcome"], hers["moment"]["plausibility"]) == ("offer", {"score": 1.0, "signs": []})
    assert (his["outcome"], his["reasons"]) == ("silence", ["implausible"])
    [sign] = his["moment"]["plausibility"]["signs"]
    assert sign["code"] == "shared_track"
    assert await replayed_as_it_was(at_noon)
