"""Tiles of another host: asked for where the operator has set them, and named by the policy; else never."""

import zlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from playwright.async_api import Browser, expect

from server.app import running
from server.cli.retailer import create_retailer
from server.config import Config
from server.demo.retail import SETTINGS
from server.errors import BadUse
from tests.console.conftest import City, Desk, Watched, add_people, shoot, sign_in
from tests.support import serving


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


#: A PNG of one grey pixel.
PICTURE = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]))
    + _chunk(b"IDAT", zlib.compress(bytes([0, 200])))
    + _chunk(b"IEND", b"")
)


class TileHost:
    """A host of raster tiles on a real socket, and what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.origin = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.Response(
            body=PICTURE, content_type="image/png", headers={"Access-Control-Allow-Origin": "*"}
        )


@pytest.fixture
async def host() -> AsyncIterator[TileHost]:
    tiles, app = TileHost(), web.Application()
    app.router.add_get("/{z}/{x}/{y}.png", tiles.answer)
    async with serving(app) as tiles.origin:
        yield tiles


async def test_tiles_that_the_operator_set_are_shown_and_credited(
    database_url: str, browser: Browser, host: TileHost
) -> None:
    config = Config(
        database_url=database_url,
        port=0,
        limits="off",
        tiles=f"{host.origin}/{{z}}/{{x}}/{{y}}.png",
        tiles_credit="© Tiles & <b>Sons</b>",
    )
    async with running(config) as vicino:
        keys = await create_retailer(vicino.database, "Tiled", SETTINGS)
        await add_people(vicino, keys["retailer_id"], domain="tiles.example")
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        watched = Watched(await context.new_page(), vicino.url)
        watched.expected = (f"external request: {host.origin}/",)
        page = watched.page
        answer = await page.goto(f"{vicino.url}/console/fences")
        assert answer is not None
        assert host.origin in answer.headers["content-security-policy"]
        await sign_in(page, "admin@tiles.example")
        await page.locator(".map[data-ready]").wait_for()
        await expect(page.get_by_text("© Tiles & <b>Sons</b>")).to_be_visible()
        await shoot(page, "fences-tiles")
        await context.close()
    assert host.asked
    assert watched.unexpected() == []


async def test_without_them_the_policy_names_no_host(desk: Desk, city: City) -> None:
    async with city.session.get(f"{city.url}/console/") as response:
        assert "http" not in response.headers["Content-Security-Policy"]


def test_a_url_that_does_not_say_where_the_tile_goes_is_refused() -> None:
    with pytest.raises(BadUse, match=r"lacks \{y\}"):
        Config(tiles="https://tiles.example.org/{z}/{x}.png").tile_source  # noqa: B018
