"""Stores and fences: found, drawn, edited, restored, by mouse and by keyboard."""

import itertools
import json
from typing import Any

import pytest
from playwright.async_api import Page, expect

from server.demo.helsinki import read_shops
from tests.console.conftest import City, Desk, Watched, now, shoot, until

LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"dark": True},
    "phone": {"width": 390, "height": 844},
}
STADIUM = next(shop for shop in read_shops() if shop.name == "Stadium")
CONSENTS = {
    purpose: {"granted": True}
    for purpose in ("nearby_offers", "background_location", "push", "personalisation", "insight")
}
_numbers = itertools.count(1)


async def fences(desk: Desk, role: str = "admin", rest: str = "", **more: Any) -> Watched:
    """The page, with the map drawn."""
    watched = await desk.sit(role, f"fences{rest}", **more)
    await watched.page.locator(".side h1").wait_for()
    await watched.page.locator(".map[data-ready]").wait_for()
    return watched


@pytest.mark.parametrize("look", LOOKS)
async def test_every_fence_is_listed_and_found_by_its_store(desk: Desk, look: str) -> None:
    page = (await fences(desk, **LOOKS[look])).page
    count = len(read_shops())
    await expect(page.get_by_text(f"{count} fences, {count} stores")).to_be_visible()
    await shoot(page, f"fences-{look}")

    await page.get_by_label("Search stores and fences").fill("stadi")
    await expect(page.get_by_text(f"1 of {count} fences")).to_be_visible()
    await page.get_by_role("button", name="Stadium").click()

    await expect(page.get_by_role("heading", name="Stadium")).to_be_visible()
    await page.wait_for_timeout(600)  # the picture shows the map as it comes to rest
    await shoot(page, f"fence-{look}")


async def test_a_circle_drawn_on_the_map_is_published_and_a_shopper_in_it_gets_a_push(
    desk: Desk, city: City
) -> None:
    page = (await fences(desk)).page
    await page.get_by_role("button", name="New fence").click()
    await page.get_by_label("Store", exact=True).fill("Stadium · stadium")
    await page.get_by_label("Name").fill("Stadium, the square")
    await page.get_by_role("button", name="Draw a circle").click()
    await expect(page.get_by_text("Click the centre, then the rim")).to_be_visible()
    await draw(page, (0, 0), (60, 0))

    radius = page.get_by_label("Radius", exact=True)
    await radius.fill("120")
    await expect(page.get_by_text("Overlaps")).to_be_visible()
    await shoot(page, "fence-drawn")
    await page.get_by_role("button", name="Save and publish").click()
    await expect(page.get_by_role("heading", name="Stadium, the square")).to_be_visible()

    fence = await city.call("GET", "/v1/geofences/stadium-fence")
    assert fence["properties"]["radius"] == 120
    live = await desk.sit("admin", "live")
    await expect(live.page.get_by_text("live", exact=True)).to_be_visible()
    lon, lat = fence["geometry"]["coordinates"]
    push = await walk_in(city, lat, lon, store="stadium")
    row = live.page.get_by_role("row", name="Stadium").filter(has_text="sent")
    await row.first.wait_for()
    await shoot(live.page, "live-light")
    await row.first.get_by_role("link").click()

    await expect(live.page.get_by_role("heading", name="Offer at Stadium")).to_be_visible()
    await expect(live.page.get_by_text(push["offer"]).first).to_be_visible()
    await expect(live.page.get_by_text("Within the 3 s")).to_be_visible()
    await shoot(live.page, "receipt-light")


