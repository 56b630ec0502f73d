"""What happens is told to the retailer's own servers: signed, once, and again while they do not answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from aiohttp import web
from standardwebhooks import Webhook

from server.webhooks import courier
from tests.acceptance.mall import Mall, mall, until
from tests.support import serving

HOST = "127.0.0.1"


class Receiver:
    """A retailer's server. It answers with `status`, and keeps what it was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 204
        self.headers: dict[str, str] = {}
        self.got: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers=self.headers)

    def told(self, prefix: str = "") -> list[dict[str, Any]]:
        bodies = [json.loads(body) for _, body in self.got]
        return [body for body in bodies if body["type"].startswith(prefix)]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/hooks", receiver.take)
    async with serving(app) as url:
        receiver.url = f"{url}/hooks"
        yield receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path, webhook_hosts=HOST) as opened:
        yield opened


@pytest.fixture
async def shop_today(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    """The same by the machine's own clock, by which receivers judge how old a signature is."""
    today = datetime.now(tz=UTC).isoformat()
    async with mall(database_url, tmp_path, now=today, webhook_hosts=HOST) as opened:
        yield opened


async def registered(shop: Mall, receiver: Receiver, *types: str) -> dict[str, Any]:
    answer: dict[str, Any] = await shop.server.post(
        "/v1/webhooks", {"url": receiver.url, "types": list(types) or ["*"]}
    )
    return answer


async def settled(shop: Mall, endpoint: dict[str, Any], **wanted: Any) -> list[dict[str, Any]]:
    """The endpoint's messages, once there are some and each is as wanted."""

    async def ask() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await shop.server.get(f"/v1/webhooks/{endpoint['id']}/messages"))[
            "items"
        ]
        alike = all(item[name] == value for item in items for name, value in wanted.items())
        return items if items and alike else []

    found: list[dict[str, Any]] = await until(ask)
    return found


async def test_a_walk_past_the_shop_is_told_from_the_enter_to_the_till(
    shop: Mall, receiver: Receiver
) -> None:
    endpoint = await registered(shop, receiver)
    shopper = await shop.shopper()
    await shopper.looks_at("T-1", ago_s=60)
    await shopper.ping(40)
    await until(lambda: _true(receiver.told("push.sent")))
    item = (await shopper.inbox())[0]
    await shop.till.post("/v1/redemptions", {"code": item["code"]})
    await until(lambda: _true(receiver.told("coupon.redeemed")))

    types = [body["type"] for body in receiver.told()]
    assert sorted(types) == ["coupon.redeemed", "decision.offer", "push.sent", "transition.enter"]
    enter = receiver.told("transition.enter")[0]["data"]
    assert (enter["store"], enter["geofence"], enter["shopper_id"]) == ("shoes-1", "door", shopper.shopper_id)
    assert receiver.told("decision.offer")[0]["data"]["decision_id"] == item["decision_id"]
    assert receiver.told("coupon.redeemed")[0]["data"]["offer"] == "trainers-15"
    texts = b" ".join(body for _, body in receiver.got)
    assert b'"lat"' not in texts
    assert item["code"].encode() not in texts
    assert {one["state"] for one in await settled(shop, endpoint, state="delivered")} == {"delivered"}


async def test_messages_are_signed_as_the_specification_says(shop_today: Mall, receiver: Receiver) -> None:
    endpoint = await registered(shop_today, receiver, "transition.enter")
    await (await shop_today.shopper()).ping(40)
    await until(lambda: _true(receiver.got))
    headers, body = receiver.got[0]

    assert _verifies(endpoint["secret"], headers, body)
    assert not _verifies("whsec_" + "A" * 44, headers, body)
    assert not _verifies(endpoint["secret"], headers, body + b" ")


async def test_a_rotated_secret_signs_beside_the_one_before(shop_today: Mall, receiver: Receiver) -> None:
    before = await registered(shop_today, receiver, "transition.enter")
    after = await shop_today.server.post(f"/v1/webhooks/{before['id']}/rotate", {})
    await (await shop_today.shopper()).ping(40)
    await until(lambda: _true(receiver.got))

    assert after["secret"] != before["secret"]
    assert all(_verifies(one["secret"], *receiver.got[0]) for one in (before, after))


async def test_only_what_is_wanted_is_told(shop: Mall, receiver: Receiver) -> None:
    await registered(shop, receiver, "decision.silence")
    await (await shop.shopper()).ping(40)  # she has looked at nothing
    await until(lambda: _true(receiver.got))

    assert [body["type"] for body in receiver.told()] == ["decision.silence"]
    assert receiver.told()[0]["data"]["reasons"] == ["no_interest"]


async def test_a_receiver_that_fails_gets_the_same_message_again(shop: Mall, receiver: Receiver) -> None:
    endpoint = await registered(shop, receiver, "transition.enter")
    receiver.status = 500
    await (await shop.shopper()).ping(40)
    waiting = await settled(shop, endpoint, state="pending", attempts=1)
    assert (waiting[0]["reason"], waiting[0]["status"]) == ("http_500", 500)

    receiver.status = 200
    shop.clock.advance(10)
    await settled(shop, endpoint, state="delivered", attempts=2)
    first, second = receiver.got
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert first[1] == second[1]


