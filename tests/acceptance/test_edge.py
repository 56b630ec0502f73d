"""The app's edge: what is taken, what is refused and how, and that repeats change nothing."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.mall import ALL_CONSENTS, Mall, mall
from tests.support import shared_data


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


async def history(opened: Mall, device_id: str) -> list[str]:
    told = await opened.server.get(f"/v1/devices/{device_id}/history")
    return [transition["kind"] for transition in told["transitions"]]


async def test_a_ping_sent_twice_is_recorded_once(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    body = {"fixes": [at_noon.fix(40, id="f-1"), at_noon.fix(41, ago_s=5), at_noon.fix(500, ago_s=10)]}

    answers = [await shopper.post("/v1/pings", body) for _ in range(2)]

    assert [answer["accepted"] for answer in answers] == [3, 3]
    assert len(await shopper.receipts()) == 1
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        packed = await connection.fetch("SELECT inputs FROM journal")
    assert sum(row["inputs"].count(b"f-1") for row in packed) == 1


async def test_a_browse_event_sent_twice_is_decided_once(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    at_noon.clock.advance(1)
    event = {"kind": "view", "sku": "B-1", "at": at_noon.time()}

    answers = [await shopper.post("/v1/events", {"events": [event, event]}) for _ in range(2)]

    assert [answer["accepted"] for answer in answers] == [2, 2]
    assert [receipt["moment"]["trigger"] for receipt in await shopper.receipts()] == ["view", "enter"]


async def test_every_bad_fix_is_told_by_its_place_and_the_good_ones_count(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    fixes = [
        at_noon.fix(40),
        at_noon.fix(40, lat=91.0),
        at_noon.fix(40, lon=-180.5),
        at_noon.fix(40, ago_s=-61),
        at_noon.fix(40, ago_s=86_460),
        at_noon.fix(40, fixed_at="yesterday"),
        at_noon.fix(40, fixed_at="2026-11-18T12:00:00"),
        at_noon.fix(40, lat="60.1"),
        {"lat": 60.0},
        at_noon.fix(40, colour="red"),
        at_noon.fix(41, ago_s=1),
    ]

    answer = await shopper.post("/v1/pings", {"fixes": fixes})

    assert answer["accepted"] == 2
    assert [(r["index"], r["reason"]) for r in answer["rejected"]] == [
        (1, "bad_latitude"),
        (2, "bad_longitude"),
        (3, "in_future"),
        (4, "too_old"),
        *((index, "malformed") for index in range(5, 10)),
    ]
    assert "colour" in answer["rejected"][-1]["detail"]


async def test_order_of_arrival_makes_no_difference_to_visits(at_noon: Mall) -> None:
    walk = [at_noon.fix(m, ago_s=s) for m, s in ((400, 110), (30, 90), (20, 60), (300, 25), (10, 5))]
    told = []
    for order in (walk, walk[::-1], walk[2:] + walk[:2]):
        shopper = await at_noon.shopper()
        for fix in order:
            await shopper.post("/v1/pings", {"fixes": [fix]})
        answer = await at_noon.server.get(f"/v1/devices/{shopper.device_id}/history")
        told.append(answer["visits"])

    assert told[0] == told[1] == told[2]
    assert [visit["exited_at"] is None for visit in told[0]] == [False, True]


async def test_the_answer_says_when_to_report_next(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()

    answer = await shopper.ping(north_m=1100)

    assert answer["next"]["after_m"] == pytest.approx(1000, abs=10)
    assert answer["next"]["within_s"] > 0
    rim, watch = answer["next"]["watch"]
    assert (rim["geofence_id"], rim["radius_m"]) == ("", answer["next"]["after_m"])
    assert (watch["geofence_id"], watch["radius_m"]) == ("door", 100)
    assert set(rim) == set(watch) == {"geofence_id", "lat", "lon", "radius_m"}


async def test_where_safe_regions_are_turned_off_every_fix_is_asked_for(at_noon: Mall) -> None:
    await at_noon.server.put("/v1/settings", {"safe_region": False})
    shopper = await at_noon.shopper()

    answer = await shopper.ping(north_m=1100)

    assert answer["next"] == {"after_m": 0.0, "within_s": 60.0, "watch": []}


async def test_a_browse_event_nobody_knows_is_refused_alone(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    good = {"kind": "view", "sku": "T-1", "at": at_noon.time()}

    answer = await shopper.post("/v1/events", {"events": [good, good | {"kind": "stare"}, {"kind": "view"}]})

    assert answer["accepted"] == 1
    assert [(r["index"], r["reason"]) for r in answer["rejected"]] == [(1, "malformed"), (2, "malformed")]


async def test_without_personalisation_browsing_is_not_kept(at_noon: Mall) -> None:
    shopper = await at_noon.shopper(consents=ALL_CONSENTS | {"personalisation": {"granted": False}})

    answer = await shopper.looks_at("T-1")

    assert answer == {"accepted": 0, "rejected": [{"index": 0, "reason": "no_consent"}]}


async def test_a_withdrawn_consent_stops_fixes_at_once(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.put("/v1/me/consents", {"nearby_offers": {"granted": False}})

    answer = await shopper.ping(north_m=40)

    assert answer["rejected"] == [{"index": 0, "reason": "no_consent"}]
    told = await shopper.get("/v1/me/consents")
    assert [purpose for purpose, consent in told.items() if not consent["granted"]] == ["nearby_offers"]


async def test_an_access_token_is_refreshed_and_a_reused_refresh_token_ends_its_family(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    body = {"refresh_token": shopper.refresh_token}
    first = await at_noon.app.post("/v1/devices/token", body)

    again, _ = await at_noon.app.call("POST", "/v1/devices/token", body)
    descendant, _ = await at_noon.app.call(
        "POST", "/v1/devices/token", {"refresh_token": first["refresh_token"]}
    )

    assert (again, descendant) == (401, 401)


async def test_a_refresh_may_bring_a_new_push_address(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    address = "phone-new:APA91b" + "y" * 100
    push = {"kind": "fcm_token", "value": address}
    await at_noon.app.post("/v1/devices/token", {"refresh_token": shopper.refresh_token, "push": push})

    await shopper.ping(north_m=40)

    await at_noon.fcm.wait_for_push(address, timeout_s=20)


async def test_an_expired_access_token_asks_for_a_refresh(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    at_noon.clock.advance(15 * 60 + 1)

    status, problem = await super(type(shopper), shopper).call("GET", "/v1/inbox")

    assert (status, problem["code"]) == (401, "token_expired")


async def test_the_same_user_on_two_devices_is_one_shopper(at_noon: Mall) -> None:
    first, second = [await at_noon.shopper(user_id="customer-7") for _ in range(2)]

    assert first.shopper_id == second.shopper_id
    assert first.device_id != second.device_id


async def test_a_repeated_registration_gives_the_same_device(at_noon: Mall) -> None:
    body = {"platform": "ios", "consents": ALL_CONSENTS}

    answers = [await at_noon.app.post("/v1/devices", body, Idempotency_Key="install-1") for _ in range(2)]

    assert answers[0]["device_id"] == answers[1]["device_id"]
    status, problem = await at_noon.app.call(
        "POST", "/v1/devices", body | {"platform": "android"}, Idempotency_Key="install-1"
    )
    assert (status, problem["code"]) == (422, "idempotency_key_reused")


async def test_a_repeated_redemption_gets_its_first_answer(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    [item] = await shopper.inbox()
    typed = item["code"].lower().replace("-", " ")

    answers = [
        await at_noon.till.post("/v1/redemptions", {"code": typed}, Idempotency_Key="receipt-1")
        for _ in range(2)
    ]

    assert answers[0] == answers[1]
    assert answers[0]["offer"] == "trainers-15"


async def test_a_key_that_is_no_text_is_refused_and_the_till_goes_on(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    [item] = await shopper.inbox()
    for key in ("k" * 6000, "caf\u00e9"):
        status, problem = await at_noon.till.call(
            "POST", "/v1/redemptions", {"code": item["code"]}, Idempotency_Key=key
        )
        assert (status, problem["code"]) == (400, "bad_idempotency_key")

    answer = await at_noon.till.post("/v1/redemptions", {"code": item["code"], "basket": {"total": 90}})

    assert answer["status"] == "redeemed"


async def test_withdrawing_nearby_offers_forgets_where_she_was_and_stops_her_timers(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    await shopper.put("/v1/me/consents", {"nearby_offers": {"granted": False}})
    at_noon.clock.advance(61)
    await at_noon.server.post("/v1/offers", at_noon.offer())  # somebody else's batch, after the time
    stranger = await at_noon.shopper()
    await stranger.ping(north_m=400)

    assert await history(at_noon, shopper.device_id) == []


async def test_an_unknown_property_of_a_fence_is_told(at_noon: Mall) -> None:
    report = await at_noon.server.post("/v1/geofences", at_noon.fence(dwell=5))

    [warning] = report["warnings"]
    assert (warning["code"], warning["field"]) == ("unknown_property", "properties.dwell")


async def test_an_expired_coupon_gives_its_reservation_back(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    [item] = await shopper.inbox()
    at_noon.clock.advance(31 * 60)

    await at_noon.vicino.engine.upkeep.expire_coupons(at_noon.keys["retailer_id"])

    status, problem = await at_noon.till.call("POST", "/v1/redemptions", {"code": item["code"]})
    assert (status, problem["code"]) == (410, "expired")
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        row = await connection.fetchrow("SELECT issued, outstanding, redeemed, spend_reserved FROM ledgers")
    assert dict(row) == {"issued": 1, "outstanding": 0, "redeemed": 0, "spend_reserved": 0}


async def test_a_budget_of_three_gives_three_offers_to_twenty_at_once(at_noon: Mall) -> None:
    offer = at_noon.offer(budget={"issued": 3})
    await at_noon.server.post("/v1/offers", offer)
    shoppers = [await at_noon.shopper() for _ in range(20)]
    await asyncio.gather(*(shopper.looks_at("T-1") for shopper in shoppers))

    await asyncio.gather(*(shopper.ping(north_m=40) for shopper in shoppers))

    receipts = [receipt for shopper in shoppers for receipt in await shopper.receipts()]
    outcomes = [receipt["outcome"] for receipt in receipts]
    assert (outcomes.count("offer"), outcomes.count("silence")) == (3, 17)
    assert {tuple(r["reasons"]) for r in receipts if r["outcome"] == "silence"} == {("budget",)}


async def test_a_coupon_pressed_twenty_times_at_once_is_redeemed_once(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    [item] = await shopper.inbox()

    answers = await asyncio.gather(
        *(at_noon.till.call("POST", "/v1/redemptions", {"code": item["code"]}) for _ in range(20))
    )

    assert sorted(status for status, _ in answers) == [200] + [409] * 19


async def test_a_server_key_speaks_for_a_named_device_and_records_its_consents(at_noon: Mall) -> None:
    shopper = await at_noon.shopper(consents={"nearby_offers": {"granted": False}})
    path = f"/v1/devices/{shopper.device_id}/consents"
    await at_noon.server.put(path, {"nearby_offers": {"granted": True}})

    answer = await at_noon.server.post(
        "/v1/pings", {"device_id": shopper.device_id, "fixes": [at_noon.fix(40)]}
    )

    assert answer["accepted"] == 1
    assert await history(at_noon, shopper.device_id) == ["enter"]


@pytest.mark.parametrize(
    ("credential", "method", "path", "status"),
    [
        ("app_key", "GET", "/v1/inbox", 403),
        ("till_key", "GET", "/v1/decisions?device=x", 403),
        ("app_key", "POST", "/v1/redemptions", 403),
        ("server_key", "POST", "/v1/devices", 403),
        ("nobody", "POST", "/v1/pings", 401),
        ("pk_guess", "POST", "/v1/devices", 401),
        ("server_key", "GET", "/v1/nowhere", 404),
        ("server_key", "DELETE", "/v1/pings", 405),
        ("server_key", "GET", "/v1/decisions", 400),
        ("server_key", "GET", "/v1/decisions/dec_unknown", 404),
        ("server_key", "GET", "/v1/stores?cursor=%00", 400),
        ("server_key", "GET", "/v1/stores?limit=0", 400),
    ],
)
async def test_a_wrong_caller_or_address_gets_a_clear_problem(
    at_noon: Mall, credential: str, method: str, path: str, status: int
) -> None:
    client = at_noon.client(at_noon.keys.get(credential, credential))

    answered, problem = await client.call(method, path)

    assert answered == status
    assert problem["code"]
    assert problem["detail"]


async def test_one_retailer_sees_nothing_of_another(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    [receipt] = await shopper.receipts()
    [item] = await shopper.inbox()
    stranger = await at_noon.another_retailer()

    assert (await stranger.server.get(f"/v1/decisions?device={shopper.device_id}"))["items"] == []
    assert (await stranger.server.call("GET", f"/v1/decisions/{receipt['id']}"))[0] == 404
    assert (await stranger.server.get("/v1/stores"))["items"] == []
    assert (await stranger.server.call("GET", f"/v1/devices/{shopper.device_id}/consents"))[0] == 404
    assert (await stranger.till.call("POST", "/v1/redemptions", {"code": item["code"]}))[0] == 404


async def test_every_case_of_the_json_suite_gets_a_clear_answer(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    lines = shared_data("badinput", "jsontestsuite", "test_parsing.jsonl").read_text().splitlines()
    wrong = []
    for case in map(json.loads, lines):
        status, answer = await shopper.call("POST", "/v1/pings", base64.b64decode(case["b64"]))
        fine = {"reject": {400}, "accept": {422}, "either": {400, 422}}[case["expect"]]
        if status not in fine or not answer["detail"]:
            wrong.append((case["name"], status))

    assert not wrong


async def test_the_description_is_valid_openapi_and_lists_every_route(at_noon: Mall) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{at_noon.vicino.url}/openapi.json") as answer,
    ):
        described: dict[str, Any] = await answer.json()

    OpenAPIV31SpecValidator(described).validate()
    assert "/v1/notifications/{id}/{outcome}" in described["paths"]


async def test_health_readiness_and_metrics_answer(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    async with aiohttp.ClientSession() as session:
        for path, expected in (
            ("/healthz", "ok"),
            ("/readyz", "ready"),
            ("/metrics", 'result="accepted"} 1.0'),
        ):
            async with session.get(at_noon.vicino.url + path) as answer:
                assert answer.status == 200
                assert expected in await answer.text()
