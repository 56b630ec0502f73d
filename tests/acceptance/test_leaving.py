"""What becomes of an offer when its shopper leaves: nothing is sent any more, what was sent is taken back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.mall import Mall, Shopper, mall, until


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


async def leaves(shopper: Shopper) -> None:
    """The shopper walks away until nobody doubts it.

    Time leaps between the pings: a recall still under way by then would outlive its lease and be sent again.
    """
    for north_m in (400, 600, 800):
        shopper.mall.clock.advance(130)
        await shopper.ping(north_m=north_m)
        await until(lambda: _no_recall_waits(shopper.mall))


async def test_who_leaves_before_the_send_gets_nothing(at_noon: Mall) -> None:
    at_noon.fcm.fail_next("quota_exceeded", retry_after_s=300)
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    await until(lambda: _refused_for_now(shopper))

    await leaves(shopper)

    [receipt] = [one for one in await shopper.receipts() if one["outcome"] == "offer"]
    assert receipt["push"] == {"state": "withdrawn", "reason": "left"}
    assert at_noon.fcm.phone(shopper.address).accepted == []


async def test_who_leaves_after_the_send_has_it_taken_from_the_screen(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    push = await at_noon.fcm.wait_for_push(shopper.address, timeout_s=20)
    await until(lambda: _push(shopper, "sent"))

    await leaves(shopper)

    phone = at_noon.fcm.phone(shopper.address)
    await until(lambda: _taken_back(at_noon, shopper))
    assert phone.taken_back == [push.push_id]
    assert phone.shown == []
    [item] = await shopper.inbox()  # what she may still come back for
    assert item["id"] == push.push_id


async def test_what_she_has_opened_is_left_to_her(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    push = await at_noon.fcm.wait_for_push(shopper.address, timeout_s=20)
    await until(lambda: _push(shopper, "sent"))
    await shopper.post(f"/v1/notifications/{push.push_id}/opened", {})

    await leaves(shopper)

    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox WHERE kind = 'recall'") == 0


async def test_every_push_is_counted_by_how_it_ended(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    await at_noon.fcm.wait_for_push(shopper.address, timeout_s=20)
    await until(lambda: _push(shopper, "sent"))
    await leaves(shopper)
    await until(lambda: _taken_back(at_noon, shopper))
    at_noon.clock.advance(1)

    async def told() -> bool:
        pushes = (await at_noon.server.get("/v1/deliveries"))["pushes"]
        return [(one["kind"], one["state"], one["count"]) for one in pushes] == [
            ("offer", "sent", 1),
            ("recall", "sent", 1),
        ]

    await until(told)
    status, problem = await at_noon.server.call("GET", "/v1/deliveries?since=yesterday")
    assert (status, problem["field"]) == (400, "since")


async def _refused_for_now(shopper: Shopper) -> bool:
    """FCM has refused it once, and it waits to be sent again."""
    push = (await shopper.receipts())[0]["push"]
    return bool(push == {"state": "pending", "reason": "quota_exceeded:project"})


async def _push(shopper: Shopper, state: str) -> bool:
    offers = [one for one in await shopper.receipts() if one["outcome"] == "offer"]
    return bool(offers) and offers[0]["push"]["state"] == state


async def _no_recall_waits(at: Mall) -> bool:
    async with at.vicino.database.transaction(at.keys["retailer_id"]) as connection:
        return not await connection.fetchval(
            "SELECT count(*) FROM outbox WHERE kind = 'recall' AND state IN ('pending', 'leased')"
        )


async def _taken_back(at: Mall, shopper: Shopper) -> bool:
    return bool(at.fcm.phone(shopper.address).taken_back)