async def test_a_receiver_that_is_away_for_a_day_has_failed_messages_which_can_be_replayed(
    shop: Mall, receiver: Receiver
) -> None:
    endpoint = await registered(shop, receiver, "transition.enter")
    receiver.status = 503
    since = shop.time(-60)
    await (await shop.shopper()).ping(40)
    await settled(shop, endpoint, state="pending", attempts=1)
    shop.clock.advance(24 * 3600)
    await settled(shop, endpoint, state="failed", reason="http_503")

    receiver.status = 200
    replay = f"/v1/webhooks/{endpoint['id']}/replay"
    assert await shop.server.post(replay, {"since": since}) == {"queued": 1}
    await settled(shop, endpoint, state="delivered")
    assert await shop.server.post(replay, {"since": since}) == {"queued": 0}


async def test_a_settled_message_is_kept_for_a_week(
    shop: Mall, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "FORGET_EVERY_S", 0.0)
    endpoint = await registered(shop, receiver, "transition.enter")
    await (await shop.shopper()).ping(40)
    await settled(shop, endpoint, state="delivered")
    shop.clock.advance(6 * 86_400)
    await (await shop.shopper()).ping(40)
    await until(lambda: _true(len(receiver.got) == 2))
    assert len(await settled(shop, endpoint, state="delivered")) == 2
    shop.clock.advance(2 * 86_400)

    async def only_the_newer() -> bool:
        messages = await shop.server.get(f"/v1/webhooks/{endpoint['id']}/messages")
        return len(messages["items"]) == 1

    await until(only_the_newer)


async def test_410_gone_disables_an_endpoint_until_it_is_enabled_again(
    shop: Mall, receiver: Receiver
) -> None:
    endpoint = await registered(shop, receiver, "transition.enter")
    receiver.status = 410
    await (await shop.shopper()).ping(40)
    await settled(shop, endpoint, state="failed", status=410)
    assert (await shop.server.get(f"/v1/webhooks/{endpoint['id']}"))["disabled_reason"] is not None

    receiver.status = 200
    await (await shop.shopper()).ping(40)
    await shop.server.post(f"/v1/webhooks/{endpoint['id']}/enable", {})
    await (await shop.shopper()).ping(40)
    await until(lambda: _true(len(receiver.got) == 2))
    assert len((await shop.server.get(f"/v1/webhooks/{endpoint['id']}/messages"))["items"]) == 2


async def test_a_slow_receiver_keeps_nobody_else_waiting(shop: Mall, receiver: Receiver) -> None:
    opened, release = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        opened.set()
        await release.wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/hooks", hang)
    async with serving(app) as url:
        try:
            await shop.server.post("/v1/webhooks", {"url": f"{url}/hooks"})
            await registered(shop, receiver)
            for _ in range(10):
                await (await shop.shopper()).ping(40)
            await asyncio.wait_for(opened.wait(), 10)
            await until(lambda: _true(len(receiver.told("transition.enter")) == 10))
        finally:
            release.set()


async def test_a_redirect_is_not_followed(shop: Mall, receiver: Receiver) -> None:
    endpoint = await registered(shop, receiver, "transition.enter")
    receiver.status, receiver.headers = 302, {"Location": receiver.url}
    await (await shop.shopper()).ping(40)
    await settled(shop, endpoint, state="pending", reason="http_302")

    assert len(receiver.got) == 1


@pytest.mark.parametrize("url", ["https://127.0.0.2/hooks", "http://shop.example/hooks", "nonsense"])
async def test_a_private_or_open_url_is_refused(shop: Mall, url: str) -> None:
    status, problem = await shop.server.call("POST", "/v1/webhooks", {"url": url})

    assert (status, problem["code"], problem["field"]) == (422, "bad_webhook_url", "url")


async def test_an_unknown_type_is_refused_with_those_there_are(shop: Mall, receiver: Receiver) -> None:
    status, problem = await shop.server.call("POST", "/v1/webhooks", {"url": receiver.url, "types": ["all"]})

    assert (status, problem["code"]) == (422, "unknown_event_type")
    assert "transition.enter" in problem["detail"]


async def test_another_retailer_sees_and_hears_nothing(shop: Mall, receiver: Receiver) -> None:
    endpoint = await registered(shop, receiver)
    other = await shop.another_retailer()
    paths = [("GET", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/enable"), ("GET", "/messages")]
    for method, path in paths:
        status, problem = await other.server.call(method, f"/v1/webhooks/{endpoint['id']}{path}")
        assert (status, problem["code"]) == (404, "unknown_endpoint")
    assert (await other.server.get("/v1/webhooks"))["items"] == []


async def test_a_removed_endpoint_hears_nothing_more(shop: Mall, receiver: Receiver) -> None:
    endpoint = await registered(shop, receiver)
    status, _ = await shop.server.call("DELETE", f"/v1/webhooks/{endpoint['id']}")
    kept = await registered(shop, receiver, "transition.enter")
    await (await shop.shopper()).ping(40)
    await settled(shop, kept, state="delivered")

    assert (status, len(receiver.got)) == (204, 1)


async def _true(value: object) -> bool:
    return bool(value)


def _verifies(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether the specification's own library takes the signature."""
    try:
        Webhook(secret).verify(body, headers)
    except standardwebhooks.WebhookVerificationError:
        return False
    return True
