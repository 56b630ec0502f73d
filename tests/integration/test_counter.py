"""The counter: what tills ask together in one micro-batch, and in the batches of several parts at once."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from offers.budget import Budget
from offers.catalogue import Catalogue
from server.cli.retailer import create_retailer
from server.clock import SystemClock, from_us
from server.counter import redeem
from server.db import Connection, Database
from server.ledgers import Ledgers, Place
from server.redeem import Answer, Redeem
from server.sql import queries
from server.tills import WRONG_MOST
from server.writes import Writes, array_literal, columns
from tests.faults.invariants import LEDGERS_THAT_DIFFER
from tests.unit.offers.scene import OFFER, STORE, TRAINERS, changed

SQL = queries("engine")
CATALOGUE = Catalogue.build((STORE,), (TRAINERS,), (changed(OFFER, budget=Budget(issued=100)),), version=1)
PLACE = Place(store=STORE.external_id, shopper_id="shp_1")
COUPONS = (b"coupon 1", b"coupon 2", b"coupon 3")


class Shop:
    """A retailer with three coupons outstanding."""

    def __init__(self, database: Database, retailer_id: str) -> None:
        self.database, self.retailer_id = database, retailer_id

    async def ask(self, *asks: Redeem) -> list[Answer]:
        """What a micro-batch answers; committed."""
        async with self.database.transaction(self.retailer_id) as connection:
            answers = await redeem(connection, self.retailer_id, asks, CATALOGUE)
            await self.settle(connection, answers)
        return answers

    async def settle(self, connection: Connection, answers: list[Answer]) -> None:
        now_us = SystemClock().now_us()
        ledgers = await Ledgers.lock(
            connection, self.retailer_id, CATALOGUE, {"mom": PLACE}, answers, now_us=now_us
        )
        writes = Writes()
        await ledgers.write(connection, writes, self.retailer_id, from_us(now_us).date())
        await writes.run(connection)

    async def ledger(self) -> tuple[int, int]:
        async with self.database.transaction(self.retailer_id) as connection:
            assert await connection.fetch(LEDGERS_THAT_DIFFER) == []
            row = await connection.fetchrow("SELECT outstanding, redeemed FROM ledgers")
        assert row is not None
        return row["outstanding"], row["redeemed"]


@pytest.fixture
async def shop(database: Database) -> Shop:
    retailer_id = (await create_retailer(database, "Counter", {}))["retailer_id"]
    now = from_us(SystemClock().now_us())
    async with database.transaction(retailer_id) as connection:
        ledgers = await Ledgers.lock(
            connection, retailer_id, CATALOGUE, {"mom": PLACE}, now_us=SystemClock().now_us()
        )
        coupons: list[tuple[Any, ...]] = []
        for number, code_hash in enumerate(COUPONS):
            ledgers.reserve(OFFER.external_id, PLACE, Decimal(10))
            sold = (OFFER.external_id, None, PLACE.store, Decimal(10), OFFER.discount)
            whose = (code_hash, f"dec_{number}", PLACE.shopper_id)
            coupons.append((*whose, *sold, now, now + timedelta(hours=1), array_literal([""]), None))
        writes = Writes()
        writes.add(SQL["add_coupons"], retailer_id, *columns(coupons))
        await ledgers.write(connection, writes, retailer_id, now.date())
        await writes.run(connection)
    return Shop(database, retailer_id)


def ask(code_hash: bytes, key: str | None = None, **more: Any) -> Redeem:
    asked = Redeem(
        code_hash=code_hash,
        store=None,
        received_at_us=SystemClock().now_us(),
        caller="till",
        idempotency_key=key,
        request_hash=b"",
    )
    return msgspec.structs.replace(asked, **more)


async def test_of_two_who_ask_for_one_coupon_together_the_first_is_granted_it(shop: Shop) -> None:
    first, second = await shop.ask(ask(COUPONS[0]), ask(COUPONS[0]))
    assert (first.status, second.status) == (200, 409)
    assert second.body["code"] == "already_redeemed"
    assert await shop.ledger() == (2, 1)


async def test_a_repeat_in_the_same_batch_gets_the_first_answer_and_grants_nothing(shop: Shop) -> None:
    first, second = await shop.ask(ask(COUPONS[0], "k"), ask(COUPONS[0], "k"))
    assert first.granted is not None
    assert (second.status, second.body, second.granted, second.moved) == (200, first.body, None, None)
    [third] = await shop.ask(ask(COUPONS[0], "k"))
    assert (third.status, third.body, third.granted) == (200, first.body, None)
    [other] = await shop.ask(ask(COUPONS[1], "k", request_hash=b"another"))
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")
    assert await shop.ledger() == (2, 1)


async def test_what_is_redeemed_and_taken_back_in_one_batch_is_as_it_was(shop: Shop) -> None:
    asks = [ask(COUPONS[0]), ask(COUPONS[0], reverse=True), ask(COUPONS[0]), ask(COUPONS[1])]
    assert [answer.status for answer in await shop.ask(*asks)] == [200, 200, 200, 200]
    assert await shop.ledger() == (1, 2)


async def test_a_till_is_locked_out_in_the_midst_of_a_batch(shop: Shop) -> None:
    wrong = [ask(f"wrong {number}".encode(), till=True) for number in range(WRONG_MOST)]
    *refused, locked = await shop.ask(*wrong, ask(COUPONS[0], till=True))
    assert {answer.status for answer in refused} == {404}
    assert (locked.status, locked.body["code"]) == (429, "till_locked")
    [later] = await shop.ask(ask(COUPONS[0], till=True))
    assert later.status == 429
    [another] = await shop.ask(ask(COUPONS[0], till=True, caller="another till"))
    assert another.status == 200


async def test_batches_that_want_the_same_coupons_in_another_order_wait_in_no_ring(shop: Shop) -> None:
    """Both wait for the first coupon at a time when neither has another, however they were asked."""
    asks = [ask(code_hash) for code_hash in COUPONS]
    async with shop.database.transaction(shop.retailer_id) as holding:
        await redeem(holding, shop.retailer_id, asks[:1], CATALOGUE)
        both = [asyncio.create_task(shop.ask(*order)) for order in (asks, asks[::-1])]
        while await _waiting(shop) < 2:
            await asyncio.sleep(0.01)
        answers = await redeem(holding, shop.retailer_id, [ask(COUPONS[0], reverse=True)], CATALOGUE)
        assert answers[0].status == 200
    told = [answer.status for batch in await asyncio.gather(*both) for answer in batch]
    assert sorted(told) == [200, 200, 200, 409, 409, 409]
    assert await shop.ledger() == (0, 3)


async def _waiting(shop: Shop) -> int:
    async with shop.database.system() as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return count
