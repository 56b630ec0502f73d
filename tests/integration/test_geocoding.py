"""Geocoding against a real HTTP server that speaks Nominatim's JSON on loopback."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.errors import BadUse
from server.imports.geocoding import Found, Geocoder, NotFound

HELSINKI = [{"place_id": 1, "lat": "60.1674881", "lon": "24.9427473", "display_name": "Helsinki"}]


class Nominatim:
    """A stand-in: answers `/search` with what `answers` has for the query."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"Old Street 1": HELSINKI, "Nowhere": []}
        self.asked: list[str] = []
        self.released = asyncio.Event()
        self.url = ""

    async def search(self, request: web.Request) -> web.StreamResponse:
        query = request.query["q"]
        self.asked.append(query)
        if query == "slow":
            await self.released.wait()
        answer = self.answers.get(query, [])
        return answer if isinstance(answer, web.Response) else web.json_response(answer)


@pytest.fixture
async def nominatim() -> AsyncIterator[Nominatim]:
    standin = Nominatim()
    app = web.Application()
    app.router.add_get("/search", standin.search)
    async with TestServer(app) as server:
        standin.url = str(server.make_url("")).rstrip("/")
        yield standin
        standin.released.set()


async def locate(nominatim: Nominatim, address: str, answer: Any = None, timeout_s: float = 5) -> Any:
    if answer is not None:
        nominatim.answers[address] = answer
    async with Geocoder.open(nominatim.url, min_delay_s=0, timeout_s=timeout_s) as geocoder:
        return await geocoder.locate(address)


async def test_an_address_is_found(nominatim: Nominatim) -> None:
    assert await locate(nominatim, "Old Street 1") == Found(lat_deg=60.1674881, lon_deg=24.9427473)
    assert nominatim.asked == ["Old Street 1"]


async def test_an_unknown_address_is_told(nominatim: Nominatim) -> None:
    found = await locate(nominatim, "Nowhere")
    assert found.code == "no_place_found"


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_an_error_is_told_and_not_asked_again(nominatim: Nominatim, status: int) -> None:
    found = await locate(nominatim, "x", web.Response(status=status, text="no"))
    assert isinstance(found, NotFound)
    assert found.code == "geocoder_failed"
    assert len(nominatim.asked) == 1


async def test_a_slow_geocoder_is_given_up(nominatim: Nominatim) -> None:
    found = await locate(nominatim, "slow", timeout_s=0.2)
    assert found == NotFound(code="geocoder_failed", detail="the geocoder did not answer in time")


async def test_no_geocoder_at_the_address_is_told() -> None:
    async with Geocoder.open("http://127.0.0.1:9", min_delay_s=0) as geocoder:
        found = await geocoder.locate("x")
    assert isinstance(found, NotFound)
    assert found.code == "geocoder_failed"


async def test_a_redirect_is_not_followed(nominatim: Nominatim) -> None:
    elsewhere = Nominatim()
    app = web.Application()
    app.router.add_get("/search", elsewhere.search)
    async with TestServer(app) as server:
        moved = web.Response(status=302, headers={"Location": str(server.make_url("/search?q=x"))})
        found = await locate(nominatim, "x", moved)
    assert isinstance(found, NotFound)
    assert found.code == "geocoder_failed"
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        '[{"lat": "NaN", "lon": "1"}]',
        '[{"lat": NaN, "lon": 1}]',
        '[{"lat": "1e999", "lon": "1"}]',
        '[{"lat": "91", "lon": "1"}]',
        '[{"lat": "1", "lon": "181"}]',
        '[{"place_id": 1}]',
        "[7]",
        "7",
        '{"error": "no"}',
        "[" * 10_000,
        '["' + "x" * 100_000 + '"]',
    ],
)
async def test_an_answer_that_makes_no_sense_is_told(nominatim: Nominatim, body: str) -> None:
    found = await locate(nominatim, "x", web.Response(text=body, content_type="application/json"))
    assert isinstance(found, NotFound)
    assert found.code == "geocoder_failed"


async def test_a_base_url_may_have_a_path() -> None:
    standin = Nominatim()
    app = web.Application()
    app.router.add_get("/nominatim/search", standin.search)
    async with TestServer(app) as server:
        standin.url = str(server.make_url("/nominatim/"))
        assert isinstance(await locate(standin, "Old Street 1"), Found)


async def test_requests_keep_their_distance(nominatim: Nominatim) -> None:
    loop = asyncio.get_running_loop()
    async with Geocoder.open(nominatim.url, min_delay_s=0.2) as geocoder:
        start = loop.time()
        await asyncio.gather(*(geocoder.locate("Old Street 1") for _ in range(3)))
        assert loop.time() - start >= 0.4


@pytest.mark.parametrize(
    "url", ["", "nominatim", "ftp://h", "http://", "file:///etc/passwd", "http://h/?q=1"]
)
async def test_a_geocoder_that_is_no_base_url_is_bad_use(url: str) -> None:
    with pytest.raises(BadUse):
        async with Geocoder.open(url):
            pass
