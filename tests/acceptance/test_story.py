"""The story of the product: an offer while she can still turn in, or silence with its reason."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.mall import ALL_CONSENTS, SHOP, STORE, Mall, mall, until


@pytest.fixture(params=["one process", "several over Kafka"])
def kafka_servers(request: pytest.FixtureRequest) -> str | None:
    """The whole story is told twice."""
    return request.getfixturevalue("kafka") if "Kafka" in request.param else None


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path, kafka_servers: str | None) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path, kafka=kafka_servers) as opened:
        yield opened


async def test_a_shopper_who_looked_in_the_morning_gets_the_offer_as_she_comes_near(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1", ago_s=3 * 3600)

    answer = await shopper.ping(north_m=40)

    assert answer["accepted"] == 1
    push = await at_noon.fcm.wait_for_push(shopper.address, timeout_s=20)
    assert push.title == "15% off the Trail trainers you looked at"
    assert push.body == "Corner Shoes, at 40 m, until 12:30"
    [item] = await shopper.inbox()
    assert push.data["code"] == item["code"]
    [receipt] = await shopper.receipts()
    assert receipt["outcome"] == "offer"
    assert receipt["offer"] == "trainers-15"
    assert receipt["id"] == item["decision_id"]


@pytest.mark.parametrize("form", ["qr", "code128"])
async def test_her_phone_shows_the_code_as_a_till_can_scan_it(at_noon: Mall, form: str) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    [item] = await shopper.inbox()
    path = f"/v1/inbox/{item['id']}/code.svg"

    assert (await shopper.text(f"{path}?form={form}")).startswith("<svg")
    assert (await shopper.call("GET", f"{path}?form=aztec"))[0] == 400
    assert (await (await at_noon.shopper()).call("GET", path))[0] == 404
    at_noon.clock.advance(24 * 3600)
    assert (await shopper.call("GET", path))[0] == 410


async def test_her_code_works_once(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    [item] = await shopper.inbox()

    first = await at_noon.till.post("/v1/redemptions", {"code": item["code"]})
    status, second = await at_noon.till.call("POST", "/v1/redemptions", {"code": item["code"]})

    assert first["status"] == "redeemed"
    assert (status, second["code"]) == (409, "already_redeemed")


async def test_had_she_looked_while_standing_there_the_offer_comes_at_the_look(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    assert [receipt["reasons"] for receipt in await shopper.receipts()] == [["no_interest"]]
    at_noon.clock.advance(1)

    await shopper.looks_at("T-1")

    push = await at_noon.fcm.wait_for_push(shopper.address, timeout_s=20)
    assert "Trail trainers" in push.title
    assert (await shopper.receipts())[0]["moment"]["trigger"] == "view"


async def silence(shopper_receipts: list[dict[str, object]], reason: str) -> None:
    [receipt] = shopper_receipts
    assert receipt["outcome"] == "silence"
    assert receipt["reasons"] == [reason]


async def test_had_she_driven_past_there_is_silence(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")

    await shopper.ping(north_m=40, speed_mps=50 / 3.6)

    await silence(await shopper.receipts(), "drive_by")


async def test_had_she_been_asked_too_often_today_there_is_silence(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.put("/v1/me/preferences", {"max_per_day": 0})
    await shopper.looks_at("T-1")

    await shopper.ping(north_m=40)

    await silence(await shopper.receipts(), "shopper_cap")


async def test_had_she_said_no_pushes_after_eight_there_is_silence_at_half_past_eight(
    database_url: str, tmp_path: Path, kafka_servers: str | None
) -> None:
    async with mall(database_url, tmp_path, now="2026-11-18T18:30:00Z", kafka=kafka_servers) as evening:
        shopper = await evening.shopper()
        await shopper.put("/v1/me/preferences", {"quiet_hours": {"from": "20:00", "until": "08:00"}})
        await shopper.looks_at("T-1")

        await shopper.ping(north_m=40)

        await silence(await shopper.receipts(), "quiet_hours")


async def test_had_she_been_in_the_control_group_there_is_silence(
    database_url: str, tmp_path: Path, kafka_servers: str | None
) -> None:
    async with mall(database_url, tmp_path, kafka=kafka_servers, holdout=1.0) as opened:
        shopper = await opened.shopper()
        await shopper.looks_at("T-1")

        await shopper.ping(north_m=40)

        await silence(await shopper.receipts(), "holdout")
        assert (await shopper.receipts())[0]["ghost"]["offer"] == "trainers-15"


async def test_had_she_been_standing_at_a_hospital_there_is_silence_and_no_trace_of_the_place(
    at_noon: Mall,
) -> None:
    hospital = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [SHOP[1], SHOP[0] + 0.0004]},
        "properties": {"external_id": "clinic", "kind": "health", "radius": 20, "distance_m": 10},
    }
    await at_noon.server.post("/v1/sensitive", {"type": "FeatureCollection", "features": [hospital]})
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")

    answer = await shopper.ping(north_m=40)

    assert answer["rejected"] == [{"index": 0, "reason": "sensitive_place"}]
    [receipt] = await shopper.receipts()
    assert receipt["reasons"] == ["sensitive_place"]
    assert receipt["moment"]["store"] is None
    history = await at_noon.server.get(f"/v1/devices/{shopper.device_id}/history")
    assert history == {"transitions": [], "visits": []}


async def test_a_look_while_in_a_sensitive_place_is_silent_though_a_stores_fence_was_entered_before(
    at_noon: Mall,
) -> None:
    clinic = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [SHOP[1], SHOP[0] + 0.0004]},
        "properties": {"external_id": "clinic", "kind": "health", "radius": 10, "distance_m": 0},
    }
    await at_noon.server.post("/v1/sensitive", clinic)
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=0, ago_s=30)
    assert (await shopper.ping(north_m=44.5))["rejected"] == [{"index": 0, "reason": "sensitive_place"}]
    at_noon.clock.advance(61)

    await shopper.looks_at("T-1")

    reasons = {tuple(receipt["reasons"]) for receipt in await shopper.receipts()}
    assert reasons == {("no_interest",), ("sensitive_place",)}
    assert await shopper.inbox() == []


async def test_a_look_at_a_made_up_position_is_silent(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40, mock=True)
    at_noon.clock.advance(1)

    await shopper.looks_at("T-1")

    assert (await shopper.receipts())[0]["reasons"] == ["implausible"]


async def test_a_look_while_driving_past_is_silent_though_the_phone_tells_no_speed(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=-90, ago_s=10)
    await shopper.ping(north_m=60)
    at_noon.clock.advance(1)

    await shopper.looks_at("T-1")

    assert (await shopper.receipts())[0]["reasons"] == ["drive_by"]


async def test_without_consent_to_nearby_offers_no_fix_is_taken(at_noon: Mall) -> None:
    shopper = await at_noon.shopper(consents=ALL_CONSENTS | {"nearby_offers": {"granted": False}})

    answer = await shopper.ping(north_m=40)

    assert answer == {"accepted": 0, "rejected": [{"index": 0, "reason": "no_consent"}]}
    assert await shopper.receipts() == []


async def test_without_consent_to_pushes_there_is_silence(at_noon: Mall) -> None:
    shopper = await at_noon.shopper(consents=ALL_CONSENTS | {"push": {"granted": False}})
    await shopper.looks_at("T-1")

    await shopper.ping(north_m=40)

    await silence(await shopper.receipts(), "no_consent")


async def test_a_stale_fix_makes_history_and_no_push(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")

    await shopper.ping(north_m=40, ago_s=600)

    assert {tuple(receipt["reasons"]) for receipt in await shopper.receipts()} == {("stale",)}
    history = await at_noon.server.get(f"/v1/devices/{shopper.device_id}/history")
    assert [t["kind"] for t in history["transitions"]][:1] == ["enter"]


async def test_a_dwell_fires_without_a_further_ping(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    at_noon.clock.advance(61)

    async def dwelled() -> bool:
        history = await at_noon.server.get(f"/v1/devices/{shopper.device_id}/history")
        return [t["kind"] for t in history["transitions"]] == ["enter", "dwell"]

    await until(dwelled)


async def test_where_the_fences_of_two_shops_overlap_she_is_made_one_offer(at_noon: Mall) -> None:
    twin = STORE | {"external_id": "shoes-2", "name": "Other Shoes"}
    fence = at_noon.fence(external_id="other-door", store="shoes-2")
    await at_noon.server.post("/v1/stores", twin)
    await at_noon.server.post("/v1/geofences", fence)
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")

    await shopper.ping(north_m=40)

    receipts = await shopper.receipts()
    assert sorted(receipt["outcome"] for receipt in receipts) == ["offer", "silence"]
    [silent] = [receipt for receipt in receipts if receipt["outcome"] == "silence"]
    assert silent["reasons"] == ["overlapped"]


async def test_a_visit_that_is_over_in_the_same_ping_makes_no_offer_and_the_one_that_lasts_does(
    at_noon: Mall,
) -> None:
    far = STORE | {"external_id": "shoes-2", "name": "Other Shoes", "lat": SHOP[0] + 0.01}
    fence = at_noon.fence(external_id="other-door", store="shoes-2")
    fence["geometry"] = {"type": "Point", "coordinates": [SHOP[1], SHOP[0] + 0.01]}
    await at_noon.server.post("/v1/stores", far)
    await at_noon.server.post("/v1/geofences", fence)
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    fixes = [at_noon.fix(0, ago_s=100, speed_mps=1), at_noon.fix(1112, ago_s=20, speed_mps=1)]

    await shopper.post("/v1/pings", {"fixes": fixes})

    told = {receipt["moment"]["store"]: receipt["reasons"] for receipt in await shopper.receipts()}
    assert told["shoes-1"] == ["left"]
    assert told["shoes-2"] == []
    await at_noon.fcm.wait_for_push(shopper.address, timeout_s=20)


async def test_a_fix_too_coarse_to_enter_is_told_of_once(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    for _ in range(3):
        await shopper.ping(north_m=0, accuracy_m=400)
        at_noon.clock.advance(60)

    await silence(await shopper.receipts(), "low_accuracy")
