"""Reports: what came of offers, told in numbers that are about nobody, and taken away as CSV and PNG."""

import csv
import io
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from playwright.async_api import Page, expect

from server.cli.retailer import create_retailer
from server.clock import SystemClock, from_us
from server.demo.helsinki import read_shops
from server.demo.retail import SETTINGS, found_retail, geofences_document, stores_document
from server.imports import import_body
from tests.console.conftest import City, Desk, add_people, shoot
from tests.console.test_fences import LOOKS, tab_to
from tests.console.test_pages import fits, page_of
from tests.integration.made_log import START, Made, log, write

DOMAIN = "reported.example"
HOSTILE = "=cmd|' /C calc'!A0"
OFFER = {
    "external_id": "winter-boots",
    "name": "Winter boots",
    "discount": {"kind": "percent", "value": 20},
    "valid": {"from": "2026-01-01T00:00:00Z", "until": "2036-01-01T00:00:00Z"},
    "message": {"en": {"title": "{discount} off", "body": "{store}"}},
    "budget": {"issued": 100, "spend": "400"},
}


@pytest.fixture(scope="module")
async def reported(city: City) -> str:
    """A retailer with a fortnight's decisions behind it."""
    database, now_us = city.vicino.database, SystemClock().now_us()
    keys = await create_retailer(database, "Reported", SETTINGS)
    retailer_id = keys["retailer_id"]
    await add_people(city.vicino, retailer_id, domain=DOMAIN)
    retail = found_retail(read_shops())
    for kind, document in (("stores", stores_document(retail)), ("geofences", geofences_document(retail))):
        assert not (await import_body(database, retailer_id, kind, document, now_us=now_us)).problems  # type: ignore[arg-type]
    since = from_us(now_us) - timedelta(days=14) - START
    made = log(1, holdout=0.2, spoken=0.3, silent=0.15, shoppers=600)
    stores = ("stadium", "marimekko", "zara")
    rows = [
        msgspec.structs.replace(one, at=one.at + since, store=stores[one.shopper % 3], offer=HOSTILE)
        for one in made
    ]
    muted = [
        Made(shopper=n, at=START + since, store="stadium", offer=None, reasons=("muted",)) for n in range(30)
    ]
    await write(database, retailer_id, [*rows, *muted])
    offers = msgspec.json.encode([OFFER])
    assert not (await import_body(database, retailer_id, "offers", offers, now_us=now_us)).problems
    async with database.transaction(retailer_id) as connection:
        await connection.executemany(
            """INSERT INTO ledgers (retailer_id, offer, issued, redeemed, spend_committed)
               VALUES ($1, $2, 80, 20, 90)""",
            [(retailer_id, OFFER["external_id"]), (retailer_id, HOSTILE)],
        )
        await connection.executemany(
            """INSERT INTO consent_changes (retailer_id, shopper_id, purpose, status, at, told_by)
               VALUES ($1, $2, 'push', 'withdrawn', $3, 'app')""",
            [(retailer_id, f"shp_{n}", START + since + timedelta(hours=2)) for n in range(25)],
        )
    return retailer_id


async def reports(desk: Desk, **more: Any) -> Page:
    return await page_of(desk, "reports", f"analyst@{DOMAIN}", "Reports", **more)


@pytest.mark.parametrize("look", LOOKS)
async def test_the_reports_fit_and_are_read_by_everybody(desk: Desk, reported: str, look: str) -> None:
    page = await reports(desk, **LOOKS[look])
    await expect(page.get_by_role("img", name="Heat map: ")).to_be_visible()
    await fits(page)
    await shoot(page, f"reports-filled-{look}", whole=True)


async def test_the_funnel_the_lift_and_the_opt_outs_are_told(desk: Desk, reported: str) -> None:
    page = await reports(desk)
    facts = page.locator(".facts")
    await expect(facts).to_contain_text("Stopped pushes25")
    await expect(facts).to_contain_text("Muted the store or category30")
    await expect(page.get_by_role("img", name="Funnel: Near")).to_be_visible()
    await expect(page.get_by_role("img", name="Lift: Visits")).to_be_visible()
    await expect(page.get_by_role("region", name="Fix to push")).to_contain_text("100.00 % within 3 s")
    await page.get_by_label("Store", exact=True).select_option("zara")
    await expect(page.get_by_role("region", name="Table").get_by_role("row")).to_have_count(2)


@pytest.mark.parametrize(
    "chart",
    [
        "Opt-outs and limits",
        "Funnel",
        "Why others were silent",
        "What speaking changed",
        "Fix to push",
        "Heat map",
    ],
)
async def test_a_chart_is_taken_away_as_csv_and_png(desk: Desk, reported: str, chart: str) -> None:
    page = await reports(desk)
    async with page.expect_download() as taken:
        await page.get_by_role("button", name=f"{chart} as CSV").click()
    rows = list(csv.reader(io.StringIO((await (await taken.value).path()).read_text(encoding="utf-8"))))
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(rows[0])}
    async with page.expect_download() as taken:
        await page.get_by_role("button", name=f"{chart} as PNG").click()
    picture = (await (await taken.value).path()).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 4_000, "there is something on it"


async def test_a_name_that_a_spreadsheet_would_run_is_text(desk: Desk, reported: str) -> None:
    page = await reports(desk)
    await expect(
        page.get_by_role("img", name="Budgets: winter-boots 80 %: 80 of 100 coupons")
    ).to_be_visible()
    async with page.expect_download() as taken:
        await page.get_by_role("button", name="Budgets as CSV").click()
    text = (await (await taken.value).path()).read_text(encoding="utf-8")
    assert f"'{HOSTILE}," in text
    assert f"\n{HOSTILE}" not in text


async def test_the_keyboard_alone_chooses_a_period_and_takes_a_chart(desk: Desk, reported: str) -> None:
    page = await reports(desk)
    await tab_to(page, "button", "90 days")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="90 days")).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_role("img", name="Funnel: Near")).to_be_visible()
    async with page.expect_download():
        await tab_to(page, "button", "Funnel as CSV")
        await page.keyboard.press("Enter")
