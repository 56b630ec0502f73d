"""What a shopper permits: recorded so that it can be shown, and undone at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from server.privacy.consents import end_consents
from tests.acceptance.mall import ALL_CONSENTS, SHOP, Mall, Shopper, mall, until

TEXT_HASH = "ab" * 32
WITHDRAWN_WITHIN_S = 5.0


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


async def rows(opened: Mall, query: str) -> list[Any]:
    async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
        return list(await connection.fetch(query))


async def kept(opened: Mall) -> dict[str, int]:
    """How many rows there are that say where somebody was or what she looked at."""
    tables = ("transitions", "visits", "decisions", "inbox")
    return {table: len(await rows(opened, f"SELECT 1 FROM {table}")) for table in tables}


async def test_every_answer_is_kept_with_its_text_time_and_end(at_noon: Mall) -> None:
    shopper = await at_noon.shopper(consents={"push": {"granted": True, "text_version": "7", "locale": "fi"}})
    at_noon.clock.advance(60)
    await shopper.put("/v1/me/consents", {"insight": {"granted": True, "text_hash": TEXT_HASH}})
    at_noon.clock.advance(60)
    await at_noon.server.put(f"/v1/devices/{shopper.device_id}/consents", {"push": {"granted": False}})

    told = (await shopper.get("/v1/me/consents/history"))["items"]

    assert told == [
        {
            "purpose": "push",
            "status": "granted",
            "told_by": "app",
            "at": "2026-11-18T10:00:00Z",
            "text_version": "7",
            "locale": "fi",
            "expires_at": "2027-11-18T10:00:00Z",
        },
        {
            "purpose": "insight",
            "status": "granted",
            "told_by": "app",
            "at": "2026-11-18T10:01:00Z",
            "text_hash": TEXT_HASH,
            "expires_at": "2027-11-18T10:01:00Z",
        },
        {"purpose": "push", "status": "withdrawn", "told_by": "retailer", "at": "2026-11-18T10:02:00Z"},
    ]
    path = f"/v1/devices/{shopper.device_id}/consents/history"
    assert (await at_noon.server.get(path))["items"] == told


async def test_the_trail_can_be_added_to_and_not_changed(at_noon: Mall) -> None:
    await at_noon.shopper()

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await rows(at_noon, "UPDATE consent_changes SET status = 'granted'")


async def test_a_text_hash_that_is_none_is_refused_by_name(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()

    status, problem = await shopper.call(
        "PUT", "/v1/me/consents", {"push": {"granted": True, "text_hash": "no"}}
    )

    assert (status, problem["field"]) == (422, "push.text_hash")


async def test_without_any_consent_nothing_of_what_she_sends_is_written(at_noon: Mall) -> None:
    shopper = await at_noon.shopper(consents={name: {"granted": False} for name in ALL_CONSENTS})
    before = await rows(at_noon, "SELECT inputs FROM journal")

    await shopper.ping(north_m=40)
    await shopper.looks_at("T-1")

    assert await rows(at_noon, "SELECT inputs FROM journal") == before
    assert set((await kept(at_noon)).values()) == {0}


@pytest.fixture
async def waiting(at_noon: Mall) -> Shopper:
    """A shopper with a push that FCM does not take yet: it will be tried again."""
    at_noon.fcm.fail_next("unavailable", retry_after_s=10)
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)

    async def tried() -> bool:
        states = await rows(at_noon, "SELECT state, attempts FROM outbox")
        return [(row["state"], row["attempts"] > 0) for row in states] == [("pending", True)]

    await until(tried)
    return shopper


@pytest.mark.parametrize("purpose", ["push", "nearby_offers"])
async def test_a_withdrawal_stops_a_push_that_waits_within_five_seconds(
    at_noon: Mall, waiting: Shopper, purpose: str
) -> None:
    began = time.monotonic()

    await waiting.put("/v1/me/consents", {purpose: {"granted": False}})

    [row] = await rows(at_noon, "SELECT state, reason FROM outbox")
    assert time.monotonic() - began < WITHDRAWN_WITHIN_S
    assert tuple(row) == ("withdrawn", "no_consent")
    at_noon.clock.advance(30)  # past the time of the next try
    other = await at_noon.shopper()
    await other.looks_at("T-1")
    await other.ping(north_m=40)
    await at_noon.fcm.wait_for_push(other.address, timeout_s=20)
    assert at_noon.fcm.phone(waiting.address).accepted == []


async def test_limits_that_change_stop_a_push_that_was_judged_by_the_old_ones(
    at_noon: Mall, waiting: Shopper
) -> None:
    await waiting.put("/v1/me/preferences", {"muted_stores": ["shoes-1"]})

    [row] = await rows(at_noon, "SELECT state, reason FROM outbox")
    assert tuple(row) == ("withdrawn", "preferences")


async def test_withdrawing_nearby_offers_forgets_where_she_was(at_noon: Mall) -> None:
    shopper, other = await at_noon.shopper(), await at_noon.shopper()
    await asyncio.gather(shopper.ping(north_m=40), other.ping(north_m=40))
    assert (await kept(at_noon))["visits"] == 2

    await shopper.put("/v1/me/consents", {"nearby_offers": {"granted": False}})

    assert {row[0] for row in await rows(at_noon, "SELECT shopper_id FROM visits")} == {other.shopper_id}
    left = await rows(at_noon, "SELECT shopper_id FROM transitions")
    assert {row[0] for row in left} == {other.shopper_id}


async def test_a_consent_that_was_not_renewed_for_a_year_ends_and_what_it_allowed_to_know_goes(
    at_noon: Mall,
) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)
    at_noon.clock.advance(366 * 86_400)

    engine, retailer_id = at_noon.vicino.engine, at_noon.keys["retailer_id"]
    await end_consents(at_noon.vicino.database, at_noon.clock, retailer_id, engine.submit)

    assert (await kept(at_noon))["visits"] == 0
    last = await rows(at_noon, "SELECT purpose, status, told_by FROM consent_changes ORDER BY change_id DESC")
    assert {tuple(row) for row in last[:5]} == {(name, "expired", "clock") for name in ALL_CONSENTS}
    await end_consents(at_noon.vicino.database, at_noon.clock, retailer_id, engine.submit)
    assert len(await rows(at_noon, "SELECT 1 FROM consent_changes")) == 10


async def test_what_was_measured_in_the_background_is_taken_with_that_consent_alone(at_noon: Mall) -> None:
    shopper = await at_noon.shopper(consents={"nearby_offers": {"granted": True}})
    behind = {"fixes": [at_noon.fix(40)], "background": True}

    refused = await shopper.post("/v1/pings", behind)
    assert refused["rejected"] == [{"index": 0, "reason": "no_consent"}]
    assert (await shopper.ping(north_m=41))["accepted"] == 1
    await shopper.put("/v1/me/consents", {"background_location": {"granted": True}})
    assert (await shopper.post("/v1/pings", behind))["accepted"] == 1
    await shopper.put("/v1/me/consents", {"background_location": {"granted": False}})
    at_noon.clock.advance(30)
    assert (await shopper.post("/v1/pings", behind | {"fixes": [at_noon.fix(42)]}))["accepted"] == 0


async def test_radars_background_tracks_need_that_consent_too(at_noon: Mall) -> None:
    phone, key = at_noon.client(""), {"Authorization": at_noon.keys["app_key"]}
    track = {"deviceId": "r-1", "latitude": SHOP[0], "longitude": SHOP[1], "accuracy": 5}
    await phone.post("/v1/track", track, **key)
    await at_noon.server.put("/v1/devices/r-1/consents", {"nearby_offers": {"granted": True}})

    behind = await phone.post("/v1/track", track | {"foreground": False}, **key)
    before = await phone.post("/v1/track", track | {"foreground": True}, **key)

    assert (behind["events"], len(before["events"])) == ([], 1)
