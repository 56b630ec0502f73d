"""A retailer's own codes: pools, of which each offer gives out the next, and one code for everybody."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.mall import Mall, mall
from tests.acceptance.test_till import code_of, comes_in, tells
from tests.faults.invariants import LEDGERS_THAT_DIFFER


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened
        async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
            assert await connection.fetch(LEDGERS_THAT_DIFFER) == []


async def offers(at: Mall, **changes: Any) -> None:
    await at.server.post("/v1/offers", at.offer(**changes))


async def fills(at: Mall, codes: str, pool: str = "spring") -> Any:
    return await at.server.post(f"/v1/codes/{pool}", codes.encode())


async def test_each_coupon_has_the_next_code_of_the_pool_which_works_once(at_noon: Mall) -> None:
    await offers(at_noon, code={"pool": "spring"})
    await fills(at_noon, "code\nSPRING-1\nSPRING-2\nSPRING-3\n")
    given = [await code_of(at_noon) for _ in range(2)]
    assert len(set(given)) == 2
    assert set(given) < {"SPRING-1", "SPRING-2", "SPRING-3"}
    assert (await tells(at_noon, f" {given[0].lower()}"))[0] == 200
    status, refused = await tells(at_noon, given[0])
    assert (status, refused["code"]) == (409, "already_redeemed")
    [left] = {"SPRING-1", "SPRING-2", "SPRING-3"} - set(given)
    assert (await tells(at_noon, left))[1]["code"] == "unknown_code"  # given to nobody yet
    assert (await at_noon.server.get("/v1/codes"))["items"] == [{"pool": "spring", "free": 1, "given": 2}]


async def test_an_empty_pool_is_silence_and_a_filled_one_speaks_again(at_noon: Mall) -> None:
    await offers(at_noon, code={"pool": "spring"})
    await fills(at_noon, "ONLY-ONE")
    assert await code_of(at_noon) == "ONLY-ONE"
    shopper = await comes_in(at_noon)
    assert await shopper.inbox() == []
    assert "budget" in (await shopper.receipts())[0]["reasons"]
    await fills(at_noon, "ONE-MORE")
    assert await code_of(at_noon) == "ONE-MORE"


async def test_a_code_is_in_one_pool_and_given_once_however_often_it_is_sent(at_noon: Mall) -> None:
    await offers(at_noon, code={"pool": "spring"})
    assert (await fills(at_noon, "A-1\na-1\nB-1"))["added"] == 2
    given = await code_of(at_noon)
    again = await fills(at_noon, "A-1\nB-1\nC-1\nfrüh\n" + "x" * 41, pool="summer")
    assert (again["added"], again["known"], again["bad"]) == (1, 2, 2)
    assert [one["line"] for one in again["refused"]] == [4, 5]
    assert await code_of(at_noon) in {"A-1", "B-1"} - {given}
    assert (await at_noon.server.call("DELETE", "/v1/codes/summer"))[1] == {"removed": 1}


async def test_what_lies_in_a_pool_cannot_be_read_there(at_noon: Mall) -> None:
    await offers(at_noon, code={"pool": "spring"})
    await fills(at_noon, "SECRET-1\nSECRET-2")
    await code_of(at_noon)
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT sealed, given_at FROM pool_codes ORDER BY given_at NULLS LAST")
    assert rows[0]["sealed"] is None
    assert b"SECRET" not in rows[1]["sealed"]


async def test_one_code_for_all_is_good_as_often_as_it_was_given(at_noon: Mall) -> None:
    await offers(at_noon, code={"static": "Summer 15"})
    assert [await code_of(at_noon) for _ in range(2)] == ["Summer 15", "Summer 15"]
    assert [(await tells(at_noon, "SUMMER15"))[0] for _ in range(2)] == [200, 200]
    status, refused = await tells(at_noon, "summer15")
    assert (status, refused["code"]) == (409, "none_left")
    taken_back = await at_noon.till.call("POST", "/v1/redemptions/reversals", {"code": "summer15"})
    assert (taken_back[0], taken_back[1]["reusable"]) == (200, True)
    assert (await tells(at_noon, "summer15"))[0] == 200


async def test_coupons_that_do_not_stack_are_not_used_in_one_sale(at_noon: Mall) -> None:
    await offers(at_noon, conditions={"stacks": False})
    first, second = [await code_of(at_noon) for _ in range(2)]
    _, used = await tells(at_noon, first)
    status, refused = await tells(at_noon, second, **{"with": [used["decision_id"]]})
    assert (status, refused["code"]) == (409, "not_combinable")
    status, refused = await tells(at_noon, second, **{"with": ["dec_unheard_of"]})
    assert (status, refused["code"]) == (422, "unknown_decision")
    assert (await tells(at_noon, second))[0] == 200
