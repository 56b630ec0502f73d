"""The marketer's side: drafts, approvals, pause, the kill switch, versions, previews, segments."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.auth import new_key, secret_hash
from tests.acceptance.mall import Mall, Shopper, mall, until

ADD_KEY = "INSERT INTO api_keys (retailer_id, key_hash, kind) VALUES ($1, $2, 'server')"


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


async def comes_in(at: Mall, **traits: str) -> Shopper:
    shopper = await at.shopper()
    if traits:
        await at.server.put(f"/v1/devices/{shopper.device_id}/traits", traits)
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    return shopper


async def reasons(shopper: Shopper) -> list[str]:
    told: list[str] = (await shopper.receipts())[0]["reasons"]
    return told


async def publishes(at: Mall, **changes: Any) -> Any:
    return await at.server.post("/v1/offers", at.offer(**changes))


async def does(at: Mall, action: str) -> Any:
    return await at.server.post(f"/v1/offers/trainers-15/{action}", {})


async def test_an_offer_goes_from_draft_to_its_end(at_noon: Mall) -> None:
    await publishes(at_noon, status="draft")
    assert await reasons(await comes_in(at_noon)) == ["not_live"]

    assert (await does(at_noon, "approve"))["status"] == "approved"
    assert await reasons(await comes_in(at_noon)) == ["not_live"]
    assert (await does(at_noon, "start"))["status"] == "live"
    assert await reasons(await comes_in(at_noon)) == []
    assert (await does(at_noon, "pause"))["status"] == "paused"
    assert await reasons(await comes_in(at_noon)) == ["not_live"]
    assert (await does(at_noon, "resume"))["status"] == "live"
    assert (await does(at_noon, "end"))["status"] == "ended"

    status, problem = await at_noon.server.call("POST", "/v1/offers/trainers-15/start", {})
    assert (status, problem["code"]) == (409, "wrong_status")
    assert (await at_noon.server.call("POST", "/v1/offers/nothing/end", {}))[0] == 404


async def test_above_n_shoppers_two_people_have_to_approve(at_noon: Mall) -> None:
    for _ in range(3):
        await at_noon.shopper()
    await at_noon.server.put("/v1/settings", {"approval_above": 2})
    report = await publishes(at_noon, name="Changed")
    assert [warning["code"] for warning in report["warnings"]] == ["needs_approval"]
    assert (await at_noon.server.get("/v1/offers/trainers-15"))["status"] == "draft"

    first = await does(at_noon, "approve")
    assert (first["status"], first["moved"], first["approvals_needed"]) == ("draft", False, 2)
    again = await does(at_noon, "approve")  # the same person twice is one
    assert again["status"] == "draft"

    retailer_id = at_noon.keys["retailer_id"]
    key = new_key("server")
    async with at_noon.vicino.database.transaction(retailer_id) as connection:
        await connection.execute(ADD_KEY, retailer_id, secret_hash(key))
    second = at_noon.client(key)
    assert (await second.post("/v1/offers/trainers-15/approve", {}))["status"] == "approved"
    assert (await does(at_noon, "start"))["status"] == "live"

    await publishes(at_noon, name="Changed again")
    assert (await at_noon.server.get("/v1/offers/trainers-15"))["status"] == "draft"


async def test_few_coupons_reach_few_and_need_one_person(at_noon: Mall) -> None:
    for _ in range(3):
        await at_noon.shopper()
    await at_noon.server.put("/v1/settings", {"approval_above": 2})
    await publishes(at_noon, budget={"issued": 2})
    assert (await does(at_noon, "approve"))["status"] == "approved"


async def test_the_kill_switch_stops_all_within_five_seconds_and_takes_back_what_was_sent(
    at_noon: Mall,
) -> None:
    shopper = await comes_in(at_noon)
    push = await at_noon.fcm.wait_for_push(shopper.address, timeout_s=20)
    await until(lambda: _sent(shopper))
    began = time.monotonic()
    stopped = await at_noon.server.post("/v1/offers/stop", {})
    assert await reasons(await comes_in(at_noon)) == ["stopped"]
    assert time.monotonic() - began < 5
    assert stopped["recalled"] == 1
    await until(lambda: _taken_back(at_noon, shopper))
    assert at_noon.fcm.phone(shopper.address).taken_back == [push.push_id]

    await at_noon.server.put("/v1/settings", {"speaking": True})
    assert await reasons(await comes_in(at_noon)) == []


async def test_every_version_is_kept_and_who_approved_which(at_noon: Mall) -> None:
    await publishes(at_noon, status="draft", name="Second")
    await does(at_noon, "approve")
    items = (await at_noon.server.get("/v1/offers/trainers-15/versions"))["items"]
    assert [item["body"].get("status", "live") for item in items] == ["approved", "draft", "live"]
    approvals = "/v1/offers/trainers-15/approvals"
    assert [one["as_it_stands"] for one in (await at_noon.server.get(approvals))["items"]] == [True]
    await publishes(at_noon, status="draft", name="Third")
    assert [one["as_it_stands"] for one in (await at_noon.server.get(approvals))["items"]] == [False]
    assert (await at_noon.server.call("GET", "/v1/offers/nothing/approvals"))[0] == 404


async def test_messages_are_previewed_in_every_language_with_what_is_doubtful(at_noon: Mall) -> None:
    told = await at_noon.server.post(
        "/v1/offers/preview", {"external_id": "trainers-15", "sku": "T-1", "store": "shoes-1"}
    )
    assert told["messages"]["en"]["title"] == "15% off the Trail trainers you looked at"
    assert told["messages"]["fi"]["body"] == "Corner Shoes, 40 m, 12:30 asti"
    assert told["messages"]["en"]["fits"] is True

    hurried = at_noon.offer(message={"en": {"title": "Last chance!", "body": "x" * 300}})
    told = await at_noon.server.post("/v1/offers/preview", {"offer": hurried})
    assert [warning["code"] for warning in told["warnings"]] == ["false_urgency", "cut_off", "cut_off"]
    assert told["messages"]["en"]["android"]["body_cut"] is True
    report = await at_noon.server.post("/v1/offers", hurried)
    assert [warning["code"] for warning in report["warnings"]] == ["false_urgency", "cut_off", "cut_off"]


async def test_an_offer_for_gold_members_is_theirs_alone(at_noon: Mall) -> None:
    await publishes(at_noon, conditions={"segments": {"tiers": ["gold"]}})
    assert await reasons(await comes_in(at_noon)) == ["segment"]
    assert await reasons(await comes_in(at_noon, tier="silver")) == ["segment"]
    assert await reasons(await comes_in(at_noon, tier="gold")) == []


async def _sent(shopper: Shopper) -> bool:
    return bool((await shopper.receipts())[0]["push"]["state"] == "sent")


async def _taken_back(at: Mall, shopper: Shopper) -> bool:
    return bool(at.fcm.phone(shopper.address).taken_back)
