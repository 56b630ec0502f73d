"""The fence doctor on the page: what it says, and its proposal tried and taken back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.async_api import expect

from tests.console.conftest import City, Desk, shoot
from tests.console.test_fences import CONSENTS, fences

CROWD = 24
M_PER_DEGREE = 111_412.0  #: of latitude, in Helsinki


@asynccontextmanager
async def park(city: City) -> AsyncIterator[dict[str, Any]]:
    """A small fence where no other is near, for as long as the block lasts."""
    fence = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [24.89, 60.21]},
        "properties": {"external_id": "park", "store": "stadium", "name": "Stadium, the park", "radius": 30},
    }
    await city.call("POST", "/v1/geofences", fence)
    try:
        yield fence
    finally:
        await city.call("DELETE", "/v1/geofences/park")


async def stand_outside(city: City, fence: dict[str, Any]) -> None:
    """Many come from afar, stand ten minutes some 15 m outside of the fence, and go."""
    lon, lat = fence["geometry"]["coordinates"]
    at_m = fence["properties"]["radius"] + 15
    way = [(at_m + 250, 1500), (at_m + 100, 1440), *((at_m + n % 2, 1380 - 30 * n) for n in range(20))]
    for number in range(CROWD):
        body = {"platform": "android", "consents": CONSENTS}
        body |= {"push": {"kind": "fcm_token", "value": f"advised-{number:04d}:APA91b" + "x" * 100}}
        device = await city.call("POST", "/v1/devices", body, key=city.keys["app_key"])
        fixes = [
            {
                "lat": lat + north_m / M_PER_DEGREE,
                "lon": lon,
                "fixed_at": (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat(),
                "accuracy_m": 20.0,
            }
            for north_m, ago_s in [*way, (at_m + 200, 700), (at_m + 400, 640)]
        ]
        await city.call("POST", "/v1/pings", {"fixes": fixes}, key=device["access_token"])


async def test_the_doctors_proposal_is_tried_on_the_map_and_taken_back(desk: Desk, city: City) -> None:
    async with park(city) as fence:
        await stand_outside(city, fence)
        page = (await fences(desk)).page
        await page.get_by_label("Search stores and fences").fill("the park")
        await page.get_by_role("button", name="Stadium, the park").click()
        radius = page.get_by_label("Radius", exact=True)
        before = await radius.input_value()

        await page.get_by_text("Fence doctor").click()
        await page.get_by_role("button", name="Examine").click()

        await expect(page.get_by_text("People stop at it who make no visit.")).to_be_visible(timeout=30_000)
        await page.get_by_role("button", name="Try it on the map").scroll_into_view_if_needed()
        await shoot(page, "fence-doctor")
        await page.get_by_role("button", name="Try it on the map").click()
        assert float(await radius.input_value()) > float(before)
        await expect(page.get_by_role("button", name="Save and publish")).to_be_enabled()
        await page.get_by_role("button", name="Undo").click()
        await expect(radius).to_have_value(before)
