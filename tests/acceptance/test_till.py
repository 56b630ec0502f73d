"""The till: baskets, parts, reversals, limits, uploads; the inbox; presence tokens."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from server.presence import verified
from tests.acceptance.mall import Mall, Shopper, mall
from tests.faults.invariants import LEDGERS_THAT_DIFFER


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened
        async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
            assert await connection.fetch(LEDGERS_THAT_DIFFER) == []


async def comes_in(at: Mall) -> Shopper:
    shopper = await at.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    return shopper


async def code_of(at: Mall) -> str:
    [item] = await (await comes_in(at)).inbox()
    return str(item["code"])


async def tells(at: Mall, code: str, **more: Any) -> tuple[int, Any]:
    return await at.till.call("POST", "/v1/redemptions", {"code": code, **more})


async def ledger(at: Mall) -> dict[str, Decimal]:
    async with at.vicino.database.transaction(at.keys["retailer_id"]) as connection:
        row = await connection.fetchrow("SELECT * FROM ledgers WHERE purse = ''")
    assert row is not None
    return dict(row)


async def test_a_basket_is_looked_into(at_noon: Mall) -> None:
    code = await code_of(at_noon)
    boots = {"lines": [{"sku": "B-1", "price": "60"}]}
    assert (await tells(at_noon, code, basket=boots))[1]["code"] == "not_in_basket"
    basket = {"lines": [{"sku": "B-1", "price": "60"}, {"sku": "T-1", "price": "80", "quantity": 2}]}
    status, told = await tells(at_noon, code, basket=basket)
    assert (status, told["saving"], told["sku"]) == (200, "12.00", "T-1")
    kept = await ledger(at_noon)
    assert (kept["spend_committed"], kept["spend_reserved"]) == (Decimal("12.00"), 0)


async def test_a_minimum_basket_is_asked_for(at_noon: Mall) -> None:
    await at_noon.server.post("/v1/offers", at_noon.offer(conditions={"minimum_basket": "100"}))
    code = await code_of(at_noon)
    assert (await tells(at_noon, code))[1]["code"] == "basket_needed"
    assert (await tells(at_noon, code, basket={"total": "99.99"}))[1]["code"] == "below_minimum"
    assert (await tells(at_noon, code, basket={"total": "100"}))[0] == 200


async def test_an_amount_is_used_in_parts_until_nothing_is_left(at_noon: Mall) -> None:
    amount = {"kind": "amount", "value": "20"}
    await at_noon.server.post("/v1/offers", at_noon.offer(discount=amount, budget={"spend": "100"}))
    code = await code_of(at_noon)
    status, told = await tells(at_noon, code, amount="12.50")
    assert (status, told["status"], told["left"]) == (200, "partly_redeemed", "7.50")
    assert (await tells(at_noon, code, amount="7.51"))[1]["code"] == "too_much"
    kept = await ledger(at_noon)
    assert (kept["spend_committed"], kept["spend_reserved"]) == (Decimal("12.50"), Decimal("7.50"))
    assert (await tells(at_noon, code, amount="7.50"))[1]["status"] == "redeemed"
    assert (await tells(at_noon, code, amount="1"))[0] == 409


async def test_what_is_left_of_a_part_comes_free_when_the_coupon_ends(at_noon: Mall) -> None:
    amount = {"kind": "amount", "value": "20"}
    await at_noon.server.post("/v1/offers", at_noon.offer(discount=amount, budget={"spend": "100"}))
    await tells(at_noon, await code_of(at_noon), amount="5")
    at_noon.clock.advance(3600)
    await at_noon.vicino.engine.upkeep.expire_coupons(at_noon.keys["retailer_id"])
    kept = await ledger(at_noon)
    assert (kept["redeemed"], kept["spend_committed"], kept["spend_reserved"]) == (1, 5, 0)


async def test_a_redemption_is_taken_back_and_the_code_is_good_again(at_noon: Mall) -> None:
    code = await code_of(at_noon)
    assert (await at_noon.till.call("POST", "/v1/redemptions/reversals", {"code": code}))[0] == 409
    await tells(at_noon, code)
    told = await at_noon.till.post("/v1/redemptions/reversals", {"code": code})
    assert (told["status"], told["reusable"], told["saving"]) == ("reversed", True, "13.50")
    kept = await ledger(at_noon)
    assert (kept["redeemed"], kept["outstanding"], kept["spend_reserved"]) == (0, 1, Decimal("13.50"))
    assert (await tells(at_noon, code))[0] == 200


async def test_taken_back_after_its_end_it_is_over_and_its_money_free(at_noon: Mall) -> None:
    code = await code_of(at_noon)
    await tells(at_noon, code)
    at_noon.clock.advance(3600)
    told = await at_noon.till.post("/v1/redemptions/reversals", {"code": code})
    assert told["reusable"] is False
    kept = await ledger(at_noon)
    assert (kept["redeemed"], kept["outstanding"], kept["spend_committed"]) == (0, 0, 0)
    assert (await tells(at_noon, code))[0] == 410


async def test_a_day_later_it_is_too_late(at_noon: Mall) -> None:
    code = await code_of(at_noon)
    await tells(at_noon, code)
    at_noon.clock.advance(25 * 3600)
    status, told = await at_noon.till.call("POST", "/v1/redemptions/reversals", {"code": code})
    assert (status, told["code"]) == (409, "too_late")


async def test_ten_wrong_codes_in_a_row_lock_a_till_for_a_quarter_of_an_hour(at_noon: Mall) -> None:
    code = await code_of(at_noon)
    wrong = "000000000000000000"  # its check characters are right
    told = [(await tells(at_noon, wrong))[1]["code"] for _ in range(11)]
    assert told == ["unknown_code"] * 10 + ["till_locked"]
    assert (await tells(at_noon, code))[0] == 429
    at_noon.clock.advance(15 * 60)
    assert (await tells(at_noon, code))[0] == 200


async def test_a_till_redeems_so_many_an_hour(at_noon: Mall) -> None:
    await at_noon.server.put("/v1/settings", {"till_per_hour": 1})
    first, second = await code_of(at_noon), await code_of(at_noon)
    assert (await tells(at_noon, first))[0] == 200
    assert (await tells(at_noon, second))[1]["code"] == "till_locked"
    at_noon.clock.advance(3600)
    assert (await tells(at_noon, second))[1]["code"] == "expired"


async def test_a_till_that_cannot_call_tells_in_the_evening(at_noon: Mall) -> None:
    await at_noon.server.put("/v1/settings", {"till_grace_s": 86_400})
    used, other = await code_of(at_noon), await code_of(at_noon)
    when = at_noon.time(60)
    at_noon.clock.advance(8 * 3600)
    await at_noon.vicino.engine.upkeep.expire_coupons(at_noon.keys["retailer_id"])
    late = at_noon.time(-60)
    table = f"code,redeemed_at\n{used},{when}\n{other},{late}\nnonsense,{when}\n{used},yesterday\n"
    told = await at_noon.till.post("/v1/redemptions/csv", table.encode(), Content_Type="text/csv")
    assert told["redeemed"] == 1
    assert [(one["line"], one["code"]) for one in told["refused"]] == [
        (3, "expired"),
        (4, "unknown_code"),
        (5, "bad_field"),
    ]
    again = await at_noon.till.post("/v1/redemptions/csv", table.encode())
    assert again["redeemed"] == 1


@pytest.mark.parametrize(
    ("table", "code"),
    [(b"kode\nx", "unknown_column"), (b"redeemed_at\nx", "missing_column"), (b"\xff", "bad_csv")],
)
async def test_a_file_of_another_form_is_refused(at_noon: Mall, table: bytes, code: str) -> None:
    assert (await at_noon.till.call("POST", "/v1/redemptions/csv", table))[1]["code"] == code


async def test_the_inbox_knows_what_she_has_not_seen(at_noon: Mall) -> None:
    shopper = await comes_in(at_noon)
    page = await shopper.get("/v1/inbox")
    assert (page["unread"], page["items"][0]["unread"]) == (1, True)
    path = f"/v1/inbox/{page['items'][0]['id']}/read"
    await shopper.post(path, {})
    page = await shopper.get("/v1/inbox")
    assert (page["unread"], page["items"][0]["unread"]) == (0, False)
    assert (await (await at_noon.shopper()).call("POST", path, {}))[0] == 404
    at_noon.clock.advance(3600)
    assert (await shopper.get("/v1/inbox"))["items"] == []


async def test_a_presence_token_is_for_who_is_there_and_verified_without_the_server(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    status, problem = await shopper.call("POST", "/v1/presence", {"store": "shoes-1"})
    assert (status, problem["code"]) == (403, "not_present")
    await shopper.ping(north_m=10)

    token = (await shopper.post("/v1/presence", {"store": "shoes-1"}))["token"]
    keys = (await at_noon.till.get("/v1/presence/keys"))["keys"]
    now_s = at_noon.clock.now_us() // 1_000_000
    offline = verified(token, keys, "shoes-1", now_s)
    online = await at_noon.till.post("/v1/presence/verify", {"token": token, "store": "shoes-1"})
    assert not isinstance(offline, str)
    assert online["shopper"] == offline.shopper

    status, problem = await at_noon.till.call(
        "POST", "/v1/presence/verify", {"token": token, "store": "shoes-2"}
    )
    assert (status, problem["code"]) == (403, "bad_presence")
    at_noon.clock.advance(2 * 3600)
    assert (await shopper.call("POST", "/v1/presence", {"store": "shoes-1"}))[0] == 403
