"""Erasure reaches what is left of a shopper under a former id, in columns, and after a restart."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.app import Running, running
from server.clock import SystemClock, from_us
from server.inputs import RecordFixes, ShopperErased
from server.journal import listed
from server.lane import Lane
from server.privacy.erasing import Erasing, ask
from server.privacy.export import export
from server.replay_journal import replay_day
from server.wire import decode_ping
from tests.acceptance.mall import Mall, Shopper, mall, mall_config, until
from tests.acceptance.test_clients import ANDROID, Phone, owntracks
from tests.acceptance.test_identity import log_in
from tests.acceptance.test_rights import HER_LON, download, erased, lives
from tests.acceptance.traces import dump, found, names_of

OF_DEVICES = ("watched_regions", "quarantine")  #: tables that know devices and no shoppers


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


async def lives_then_logs_in(phone: Shopper) -> list[str | float]:
    """What she would be found by: as the nobody she was, and as who she is."""
    hers = await lives(phone)
    await log_in(phone, "ann")
    return [*hers, phone.shopper_id]


async def test_nothing_is_left_under_the_id_that_a_shopper_had_before_she_logged_in(
    at_noon: Mall, database_url: str
) -> None:
    known = await at_noon.shopper(user_id="ann")
    phone = await at_noon.shopper()
    former = phone.shopper_id
    hers = [*await lives_then_logs_in(phone), *names_of(known)]
    assert phone.shopper_id == known.shopper_id != former
    whole = await dump(database_url)
    assert found(whole, hers) == hers, "the search must find what is there"

    told = await erased(phone)

    assert found(await dump(database_url), hers) == []
    assert (told["erased"]["shopper_merges"], told["erased"]["shoppers"]) == (1, 2)
    assert told["erased_at"] is not None


async def test_who_is_erased_under_her_former_id_is_erased_under_the_other_too(
    at_noon: Mall, database_url: str
) -> None:
    known = await at_noon.shopper(user_id="ann")
    phone = await at_noon.shopper()
    former, retailer_id = phone.shopper_id, at_noon.keys["retailer_id"]
    hers = [*await lives_then_logs_in(phone), *names_of(known)]

    erasure_id = await ask(at_noon.vicino.database, at_noon.clock, retailer_id, former, "operator")
    told = await at_noon.vicino.engine.erase(retailer_id, erasure_id)

    assert told.erased_at is not None
    assert found(await dump(database_url), hers) == []


async def test_both_ids_are_known_as_erased(at_noon: Mall) -> None:
    await at_noon.shopper(user_id="ann")
    phone = await at_noon.shopper()
    await log_in(phone, "ann")

    await erased(phone)

    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT shopper_id, erased_at, part_of FROM erasures")
    assert [row["shopper_id"] for row in rows] == [None, None]
    assert all(row["erased_at"] is not None for row in rows)
    assert sum(row["part_of"] is not None for row in rows) == 1


async def test_her_answers_to_what_she_was_asked_and_messages_about_her_come_along(at_noon: Mall) -> None:
    known = await at_noon.shopper(user_id="ann")
    phone = await at_noon.shopper()
    former = phone.shopper_id
    before = await phone.get("/v1/me/consents/history")
    await lives_then_logs_in(phone)

    after = await phone.get("/v1/me/consents/history")

    assert len(after["items"]) == 2 * len(before["items"])
    assert [one["at"] for one in after["items"]] == sorted(one["at"] for one in after["items"])
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        whose = await connection.fetch("SELECT DISTINCT shopper_id FROM webhook_messages")
        left = await connection.fetchval("SELECT count(*) FROM consent_changes WHERE shopper_id = $1", former)
    assert ([row["shopper_id"] for row in whose], left) == ([known.shopper_id], 0)


async def test_a_copy_holds_what_she_did_before_she_logged_in(at_noon: Mall) -> None:
    await at_noon.shopper(user_id="ann")
    phone = await at_noon.shopper()
    former = phone.shopper_id
    await lives_then_logs_in(phone)

    archive = zipfile.ZipFile(io.BytesIO(await download(phone)))

    inputs = [json.loads(line) for line in archive.read("journal.ndjson").splitlines()]
    assert {"RecordFixes", "RecordEvents", "LeaveShopper"} <= {
        one["type"] for one in inputs if one["shopper_id"] == former
    }
    [merge] = [json.loads(line) for line in archive.read("shopper_merges.ndjson").splitlines()]
    assert (merge["former_id"], merge["shopper_id"]) == (former, phone.shopper_id)


async def walk_far_off(*people: Shopper) -> None:
    """Pings from which nothing follows, many in one micro-batch: the journal alone has them, in columns."""
    opened = people[0].mall
    engine, retailer_id = opened.vicino.engine, opened.keys["retailer_id"]
    pings = []
    for step in range(10):
        for shopper in people:
            fix = opened.fix(700 + step, ago_s=20 - step) | {"lon": HER_LON}
            pings.append(
                RecordFixes(
                    shopper_id=shopper.shopper_id,
                    received_at_us=opened.clock.now_us(),
                    device_id=shopper.device_id,
                    fixes=decode_ping(json.dumps({"fixes": [fix]}).encode()).records,
                )
            )
    answers = await asyncio.gather(*(engine.submit(retailer_id, ping) for ping in pings))
    assert [answer.accepted for answer in answers] == [1] * len(pings)


async def rows_of(opened: Mall) -> list[bytes]:
    async with opened.vicino.database.transaction(opened.keys["retailer_id"]) as connection:
        return [row["inputs"] for row in await connection.fetch("SELECT inputs FROM journal ORDER BY seq")]


async def test_her_pings_are_cut_out_of_the_columns_and_the_others_day_replays(
    at_noon: Mall, database_url: str
) -> None:
    stays, goes = await at_noon.shopper(), await at_noon.shopper()
    await stays.looks_at("T-1")
    await walk_far_off(stays, goes)
    names = [one.shopper_id.encode() for one in (stays, goes)]
    assert any(all(name in row for name in names) for row in await rows_of(at_noon)), "one row has both"
    at_noon.clock.advance(240)
    await stays.ping(north_m=40)

    await erased(goes)

    assert found(await dump(database_url), names_of(goes)) == []
    left = [item for row in await rows_of(at_noon) for item in listed(row)]
    assert {item.shopper_id for item in left if not isinstance(item, ShopperErased)} == {stays.shopper_id}
    assert sum(len(item.fixes) for item in left if isinstance(item, RecordFixes)) == 11
    day = from_us(at_noon.clock.now_us()).date()
    replayed = await replay_day(at_noon.vicino.database, at_noon.keys["retailer_id"], day)
    assert (replayed.different, replayed.different_states, replayed.states) == ((), (), 1)
    assert replayed.offers == 1


async def positions_of(vicino: Running, retailer_id: str, shopper: Shopper) -> int:
    """How many positions the copy for a shopper maps that a restarted server has of her in the journal."""
    whole = await export(vicino.database, SystemClock(), retailer_id, shopper.shopper_id)
    features = json.loads(zipfile.ZipFile(io.BytesIO(whole)).read("positions.geojson"))["features"]
    return sum(one["properties"]["from"] == "journal" for one in features)


async def never(*_: object) -> None:
    """A process that is killed does no more."""


@pytest.mark.parametrize("killed_before_the_journal_was_rewritten", [False, True])
async def test_a_restart_after_an_erasure_brings_nobody_back(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    killed_before_the_journal_was_rewritten: bool,
) -> None:
    monkeypatch.setattr(Lane, "close", never)
    async with mall(database_url, tmp_path) as opened:
        retailer_id = opened.keys["retailer_id"]
        stays, goes = await opened.shopper(), await opened.shopper()
        await walk_far_off(stays, goes)
        with monkeypatch.context() as patched:
            if killed_before_the_journal_was_rewritten:
                patched.setattr(Erasing, "_finish", never)
            told = await erased(goes)
            config = mall_config(database_url, tmp_path, opened.fcm)
            await opened.stop()
        assert (told["erased_at"] is None) == killed_before_the_journal_was_rewritten

        async with running(config, clock=opened.clock) as again:
            await again.engine.state(retailer_id)
            for shopper in (stays, goes):
                shopper.moves_to(again)

            async def is_gone() -> bool:
                return found(await dump(database_url), names_of(goes)) == []

            await until(is_gone)
            assert await positions_of(again, retailer_id, stays) == 10
            assert (await stays.ping(north_m=600))["accepted"] == 1
            assert (await goes.ping(north_m=600))["rejected"][0]["reason"] == "unknown_device"
            assert found(await dump(database_url), names_of(goes)) == []


async def test_a_phone_with_an_existing_client_leaves_nothing_either_and_is_still_answered(
    at_noon: Mall, database_url: str
) -> None:
    phone = Phone(at_noon, "owntracks", "ann:pixel", X_Limit_U="ann", X_Limit_D="pixel", **ANDROID)
    await phone.send(owntracks(at_noon))
    await phone.consents()
    status, told = await phone.send(owntracks(at_noon))
    assert (status, [one["_type"] for one in told]) == (200, ["cmd"]), "it is told what to watch"
    await phone.send(owntracks(at_noon) | {"lat": "north"})
    database, retailer_id = at_noon.vicino.database, at_noon.keys["retailer_id"]
    async with database.transaction(retailer_id) as connection:
        shopper_id = await connection.fetchval("SELECT shopper_id FROM devices")
        kept = [await connection.fetchval(f"SELECT count(*) FROM {name}") for name in OF_DEVICES]
    assert kept == [1, 1]

    erasure_id = await ask(database, at_noon.clock, retailer_id, shopper_id, "operator")
    told_erased = await at_noon.vicino.engine.erase(retailer_id, erasure_id)

    assert (told_erased.erased["devices"], told_erased.erased["quarantine"]) == (1, 1)
    for _ in range(2):
        assert await phone.send(owntracks(at_noon)) == (200, [])
    assert found(await dump(database_url), [shopper_id, "ann:pixel"]) == []
    async with database.transaction(retailer_id) as connection:
        kept = [await connection.fetchval(f"SELECT count(*) FROM {name}") for name in OF_DEVICES]
    assert kept == [0, 0]


async def test_who_no_longer_permits_that_it_is_known_where_she_is_watches_nothing(at_noon: Mall) -> None:
    phone = Phone(at_noon, "owntracks", "ann:pixel", X_Limit_U="ann", X_Limit_D="pixel", **ANDROID)
    await phone.send(owntracks(at_noon))
    await phone.consents()
    await phone.send(owntracks(at_noon))

    await phone.consents({"nearby_offers": {"granted": False}})

    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        assert await connection.fetchval("SELECT count(*) FROM watched_regions") == 0
