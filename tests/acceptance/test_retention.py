"""What is old goes by itself: the clock alone moves here."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.privacy.retention import Keep, forget_old
from tests.acceptance.mall import Mall, mall

DAY_S = 86_400
BY_AGE = ("transitions", "visits", "decisions", "inbox", "outbox", "coupons")


@pytest.fixture
async def lived(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    """A visit with an offer that was redeemed; it is over, so that no timer adds to it."""
    async with mall(database_url, tmp_path) as opened:
        shopper = await opened.shopper()
        await shopper.looks_at("T-1")
        await shopper.ping(north_m=40)
        [item] = await shopper.inbox()
        await opened.till.post("/v1/redemptions", {"code": item["code"]})
        opened.clock.advance(240)
        await shopper.ping(north_m=700)
        yield opened


async def left_after(lived: Mall, days: float, keep: Keep | None = None) -> set[str]:
    """The tables that still hold something when so many days have passed."""
    lived.clock.advance(days * DAY_S)
    await forget_old(lived.vicino.database, lived.clock, keep or Keep())
    left = set()
    async with lived.vicino.database.transaction(lived.keys["retailer_id"]) as connection:
        for table in BY_AGE:
            if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):
                left.add(table)
    return left


async def test_each_kind_is_kept_for_its_days_and_no_longer(lived: Mall) -> None:
    assert await left_after(lived, 89.9) == set(BY_AGE)
    assert await left_after(lived, 0.2) == set(BY_AGE) - {"transitions", "visits"}
    assert await left_after(lived, 89.8) == set(BY_AGE) - {"transitions", "visits"}
    assert await left_after(lived, 0.2) == {"coupons"}
    assert await left_after(lived, 215.8) == {"coupons"}
    assert await left_after(lived, 0.2) == set()


async def test_the_days_are_the_operators_to_set(lived: Mall) -> None:
    assert await left_after(lived, 2, Keep(visits=1, decisions=3, redemptions=3)) == {
        *("decisions", "inbox", "outbox", "coupons")
    }


async def test_a_coupon_that_still_holds_a_budget_outlasts_its_days(
    database_url: str, tmp_path: Path
) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper = await opened.shopper()
        await shopper.looks_at("T-1")
        await shopper.ping(north_m=40)

        assert "coupons" in await left_after(opened, 400)

        await opened.vicino.engine.upkeep.expire_coupons(opened.keys["retailer_id"])
        assert "coupons" not in await left_after(opened, 0)


async def test_more_than_one_step_is_taken_where_much_is_old(
    lived: Mall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.privacy.retention.ROWS_AT_ONCE", 1)
    async with lived.vicino.database.transaction(lived.keys["retailer_id"]) as connection:
        await connection.execute(
            "INSERT INTO transitions SELECT retailer_id, transition_id || n, device_id, shopper_id, geofence,"
            " store, kind, at, received_at, confidence, revised FROM transitions, generate_series(1, 5) AS n"
        )

    assert "transitions" not in await left_after(lived, 91)


async def test_nobody_but_the_tables_named_is_forgotten(lived: Mall) -> None:
    import asyncpg

    with pytest.raises(asyncpg.RaiseError, match="nothing of shoppers is forgotten by age"):
        async with lived.vicino.database.system() as connection:
            await connection.fetchval("SELECT forget_older('shoppers', now(), 1)")
