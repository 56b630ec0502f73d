"""Who a device is: signatures, attestation, logging in and out."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.app import running
from server.attestation import BUILT_IN, Assessment, Statement
from server.cli.retailer import create_retailer
from server.clock import from_us
from server.db import DatabaseBusy
from server.effects import batch
from server.inputs import MoveDevice
from server.journal import listed
from server.records import unpack_record
from server.replay_journal import replay_day
from tests.acceptance.mall import ALL_CONSENTS, Client, Mall, Shopper, mall, mall_config


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


def signature(key: Ed25519PrivateKey, body: bytes, at_s: int) -> dict[str, str]:
    proof = key.sign(f"{at_s}\n".encode() + body)
    return {"Vicino_Signed_At": str(at_s), "Vicino_Signature": base64.b64encode(proof).decode()}


async def test_a_device_with_a_public_key_signs_what_it_sends(at_noon: Mall) -> None:
    key = Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    shopper = await at_noon.shopper(public_key=public)
    body = json.dumps({"fixes": [at_noon.fix(40)]}).encode()
    now_s = at_noon.clock.now_us() // 1_000_000

    signed = await shopper.call("POST", "/v1/pings", body, **signature(key, body, now_s))
    assert signed[0] == 200
    for headers in (
        {},
        signature(key, body + b" ", now_s),
        signature(key, body, now_s - 301),
        signature(Ed25519PrivateKey.generate(), body, now_s),
        signature(key, body, now_s) | {"Vicino_Signature": "nonsense"},
    ):
        status, problem = await Client.call(shopper, "POST", "/v1/pings", body, **headers)
        assert (status, problem["code"]) == (401, "bad_signature")


async def test_a_refreshed_token_asks_for_signatures_as_well(at_noon: Mall) -> None:
    key = Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    shopper = await at_noon.shopper(public_key=public)
    tokens = await at_noon.app.post("/v1/devices/token", {"refresh_token": shopper.refresh_token})

    status, problem = await at_noon.client(tokens["access_token"]).call("POST", "/v1/events", {"events": []})

    assert (status, problem["code"]) == (401, "bad_signature")


async def test_a_public_key_that_is_none_is_told(at_noon: Mall) -> None:
    status, problem = await at_noon.app.call(
        "POST", "/v1/devices", {"platform": "ios", "public_key": "c2hvcnQ="}
    )

    assert (status, problem["field"]) == (422, "public_key")


async def test_a_refresh_token_may_come_in_either_form(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    url = f"{at_noon.vicino.url}/v1/devices/token"
    async with at_noon.session.post(url, data={"refresh_token": shopper.refresh_token}) as answer:
        assert answer.status == 200
        tokens = await answer.json()
    head = '--b\r\nContent-Disposition: form-data; name="refreshToken"\r\n\r\n'
    form = f"{head}{tokens['refresh_token']}\r\n--b--\r\n".encode()
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    async with at_noon.session.post(url, data=form, headers=headers) as answer:
        assert answer.status == 200


class Picky:
    """A verifier of attestations that knows three statements."""

    async def assess(self, statement: Statement) -> Assessment:
        match statement.text:
            case "genuine":
                return Assessment(verdict="allow")
            case "doubtful":
                return Assessment(verdict="score", trust=0.25)
            case _:
                return Assessment(verdict="deny", reason="no genuine app")


async def test_a_verifier_allows_scores_or_denies_a_registration(database_url: str, tmp_path: Path) -> None:
    async with mall(database_url, tmp_path) as opened:
        config = mall_config(database_url, tmp_path, opened.fcm)
        await opened.stop()
        attestors = BUILT_IN | {"picky": Picky()}
        async with running(config, clock=opened.clock, attestors=attestors) as vicino:
            keys = await create_retailer(vicino.database, "Careful", {"attestation": "picky"})
            other = await create_retailer(vicino.database, "Careless", {"attestation": "not-there"})
            there = Mall(vicino, opened.session, opened.clock, opened.fcm, keys)
            statuses: dict[Any, Any] = {}
            for text in ("genuine", "doubtful", "forged", None):
                body = {"platform": "android"} | ({} if text is None else {"attestation": text})
                statuses[text] = await there.app.call("POST", "/v1/devices", body)
            missing = await there.client(other["app_key"]).call("POST", "/v1/devices", {"platform": "ios"})

    assert [statuses[text][0] for text in ("genuine", "doubtful")] == [201, 201]
    assert (statuses["forged"][0], statuses["forged"][1]["detail"]) == (403, "no genuine app")
    assert statuses[None][1]["code"] == "attestation_denied"
    assert (missing[0], missing[1]["code"]) == (503, "attestation")


async def log_in(shopper: Shopper, user_id: str) -> str:
    answer = await shopper.post("/v1/me/login", {"user_id": user_id})
    shopper._credential, shopper.refresh_token = answer["access_token"], answer["refresh_token"]
    shopper.shopper_id = answer["shopper_id"]
    return shopper.shopper_id


async def log_out(shopper: Shopper) -> None:
    answer = await shopper.post("/v1/me/logout", None)
    shopper._credential, shopper.refresh_token = answer["access_token"], answer["refresh_token"]
    shopper.shopper_id = answer["shopper_id"]


async def test_who_logs_in_first_becomes_known_and_stays_herself(at_noon: Mall) -> None:
    phone = await at_noon.shopper()
    before = phone.shopper_id
    await phone.looks_at("T-1")

    assert await log_in(phone, "ann") == before
    await phone.ping(north_m=40)

    assert len(await phone.inbox()) == 1
    tablet = await at_noon.shopper(user_id="ann")
    assert tablet.shopper_id == before


async def test_what_an_anonymous_shopper_did_comes_along_when_she_logs_in(at_noon: Mall) -> None:
    known = await at_noon.shopper(user_id="ann")
    phone = await at_noon.shopper()
    await phone.looks_at("T-1")
    await phone.ping(north_m=40)
    [item] = await phone.inbox()

    assert await log_in(phone, "ann") == known.shopper_id

    assert [one["id"] for one in await known.inbox()] == [item["id"]]
    await phone.ping(north_m=30)  # still in the same visit: no second enter, no second offer
    history = await at_noon.server.get(f"/v1/devices/{phone.device_id}/history")
    assert [one["kind"] for one in history["transitions"]] == ["enter"]
    assert len(await known.inbox()) == 1
    redeemed = await at_noon.till.post("/v1/redemptions", {"code": item["code"]})
    assert redeemed["offer"] == "trainers-15"


async def test_the_token_of_before_is_no_good_after_logging_in_or_out(at_noon: Mall) -> None:
    await at_noon.shopper(user_id="ann")
    phone = await at_noon.shopper()
    old, refresh = at_noon.client(phone._credential), phone.refresh_token
    await log_in(phone, "ann")

    assert (await old.call("GET", "/v1/inbox"))[0] == 401
    status, problem = await at_noon.app.call("POST", "/v1/devices/token", {"refresh_token": refresh})
    assert (status, problem["code"]) == (401, "bad_refresh_token")


async def test_after_logging_out_nothing_is_known_and_nothing_permitted(at_noon: Mall) -> None:
    phone = await at_noon.shopper(user_id="ann")
    await phone.looks_at("T-1")
    await phone.ping(north_m=40)
    known = phone.shopper_id

    await log_out(phone)

    assert phone.shopper_id != known
    assert await phone.inbox() == []
    consents = await phone.get("/v1/me/consents")
    assert not any(consent["granted"] for consent in consents.values())
    assert (await phone.ping(north_m=30))["rejected"][0]["reason"] == "no_consent"
    await phone.put("/v1/me/consents", ALL_CONSENTS)
    await phone.ping(north_m=20)
    assert await phone.inbox() == []  # the interest is Ann's


async def test_somebody_else_who_logs_in_on_the_phone_gets_nothing_of_the_first(at_noon: Mall) -> None:
    phone = await at_noon.shopper(user_id="ann")
    ann = phone.shopper_id
    await phone.looks_at("T-1")

    bob = await log_in(phone, "bob")
    await phone.put("/v1/me/consents", ALL_CONSENTS)
    await phone.ping(north_m=40)

    assert bob != ann
    assert await phone.inbox() == []


async def test_a_day_with_log_ins_replays_the_same(at_noon: Mall) -> None:
    await at_noon.shopper(user_id="ann")
    phone = await at_noon.shopper()
    await phone.looks_at("T-1")
    await phone.ping(north_m=40)
    await log_in(phone, "ann")
    await phone.ping(north_m=2_000)
    await log_out(phone)
    day = from_us(at_noon.clock.now_us()).date()

    told = await replay_day(at_noon.vicino.database, at_noon.keys["retailer_id"], day)

    assert (told.different, told.different_states) == ((), ())


async def test_both_shoppers_of_a_log_in_change_in_one_batch_or_not_at_all(
    at_noon: Mall, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = await at_noon.shopper(user_id="ann")
    phone = await at_noon.shopper()
    former = phone.shopper_id
    await phone.looks_at("T-1")

    with monkeypatch.context() as broken:

        def breaks(*_: object, **__: object) -> bool:
            raise DatabaseBusy("just before the commit")

        broken.setattr(batch, "save_decisions", breaks)
        status, _ = await phone.call("POST", "/v1/me/login", {"user_id": "ann"})

    assert status == 503
    await phone.ping(north_m=40)
    assert (phone.shopper_id, len(await phone.inbox()), await known.inbox()) == (former, 1, [])
    assert await log_in(phone, "ann") == known.shopper_id
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT inputs FROM journal ORDER BY seq")
    moves = [
        [(type(item).__name__, item.shopper_id) for item in items]
        for items in (listed(row["inputs"]) for row in rows)
        if any(isinstance(item, MoveDevice) for item in items)
    ]
    assert moves == [[("MoveDevice", known.shopper_id), ("LeaveShopper", former)]]


async def test_two_users_who_log_in_at_once_on_a_phone_do_not_both_have_it(at_noon: Mall) -> None:
    for user_id in ("ann", "bob"):
        await at_noon.shopper(user_id=user_id)
    phone = await at_noon.shopper()
    token = at_noon.client(phone._credential)

    answers = await asyncio.gather(
        *(token.call("POST", "/v1/me/login", {"user_id": user_id}) for user_id in ("ann", "bob"))
    )

    won = [body["shopper_id"] for status, body in answers if status == 200]
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT state FROM shoppers")
    owners = [
        kept.record.shopper.shopper_id
        for kept in (unpack_record(row["state"]) for row in rows)
        if kept.record.device(phone.device_id) is not None
    ]
    assert len(won) == 1
    assert owners == won


async def test_logging_in_twice_at_once_ends_with_one_shopper(at_noon: Mall) -> None:
    known = await at_noon.shopper(user_id="ann")
    phone = await at_noon.shopper()

    answers = await asyncio.gather(
        # By the token that each began with: the first to arrive ends it, and the refresh token beside it.
        *(Client.call(phone, "POST", "/v1/me/login", {"user_id": "ann"}) for _ in range(5))
    )

    assert {body["shopper_id"] for status, body in answers if status == 200} == {known.shopper_id}
