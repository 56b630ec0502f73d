"""The demo's clients meet a server that expires tokens, refuses, and talks nonsense."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.demo.client import Api, ApiError, App, Keys, new_session

KEYS = Keys(retailer_id="ret_x", app_key="pk_x", server_key="sk_x", till_key="tk_x")
FIX = {"lat": 60.17, "lon": 24.94, "fixed_at": "2026-01-15T12:00:00Z"}


async def devices(_: web.Request) -> web.Response:
    tokens = {"access_token": "old", "refresh_token": "refresh-1", "device_id": "dev_1"}
    return web.json_response(tokens, status=201)


async def token(request: web.Request) -> web.Response:
    assert await request.json() == {"refresh_token": "refresh-1"}
    return web.json_response({"access_token": "new", "refresh_token": "refresh-2"})


async def pings(request: web.Request) -> web.Response:
    if request.headers["Authorization"] != "Bearer new":
        return web.json_response({"code": "token_expired", "detail": "refresh it"}, status=401)
    return web.json_response({"accepted": len((await request.json())["fixes"])})


async def refusal(_: web.Request) -> web.Response:
    return web.json_response({"code": "no_consent", "detail": "ask her first"}, status=403)


async def nonsense(_: web.Request) -> web.Response:
    return web.Response(status=502, text="<html>bad gateway</html>")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    application = web.Application()
    application.router.add_post("/v1/devices", devices)
    application.router.add_post("/v1/devices/token", token)
    application.router.add_post("/v1/pings", pings)
    application.router.add_put("/v1/me/preferences", refusal)
    application.router.add_get("/v1/inbox", nonsense)
    async with TestServer(application) as server, new_session() as session:
        yield Api(session, str(server.make_url("")).rstrip("/"))


@pytest.fixture
async def app(api: Api) -> App:
    return await App.install(api, KEYS, fcm_token="phone-1", consents={})


async def test_an_expired_token_is_refreshed_and_the_request_sent_again(app: App) -> None:
    assert await app.ping([FIX, FIX]) == 2


async def test_a_refusal_says_why(app: App) -> None:
    with pytest.raises(ApiError) as refused:
        await app.prefer({})
    assert (refused.value.status, refused.value.code) == (403, "no_consent")
    assert "ask her first" in str(refused.value)


async def test_an_answer_that_is_no_json_is_a_refusal_too(app: App) -> None:
    with pytest.raises(ApiError) as refused:
        await app.inbox()
    assert refused.value.status == 502


async def test_a_server_that_is_gone_is_a_refusal_too() -> None:
    async with new_session() as session:
        with pytest.raises(ApiError) as refused:
            await Api(session, "http://127.0.0.1:9").get("/v1/inbox", "token")
    assert refused.value.code == "no_answer"
