"""The drill: every key is made anew while it is used. Old and new work side by side, then the old one ends.

A webhook's secret: `test_webhooks.py`, `test_a_rotated_secret_signs_beside_the_one_before`.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from server.auth import (
    ACCESS_TTL_US,
    KEY_CACHE_US,
    SIGNING_KEYS_US,
    Authenticator,
    Bearer,
    secret_hash,
)
from server.cli.signing_key import LIVES_S, add_key, drop_key
from server.errors import BadUse
from tests.acceptance.mall import Mall, Shopper, mall
from tests.integration.test_keys_cli import vicino

SECOND_US = 1_000_000


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


def kid_of(shopper: Shopper) -> str:
    """Which key has signed the token that a phone has now."""
    return str(jwt.get_unverified_header(shopper._credential)["kid"])


async def test_signing_keys_old_and_new_side_by_side_then_the_old_one_is_over(
    at_noon: Mall, owner: Any
) -> None:
    before = await at_noon.shopper()
    first = kid_of(before)

    second = await add_key(owner)
    at_noon.clock.advance(SIGNING_KEYS_US // SECOND_US + 1)
    after = await at_noon.shopper()
    assert (kid_of(after), kid_of(before)) == (second, first)
    for shopper in (before, after):
        assert (await shopper.ping(north_m=300))["accepted"] == 1

    with pytest.raises(BadUse, match="is the one that signs"):
        await drop_key(owner, second, now=False)
    with pytest.raises(BadUse, match="may be good for"):
        await drop_key(owner, first, now=False)
    await owner.execute(
        "UPDATE signing_keys SET created_at = created_at - make_interval(secs => $1)", LIVES_S + 1
    )
    await drop_key(owner, first, now=False)
    at_noon.clock.advance(ACCESS_TTL_US // SECOND_US)

    assert (await before.ping(north_m=301))["accepted"] == 1  # her app refreshes its token, as it always does
    assert kid_of(before) == second
    with pytest.raises(BadUse, match="no signing key"):
        await drop_key(owner, first, now=False)


async def test_a_signing_key_that_has_leaked_signs_for_nobody_a_minute_after_it_was_dropped(
    at_noon: Mall, owner: Any
) -> None:
    shopper = await at_noon.shopper()
    await shopper.ping(north_m=300)  # her token is remembered
    stolen = shopper._credential
    await add_key(owner)
    await drop_key(owner, kid_of(shopper), now=True)

    at_noon.clock.advance(SIGNING_KEYS_US // SECOND_US + 1)

    await at_noon.shopper()  # whoever comes: the keys are read again
    status, problem = await at_noon.client(stolen).call("GET", "/v1/inbox")
    assert (status, problem["code"]) == (401, "unknown_token")
    assert (await shopper.ping(north_m=301))["accepted"] == 1


async def test_a_token_by_a_key_that_another_process_has_heard_of_first_is_good_here(
    at_noon: Mall, owner: Any
) -> None:
    shopper = await at_noon.shopper()
    await add_key(owner)
    at_noon.clock.advance(2)
    elsewhere = Authenticator(at_noon.vicino.database, at_noon.clock)
    bearer = Bearer(at_noon.keys["retailer_id"], shopper.device_id, shopper.shopper_id)
    tokens = await elsewhere.issue(bearer)

    status, _ = await at_noon.client(tokens.access_token).call("GET", "/v1/inbox")

    assert status == 200


@pytest.mark.parametrize("kind", ["app", "server", "till"])
async def test_api_keys_old_and_new_side_by_side_then_the_old_one_is_over(
    at_noon: Mall, database_url: str, kind: str
) -> None:
    asks = {
        "app": ("POST", "/v1/devices", {"platform": "android"}, {201}),
        "server": ("GET", "/v1/stores", None, {200}),
        "till": ("POST", "/v1/redemptions", {"code": "7K3M-9QXT-2VWB-H4YN"}, {404, 422}),
    }
    method, path, body, good = asks[kind]
    old, retailer = at_noon.keys[f"{kind}_key"], ("--retailer", at_noon.keys["retailer_id"])

    _, [made], _ = await vicino(database_url, "add", kind, *retailer, "--json")
    for key in (old, made["key"]):
        assert (await at_noon.client(key).call(method, path, body))[0] in good
    assert (await vicino(database_url, "revoke", secret_hash(old).hex()[:16], *retailer))[0] == 0
    at_noon.clock.advance(KEY_CACHE_US // SECOND_US + 1)

    assert (await at_noon.client(made["key"]).call(method, path, body))[0] in good
    status, problem = await at_noon.client(old).call(method, path, body)
    assert (status, problem["code"]) == (401, "unknown_key")