async def draw(page: Page, *points: tuple[int, int]) -> None:
    """Clicks on the map, at so many pixels from its middle."""
    box = await page.locator(".map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for east, south in points:
        await page.mouse.move(x + east, y + south, steps=4)
        await page.mouse.click(x + east, y + south)


async def walk_in(city: City, lat: float, lon: float, *, store: str, **more: Any) -> dict[str, Any]:
    """Somebody looks at what the store has on offer and walks in: what her phone shows."""
    address = f"phone-{next(_numbers):04d}:APA91b" + "x" * 100
    body = {"platform": "android", "push": {"kind": "fcm_token", "value": address}, "consents": CONSENTS}
    body |= more
    device = await city.call("POST", "/v1/devices", body, key=city.keys["app_key"])
    key = device["access_token"]
    offers = (await city.call("GET", "/v1/offers?limit=200"))["items"]
    sku = next(one for one in offers if one.get("stores") == [store])["applies_to"]["skus"][0]
    await city.call("POST", "/v1/events", {"events": [{"kind": "cart", "sku": sku, "at": now()}]}, key=key)
    fix = {"lat": lat, "lon": lon, "fixed_at": now(), "accuracy_m": 5}
    await city.call("POST", "/v1/pings", {"fixes": [fix]}, key=key)
    shown = await city.fcm.wait_for_push(address, 10)
    return dict(shown.data)


async def test_the_keyboard_alone_makes_moves_and_saves_a_fence(desk: Desk, city: City) -> None:
    page = (await fences(desk)).page
    await tab_to(page, "button", "New fence")
    await page.keyboard.press("Enter")
    await tab_to(page, "combobox", "Store")
    await page.keyboard.type("marimekko")
    await page.keyboard.press("Tab")
    await tab_to(page, "button", "Circle at the store")
    await page.keyboard.press("Enter")
    await tab_to(page, "button", "Centre: arrow keys")
    for _ in range(3):
        await page.keyboard.press("Shift+ArrowUp")
    await tab_to(page, "button", "Radius: arrow keys")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_label("Radius", exact=True)).to_have_value("61")
    await page.keyboard.press("Control+z")
    await expect(page.get_by_label("Radius", exact=True)).to_have_value("60")
    await page.keyboard.press("Control+Shift+z")
    await expect(page.get_by_label("Radius", exact=True)).to_have_value("61")
    await page.keyboard.press("Control+s")

    await expect(page.get_by_text("The fence is live")).to_be_visible()
    fence = await city.call("GET", "/v1/geofences/marimekko-fence")
    store = await city.call("GET", "/v1/stores/marimekko")
    assert fence["properties"]["radius"] == 61
    assert fence["geometry"]["coordinates"][1] - store["lat"] == pytest.approx(30 / 111_195, abs=1e-6)


async def tab_to(page: Page, role: Any, name: str, most: int = 80) -> None:
    """Presses Tab until that control has the focus."""
    wanted = page.get_by_role(role, name=name).first
    for _ in range(most):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"Tab never came to {role} {name!r}")


async def test_an_earlier_version_is_restored_and_undo_takes_steps_back(desk: Desk, city: City) -> None:
    page = (await fences(desk, rest="/stadium-door")).page
    radius = page.get_by_label("Radius", exact=True)
    before = await radius.input_value()
    await radius.fill("77")
    await page.get_by_role("button", name="Undo").click()
    await expect(radius).to_have_value(before)
    await page.get_by_role("button", name="Redo").click()
    await page.get_by_role("button", name="Save and publish").click()
    await expect(page.get_by_text("Saved, and live")).to_be_visible()

    await page.get_by_text("History").click()
    await expect(page.locator(".history")).to_contain_text("admin@example.org")
    await page.get_by_role("button", name="Restore").last.click()
    await expect(radius).to_have_value(before)
    assert (await city.call("GET", "/v1/geofences/stadium-door"))["properties"]["radius"] == float(before)


async def test_what_the_server_refuses_is_told_beside_its_field(desk: Desk) -> None:
    watched = await fences(desk, rest="/stadium-door")
    watched.expected = ("422",)
    page = watched.page
    await page.get_by_label("Dwell").fill("a while")
    await page.get_by_role("button", name="Save and publish").click()
    await expect(page.locator(".field.wrong").filter(has_text="Dwell")).to_be_visible()
    await page.get_by_label("Radius", exact=True).fill("5")
    await expect(page.get_by_text("From 10 to 10,000 metres.")).to_be_visible()


