"""A stored day, replayed with nothing changed, gives the same decisions and the same states."""

from datetime import UTC, datetime
from pathlib import Path

from server.clock import from_us
from server.replay_journal import replay_day
from tests.acceptance.mall import OFFER, Mall, mall


async def live_a_day(opened: Mall) -> None:
    """Several shoppers, offers, silences, a budget that runs out, an edit at noon, a redemption, a dwell."""
    shoppers = [await opened.shopper() for _ in range(5)]
    for number, shopper in enumerate(shoppers):
        await shopper.looks_at("T-1", ago_s=600)
        await shopper.ping(north_m=300)
        opened.clock.advance(240)
        await shopper.ping(north_m=40 + number)
        opened.clock.advance(70)
    await opened.server.post("/v1/offers", OFFER | {"budget": {"issued": 0}})
    [item] = await shoppers[0].inbox()
    await opened.till.post("/v1/redemptions", {"code": item["code"]})
    await shoppers[0].post(f"/v1/notifications/{item['id']}/opened", None)
    await shoppers[1].put("/v1/me/preferences", {"max_per_day": 1})
    for shopper in shoppers:
        await shopper.ping(north_m=400)
        opened.clock.advance(240)
        await shopper.ping(north_m=30, ago_s=5)
        await shopper.ping(north_m=500, ago_s=10)  # out of order
        await shopper.looks_at("T-1")


async def test_nothing_changed_means_the_same_decisions(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path, retailer_per_day=3) as opened:
        await live_a_day(opened)
        day = from_us(opened.clock.now_us()).date()

        replayed = await replay_day(opened.vicino.database, opened.keys["retailer_id"], day)

    assert replayed.offers == 3
    assert replayed.decisions > 10
    assert replayed.different == ()
    assert replayed.states == 5
    assert replayed.different_states == ()


async def test_the_second_day_starts_from_the_states_of_that_morning(
    database_url: str, tmp_path: Path
) -> None:
    async with mall(database_url, tmp_path) as opened:
        await live_a_day(opened)
        opened.clock.advance(86_400)
        shopper = await opened.shopper()
        await shopper.looks_at("T-1")
        await shopper.ping(north_m=20)
        second = from_us(opened.clock.now_us()).date()
        first = datetime(second.year, second.month, second.day - 1, tzinfo=UTC).date()

        both = [
            await replay_day(opened.vicino.database, opened.keys["retailer_id"], day)
            for day in (first, second)
        ]

    assert [replayed.different for replayed in both] == [(), ()]
    assert all(replayed.decisions for replayed in both)


async def test_a_changed_program_shows(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path) as opened:
        await live_a_day(opened)
        day = from_us(opened.clock.now_us()).date()
        retailer_id = opened.keys["retailer_id"]
        async with opened.vicino.database.transaction(retailer_id) as connection:
            await connection.execute(
                "UPDATE published SET body = jsonb_set(body, '{holdout}', '1') WHERE kind = 'settings'"
            )

        replayed = await replay_day(opened.vicino.database, retailer_id, day)

    assert replayed.different
