"""The console of a running Vicino in Chromium: central Helsinki's shops, an account of every role."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

from server.accounts.users import NewUser, add_user
from server.app import Running, running
from server.cli.retailer import create_retailer
from server.clock import SystemClock
from server.config import Config
from server.demo.helsinki import read_shops
from server.demo.retail import (
    SETTINGS,
    catalog_document,
    found_retail,
    geofences_document,
    offers_document,
    stores_document,
)
from server.imports import ImportKind, import_body
from server.postgres import EmbeddedPostgres
from server.standin.fcm import StandinFcm
from tests.conftest import fresh_database
from tests.support import REPOSITORY, skip_or_fail

BUILT = REPOSITORY / "server" / "console" / "dist" / "index.html"
SCREENSHOTS = Path(__file__).parent / "screenshots"
#: Tells of text that is taken for markup, in every page of every test.
MARKUP_WATCH = Path(__file__).parent / "watch_for_markup.js"
PASSWORD = "correct-horse-battery"
#: The stores of the store manager.
BOUND = ("stadium", "marimekko")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class City(msgspec.Struct, kw_only=True):
    """A running Vicino with the demo's retailer."""

    vicino: Running
    fcm: StandinFcm
    keys: dict[str, str]
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return self.vicino.url

    async def call(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        """An answer of the API to the retailer's server, or to another key."""
        headers = {"Authorization": f"Bearer {key or self.keys['server_key']}"}
        async with self.session.request(method, self.url + path, json=body, headers=headers) as response:
            answer = await response.json() if response.content_length else None
            assert response.status < 300, answer
            return answer


@pytest.fixture(scope="session")
async def city(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[City]:
    """The demo's retailer, published, on a server of its own."""
    folder = tmp_path_factory.mktemp("city")
    async with fresh_database(postgres.url) as url, StandinFcm() as fcm, aiohttp.ClientSession() as session:
        config = Config(
            database_url=url,
            port=0,
            fcm_credentials=fcm.service_account_file(folder / "service-account.json"),
            fcm_endpoint=fcm.url,
            limits="off",
        )
        async with running(config) as vicino:
            keys = await create_retailer(vicino.database, "Helsinki", SETTINGS)
            retail = found_retail(read_shops())
            documents: dict[ImportKind, bytes] = {
                "stores": stores_document(retail),
                "geofences": geofences_document(retail),
                "catalog": catalog_document(retail),
                "offers": offers_document(retail),
            }
            for kind, document in documents.items():
                report = await import_body(
                    vicino.database, keys["retailer_id"], kind, document, now_us=SystemClock().now_us()
                )
                assert not report.problems
            await add_people(vicino, keys["retailer_id"])
            yield City(vicino=vicino, fcm=fcm, keys=keys, session=session)


async def add_people(vicino: Running, retailer_id: str, *, domain: str = "example.org") -> None:
    """An account of every role that needs no store, and where there are some a manager's: `ROLE@DOMAIN`."""
    for role in ("admin", "manager", "marketer", "analyst", "privacy"):
        if role == "manager" and domain != "example.org":
            continue
        stores = BOUND if role == "manager" else ()
        wanted = NewUser(email=f"{role}@{domain}", role=role, stores=stores, password=PASSWORD)
        async with vicino.database.transaction(retailer_id) as connection:
            await add_user(connection, retailer_id, wanted, actor="test", now_us=SystemClock().now_us())


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, without its own connections to anywhere."""
    chromium = shutil.which("chromium")
    if chromium is None:
        skip_or_fail("no Chromium: apt-get install chromium")
    if not BUILT.exists():
        skip_or_fail("the console is not built: make console")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()


class Watched:
    """A page, and everything about it that ought not to be."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.faults: list[str] = []
        self.expected: tuple[str, ...] = ()  #: parts of console messages that the test means to cause
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        page.on("request", self._asked)
        page.on("dialog", self._dialog)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "GL Driver Message" not in message.text:
            self.faults.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.faults.append(f"external request: {request.url}")

    async def _dialog(self, dialog: Any) -> None:
        if not dialog.message.startswith("Leave without saving") and dialog.type != "beforeunload":
            self.faults.append(f"{dialog.type}: {dialog.message}")
        await dialog.accept()

    def unexpected(self) -> list[str]:
        return [fault for fault in self.faults if not any(part in fault for part in self.expected)]


class Desk:
    """Opens the console as somebody."""

    def __init__(self, city: City, browser: Browser) -> None:
        self._city = city
        self._browser = browser
        self._signed_in: dict[str, Any] = {}
        self.open: list[tuple[BrowserContext, Watched]] = []

    async def sit(
        self, role: str | None, path: str = "", *, width: int = 1280, height: int = 800, dark: bool = False
    ) -> Watched:
        """A page of the console at `path`, signed in with that role, or as the account of that address."""
        context = await self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="Europe/Helsinki",
            has_touch=width < 800,
            storage_state=await self._state(role) if role else None,
        )
        await context.add_init_script(path=MARKUP_WATCH)
        context.set_default_timeout(20_000)
        watched = Watched(await context.new_page(), self._city.url)
        self.open.append((context, watched))
        await watched.page.goto(f"{self._city.url}/console/{path}")
        return watched

    async def _state(self, role: str) -> Any:
        if role not in self._signed_in:
            watched = await self.sit(None)
            await sign_in(watched.page, role)
            self._signed_in[role] = await watched.page.context.storage_state()
        return self._signed_in[role]


async def sign_in(page: Page, role: str, password: str = PASSWORD) -> None:
    await page.get_by_label("E-mail").fill(role if "@" in role else f"{role}@example.org")
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("navigation", name="Pages").wait_for(state="attached")


@pytest.fixture(scope="session")
def shared_desk(city: City, browser: Browser) -> Desk:
    return Desk(city, browser)


@pytest.fixture
async def desk(city: City, shared_desk: Desk) -> AsyncIterator[Desk]:
    """Opens pages; afterwards none of them may have had an error or asked anybody else."""
    yield shared_desk
    opened, shared_desk.open = shared_desk.open, []
    for context, _ in opened:
        await context.close()
    assert [fault for _, watched in opened for fault in watched.unexpected()] == []
    async with city.session.get(f"{city.url}/metrics") as response:
        assert "vicino_csp_reports_total 0.0" in await response.text()


async def shoot(page: Page, name: str, *, whole: bool = False) -> None:
    """Keeps a picture of the page, for somebody to look at; `whole`: what is scrolled to as well."""
    SCREENSHOTS.mkdir(exist_ok=True)
    if whole:
        height = await page.evaluate("document.querySelector('.main').scrollHeight + 60")
        await page.set_viewport_size({"width": await page.evaluate("innerWidth"), "height": height})
    await page.screenshot(path=SCREENSHOTS / f"{name}.png")


async def until(condition: Callable[[], Awaitable[Any]], *, within_s: float = 20.0) -> Any:
    """Asks until the answer is true, at most so long; the answer."""
    async with asyncio.timeout(within_s):
        while not (answer := await condition()):
            await asyncio.sleep(0.05)
    return answer


def now() -> str:
    return datetime.now(UTC).isoformat()
