"""Budgets of a running server: per store, per day and per shopper, given back when coupons expire."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.mall import Mall, Shopper, mall


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path, shopper_per_day=9, shopper_per_week=99) as opened:
        yield opened


async def comes_in(at: Mall) -> Shopper:
    shopper = await at.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    return shopper


async def outcome(shopper: Shopper) -> tuple[str, list[str]]:
    receipt = (await shopper.receipts())[0]
    return receipt["outcome"], receipt["reasons"]


async def publishes(at: Mall, *caps: dict[str, Any]) -> None:
    await at.server.post("/v1/offers", at.offer(budget={"caps": list(caps)}))


async def test_a_stores_day_has_so_many_coupons_and_the_next_day_as_many_again(at_noon: Mall) -> None:
    await publishes(at_noon, {"per": "store", "period": "day", "issued": 2})
    told = [await outcome(await comes_in(at_noon)) for _ in range(3)]
    assert told == [("offer", []), ("offer", []), ("silence", ["budget"])]

    at_noon.clock.advance(24 * 3600)
    assert await outcome(await comes_in(at_noon)) == ("offer", [])


async def test_a_day_is_spent_at_its_pace(at_noon: Mall) -> None:
    # Open from 9 to 21: at noon a quarter of the day is over, and of 8 coupons 3 are free (5 % + 95 % / 4).
    await publishes(at_noon, {"period": "day", "issued": 8, "pace": True})
    told = [(await outcome(await comes_in(at_noon)))[0] for _ in range(4)]
    assert told == ["offer"] * 3 + ["silence"]

    at_noon.clock.advance(3 * 3600)
    assert await outcome(await comes_in(at_noon)) == ("offer", [])


async def test_what_expired_coupons_held_is_there_again(at_noon: Mall) -> None:
    await publishes(at_noon, {"period": "week", "redemptions": 1})
    first, second = await comes_in(at_noon), await comes_in(at_noon)
    assert [(await outcome(one))[0] for one in (first, second)] == ["offer", "silence"]

    at_noon.clock.advance(3600)
    await at_noon.vicino.engine.upkeep.expire_coupons(at_noon.keys["retailer_id"])
    assert await outcome(await comes_in(at_noon)) == ("offer", [])


async def test_a_redeemed_coupon_keeps_its_place(at_noon: Mall) -> None:
    await publishes(at_noon, {"period": "month", "redemptions": 1})
    [item] = await (await comes_in(at_noon)).inbox()
    await at_noon.till.post("/v1/redemptions", {"code": item["code"]})

    at_noon.clock.advance(3600)
    await at_noon.vicino.engine.upkeep.expire_coupons(at_noon.keys["retailer_id"])
    assert await outcome(await comes_in(at_noon)) == ("silence", ["budget"])


async def test_a_shopper_has_her_share_and_others_have_theirs(at_noon: Mall) -> None:
    await publishes(at_noon, {"per": "shopper", "period": "day", "issued": 1})
    her = await comes_in(at_noon)
    assert await outcome(her) == ("offer", [])
    for north_m in (400, 600, 800):
        at_noon.clock.advance(130)
        await her.ping(north_m=north_m)
    at_noon.clock.advance(600)
    await her.looks_at("T-1")
    await her.ping(north_m=40)
    assert await outcome(her) == ("silence", ["budget"])
    assert await outcome(await comes_in(at_noon)) == ("offer", [])
