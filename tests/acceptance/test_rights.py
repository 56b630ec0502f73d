"""What a shopper may ask for: to be erased without a trace, and to have a copy of everything."""

import asyncio
import io
import json
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from server.app import running
from server.clock import from_us
from server.db import Database
from server.inputs import ShopperErased
from server.journal import listed
from server.privacy.erasing import ask, receipt
from server.replay_journal import replay_day
from tests.acceptance.mall import SHOP, Mall, Shopper, mall, mall_config, until
from tests.acceptance.traces import dump, found, names_of

HER_LON = SHOP[1] + 0.000123456789  #: where she alone stood
LIMIT_S = 60.0


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


async def lives(shopper: Shopper) -> list[str | float]:
    """She leaves a trace in every table there is; by which it would be found."""
    opened = shopper.mall
    async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
        await connection.execute(
            "INSERT INTO webhook_endpoints (retailer_id, endpoint_id, url, types) "
            "VALUES (current_retailer(), 'end_1', 'https://nowhere.invalid/', ARRAY['transition.enter'])"
        )
    await shopper.looks_at("T-1", ago_s=600)
    await shopper.ping(north_m=300, lon=HER_LON)
    opened.clock.advance(240)
    north = opened.fix(40.0)["lat"]
    await shopper.ping(north_m=40, lon=HER_LON)
    await opened.fcm.wait_for_push(shopper.address, timeout_s=20)
    [item] = await shopper.inbox()
    await shopper.post(f"/v1/notifications/{item['id']}/opened", None)
    await opened.till.post("/v1/redemptions", {"code": item["code"]}, Idempotency_Key="till-1")
    opened.clock.advance(61)
    await shopper.ping(north_m=700, lon=HER_LON)
    return [*names_of(shopper), item["decision_id"], item["id"], item["code"], north, HER_LON]


async def erased(shopper: Shopper) -> dict[str, Any]:
    status, receipt_ = await shopper.call("DELETE", "/v1/me")
    assert status == 200
    return dict(receipt_)


async def test_nothing_of_a_shopper_is_left_in_the_database_once_she_is_erased(
    at_noon: Mall, database_url: str
) -> None:
    shopper = await at_noon.shopper(user_id="her-own-id")
    hers = await lives(shopper)
    assert found(await dump(database_url), hers) == hers, "the search must find what is there"

    began = time.monotonic()
    told = await erased(shopper)

    assert time.monotonic() - began < LIMIT_S
    assert found(await dump(database_url), hers) == []
    assert told["erased_at"] is not None
    assert {name for name, rows in told["erased"].items() if rows} == {
        *("shoppers", "shopper_days", "devices", "transitions", "visits", "decisions", "coupons"),
        *("inbox", "outbox", "idempotency", "journal", "consent_changes", "webhook_messages"),
    }


async def test_no_copy_and_no_journal_entry_holds_anything_of_her_once_she_is_erased(at_noon: Mall) -> None:
    shopper, companion = await at_noon.shopper(), await at_noon.shopper()
    await companion.ping(north_m=301)
    hers = await lives(shopper)
    await companion.ping(north_m=41)
    before = found(await unpacked(at_noon, shopper), hers)
    assert {HER_LON, *hers[:2]} <= set(before), "the search must find what is there"

    await erased(shopper)

    assert found(await unpacked(at_noon, companion), hers) == []
    assert (await shopper.call("GET", "/v1/me/export"))[0] == 404


async def unpacked(opened: Mall, shopper: Shopper) -> bytes:
    """Everything in a shopper's copy, and in the journal, as it reads."""
    archive = zipfile.ZipFile(io.BytesIO(await download(shopper)))
    async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT inputs FROM journal")
    journal = [repr(item).encode() for row in rows for item in listed(row["inputs"])]
    return b"".join([*(archive.read(name) for name in archive.namelist()), *journal])


