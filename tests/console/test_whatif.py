"""What if: a day lived through once more, and how far an offer would reach before it is published."""

import asyncio
import multiprocessing
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from server.demo.helsinki import read_shops
from tests.console.conftest import City, Desk, shoot, until
from tests.console.test_fences import LOOKS, walk_in
from tests.console.test_pages import fits, page_of

SHOPPERS = 24
#: Where no other test has anybody go: of the day's shoppers there all are known.
JEWELLER = next(shop for shop in read_shops() if shop.name == "K. A. Rasmussen")


@pytest.fixture(scope="module")
async def crowd(city: City) -> None:
    """Enough shoppers at the same door that counts may be told."""
    for _ in range(SHOPPERS):
        await walk_in(city, JEWELLER.lat_deg, JEWELLER.lon_deg, store="k-a-rasmussen")


async def whatif(desk: Desk, role: str = "admin", **more: Any) -> Page:
    return await page_of(desk, "whatif", role, "What if", **more)


async def change(page: Page, what: str, of: str | None, to: str | None, *, label: str = "Fence") -> None:
    """Adds a change to what is asked."""
    await page.get_by_role("button", name="Add a change").click()
    row = page.get_by_role("group").last
    await row.get_by_label("Change").select_option(what)
    if of is not None:
        await row.get_by_label(label, exact=True).fill(of)
    if to is not None:
        await row.get_by_label("To", exact=True).fill(to)


@pytest.mark.parametrize("look", LOOKS)
async def test_a_smaller_cap_is_replayed_and_the_difference_told(desk: Desk, crowd: None, look: str) -> None:
    page = await whatif(desk, **LOOKS[look])
    await change(page, "Offers a day, in all", None, "5")
    await page.get_by_role("button", name="Replay the day").click()
    await expect(page.get_by_role("status").filter(has_text="Re").first).to_be_visible()
    row = page.get_by_role("region", name="Difference").first.get_by_role("row", name="Offers", exact=False)
    await expect(row.first).to_contain_text("fewer than 20", timeout=60_000)
    await fits(page)
    await shoot(page, f"whatif-{look}", whole=True)


async def test_a_fence_that_is_taken_away_makes_fewer_moments(desk: Desk, crowd: None) -> None:
    page = await whatif(desk)
    await change(page, "Fence: taken away", "k-a-rasmussen-door", None)
    await page.get_by_role("button", name="Replay the day").click()
    moments = page.get_by_role("row", name="Moments")
    # Others may have gone elsewhere on that day: too few to be told, or told as fewer.
    await expect(moments.first).to_contain_text(re.compile("fewer than 20|−"), timeout=60_000)
    async with page.expect_download() as taken:
        await page.get_by_role("button", name="Difference as CSV").click()
    assert (
        (await (await taken.value).path()).read_text(encoding="utf-8").startswith("count,as_it_was,what_if")
    )


async def test_what_cannot_be_is_told(desk: Desk, crowd: None) -> None:
    page = await whatif(desk)
    await change(page, "Fence: radius", "stadium-door", "-4")
    await page.get_by_role("button", name="Replay the day").click()
    await expect(page.get_by_role("alert")).to_contain_text("geofences.stadium-door", timeout=60_000)


async def test_a_marketer_sees_how_far_an_offer_would_have_gone(desk: Desk, crowd: None, city: City) -> None:
    published = await city.call("GET", "/v1/offers?limit=200")
    page = await page_of(desk, "offers/new", "marketer", "New offer")
    await page.get_by_label("Name").fill("Everything at Rasmussen")
    await page.get_by_label("Value").fill("50")
    await page.get_by_label("Stores").fill("K. A. Rasmussen · k-a-rasmussen")
    await page.get_by_role("button", name="Try it on recent days").click()
    days = len((await city.call("GET", "/v1/whatif"))["days"])
    rows = page.get_by_role("region", name="Reach by day").get_by_role("row")
    await expect(rows).to_have_count(days + 2, timeout=60_000)  # the head, and what it comes to in all
    await expect(rows.nth(1)).to_contain_text("about 20")
    await expect(rows.last).to_contain_text("In allabout 20")
    await page.get_by_role("region", name="Reach", exact=True).scroll_into_view_if_needed()
    await shoot(page, "offer-reach")
    assert await city.call("GET", "/v1/offers?limit=200") == published, "nothing is published"


async def test_a_what_if_is_stopped_and_its_process_ends_with_it(desk: Desk, crowd: None, city: City) -> None:
    page = await whatif(desk)
    await change(page, "Offers a day, in all", None, "5")
    await page.get_by_role("button", name="Replay the day").click()
    await until(replaying)
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_text("It was stopped before its end")).to_be_visible()
    assert not await replaying()
    assert (await city.call("GET", "/v1/whatif"))["job"]["state"] == "stopped"
    await page.get_by_role("button", name="Replay the day").click()
    row = page.get_by_role("region", name="Difference").first.get_by_role("row", name="Offers", exact=False)
    await expect(row.first).to_contain_text("fewer than 20", timeout=60_000)


async def replaying() -> bool:
    """Whether this process has one of its own that replays."""
    return bool(multiprocessing.active_children())


async def test_phones_are_answered_while_a_day_is_replayed(desk: Desk, crowd: None, city: City) -> None:
    day = (await city.call("GET", "/v1/whatif"))["days"][0]
    asked = {"day": day, "changes": {"settings": {"shopper_per_day": 1}}}
    job = await city.call("POST", "/v1/whatif", asked)
    assert job["state"] in ("waiting", "running")
    async with asyncio.timeout(60):
        answered = 0
        while (told := (await city.call("GET", "/v1/whatif"))["job"])["state"] in ("waiting", "running"):
            await city.call("GET", "/v1/settings")
            answered += 1
    assert (told["id"], told["state"]) == (job["id"], "done")
    assert answered > 20