async def test_fences_are_taken_away_as_geojson_and_brought_back(desk: Desk, city: City) -> None:
    page = (await fences(desk)).page
    async with page.expect_download() as taken:
        await page.get_by_role("button", name="Export").click()
    collection = json.loads((await (await taken.value).path()).read_bytes())
    assert len(collection["features"]) >= len(read_shops())
    one = next(f for f in collection["features"] if f["properties"]["external_id"] == "zara-door")
    before = one["properties"]["radius"]
    one["properties"]["radius"] = before + 9
    bad = {**one, "properties": {"external_id": "bad", "store": "nowhere", "radius": 50}}
    file = {"type": "FeatureCollection", "features": [one, bad]}
    upload: Any = {
        "name": "f.geojson",
        "mimeType": "application/geo+json",
        "buffer": json.dumps(file).encode(),
    }
    await page.get_by_label("GeoJSON file").set_input_files(upload)
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("0 new, 1 changed")
    await expect(dialog).to_contain_text("nowhere")
    await shoot(page, "fences-import")
    await dialog.get_by_role("button", name="Publish").click()
    await expect(page.get_by_text("1 changed fences are live")).to_be_visible()
    assert (await city.call("GET", "/v1/geofences/zara-door"))["properties"]["radius"] == before + 9


async def test_a_file_that_is_none_is_refused_with_what_to_do(desk: Desk) -> None:
    page = (await fences(desk)).page
    upload: Any = {"name": "f.geojson", "mimeType": "application/json", "buffer": b"<gpx/>"}
    await page.get_by_label("GeoJSON file").set_input_files(upload)
    await expect(page.get_by_role("dialog")).to_contain_text("This file is no JSON")


async def test_a_store_manager_sees_the_own_stores_alone(desk: Desk, city: City) -> None:
    page = (await fences(desk, "manager")).page
    await expect(page.get_by_text("2 stores")).to_be_visible()
    await expect(page.get_by_role("button", name="Zara")).to_have_count(0)
    other = (await city.call("GET", "/v1/geofences?limit=1"))["features"][0]["properties"]["external_id"]
    page = (await fences(desk, "manager", f"/{other}")).page
    await expect(page.get_by_text("not one of yours")).to_be_visible()


async def test_a_sensitive_place_is_warned_of_as_the_fence_is_drawn(desk: Desk, city: City) -> None:
    place = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [STADIUM.lon_deg + 0.0022, STADIUM.lat_deg]},
        "properties": {"external_id": "chapel", "kind": "worship", "radius": 30, "distance_m": 20},
    }
    await city.call("POST", "/v1/sensitive", place)
    page = (await fences(desk, rest="/stadium-door")).page
    await page.get_by_label("Radius", exact=True).fill("100")
    await expect(page.get_by_text("Reaches a sensitive place: worship")).to_be_visible()
    await page.get_by_label("Radius", exact=True).fill("15")
    await expect(page.get_by_text("Too small for phones")).to_be_visible()
    await shoot(page, "fence-warned")
    await city.call("DELETE", "/v1/sensitive/chapel")


async def test_presence_is_told_in_counts_that_are_about_nobody(city: City) -> None:
    for _ in range(3):
        await walk_in(city, STADIUM.lat_deg, STADIUM.lon_deg, store="stadium")

    few = await city.call("GET", "/v1/headcount")
    assert (few["shoppers"], few["items"]) == (None, [])
    for _ in range(22):
        await walk_in(city, STADIUM.lat_deg, STADIUM.lon_deg, store="stadium")

    async def counted() -> Any:
        items = (await city.call("GET", "/v1/headcount"))["items"]
        return {item["geofence"]: item["shoppers"] for item in items}

    counts = await until(counted)
    assert counts["stadium-door"] in (20, 25)