async def test_the_engine_forgets_her_too(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await lives(shopper)

    await erased(shopper)

    answer = await shopper.ping(north_m=40)
    assert answer == {"accepted": 0, "rejected": [{"index": 0, "reason": "unknown_device"}]}
    assert (await shopper.call("GET", "/v1/me/consents"))[0] == 404
    status, _ = await at_noon.app.call("POST", "/v1/devices/token", {"refresh_token": shopper.refresh_token})
    assert status == 401


async def test_of_those_who_stay_nothing_is_lost_and_the_day_replays_the_same(at_noon: Mall) -> None:
    stays, goes = await at_noon.shopper(), await at_noon.shopper()
    await lives(goes)
    await stays.looks_at("T-1")
    await asyncio.gather(stays.ping(north_m=30), goes.ping(north_m=30))
    before = [(one["id"], one["outcome"]) for one in await stays.receipts()]

    await erased(goes)

    await stays.ping(north_m=35)
    assert [(one["id"], one["outcome"]) for one in await stays.receipts()] == before
    day = from_us(at_noon.clock.now_us()).date()
    replayed = await replay_day(at_noon.vicino.database, at_noon.keys["retailer_id"], day)
    assert (replayed.different, replayed.different_states, replayed.states) == ((), (), 1)
    assert replayed.offers == 1


async def test_the_journal_says_that_somebody_was_erased_and_not_who(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=40)

    await erased(shopper)

    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT inputs FROM journal ORDER BY seq")
    left = [item for row in rows for item in listed(row["inputs"])]
    assert [type(item) for item in left] == [ShopperErased]
    assert left[0].shopper_id == ""


async def test_what_her_open_coupon_held_of_the_budget_is_given_back(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    await shopper.ping(north_m=40)
    assert len(await shopper.inbox()) == 1

    await erased(shopper)

    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        ledger = await connection.fetchrow("SELECT outstanding, spend_reserved, issued FROM ledgers")
    assert tuple(ledger) == (0, 0, 1)


async def test_a_repeated_registration_does_not_bring_her_back(at_noon: Mall) -> None:
    body = {"platform": "ios"}
    first = await at_noon.app.post("/v1/devices", body, Idempotency_Key="again")
    phone = at_noon.client(first["access_token"])
    assert (await phone.call("DELETE", "/v1/me"))[0] == 200

    status, problem = await at_noon.app.call("POST", "/v1/devices", body, Idempotency_Key="again")

    assert (status, problem["code"]) == (410, "erased")
    assert (await phone.call("GET", "/v1/me/consents"))[0] == 404


async def test_who_comes_back_from_a_restored_backup_is_erased_when_the_engine_starts(
    database_url: str, tmp_path: Path
) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper = await opened.shopper()
        database, retailer_id = opened.vicino.database, opened.keys["retailer_id"]
        async with database.transaction(retailer_id) as connection:
            backup = await connection.fetchrow("SELECT * FROM shoppers")
        await erased(shopper)
        async with database.transaction(retailer_id) as connection:
            await connection.execute(
                "INSERT INTO shoppers (retailer_id, shopper_id, state, state_day) VALUES ($1, $2, $3, $4)",
                *(backup[name] for name in ("retailer_id", "shopper_id", "state", "state_day")),
            )
        config = mall_config(database_url, tmp_path, opened.fcm)
        await opened.stop()

        async with (
            running(config, clock=opened.clock) as again,
            again.database.transaction(retailer_id) as connection,
        ):
            left = await connection.fetch("SELECT shopper_id FROM shoppers")

    assert left == []


async def test_an_erasure_that_a_crash_cut_short_is_finished_by_the_next_start(
    database_url: str, tmp_path: Path
) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper = await opened.shopper()
        hers = await lives(shopper)
        retailer_id, config = opened.keys["retailer_id"], mall_config(database_url, tmp_path, opened.fcm)
        await opened.stop()
        async with await Database.open(database_url) as database:
            erasure_id = await ask(database, opened.clock, retailer_id, shopper.shopper_id, "shopper")

        async with running(config, clock=opened.clock) as again:

            async def done() -> bool:
                return (await receipt(again.database, retailer_id, erasure_id)).erased_at is not None

            await until(done)

        assert found(await dump(database_url), hers) == []


async def test_a_copy_holds_every_table_with_its_schema_and_her_positions(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    other = await at_noon.shopper()
    await lives(shopper)
    await other.ping(north_m=12)

    began = time.monotonic()
    archive = zipfile.ZipFile(io.BytesIO(await download(shopper)))

    assert time.monotonic() - began < LIMIT_S
    files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    tables = [one["name"].removesuffix(".ndjson") for one in manifest["files"] if "kept" in one]
    assert {"record", "journal", "transitions", "visits", "decisions", "coupons", "inbox"} <= set(tables)
    for table in tables:
        rows = [json.loads(line) for line in files[f"{table}.ndjson"].splitlines()]
        schema = json.loads(files[f"{table}.schema.json"])
        jsonschema_valid(rows, schema)
    positions = json.loads(files["positions.geojson"])["features"]
    assert {lon for one in positions for lon in one["geometry"]["coordinates"][:1]} == {HER_LON}
    whole = b"".join(files.values())
    assert found(whole, names_of(other)) == []
    assert found(whole, [at_noon.keys["retailer_id"]]) == []


async def download(shopper: Shopper) -> bytes:
    url, headers = f"{shopper._url}/v1/me/export", {"Authorization": f"Bearer {shopper._credential}"}
    async with shopper._session.get(url, headers=headers) as response:
        assert (response.status, response.content_type) == (200, "application/zip")
        return await response.read()


def jsonschema_valid(rows: list[Any], schema: dict[str, Any]) -> None:
    validator = Draft202012Validator(schema)
    for row in rows:
        assert [error.message for error in validator.iter_errors(row)] == []
