"""Text that is meant to be taken for markup or for a script: in every field, on every page.

`watch_for_markup.js` is in every page of every test, and says so where text became an element or ran.
"""

import itertools
import time
from base64 import b32decode
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from playwright.async_api import Page, expect

from offers.bodies import ProductBody, StoreBody
from offers.offer_body import OfferBody
from server.accounts.totp import STEP_S, code_at
from server.api.openapi import name_of, openapi
from server.api.table import ROUTES
from server.cli.retailer import create_retailer
from server.demo.retail import SETTINGS
from tests.console.conftest import PASSWORD, City, Desk, Watched, add_people, now
from tests.console.hostile import SHARP, filling, labels, leaves, naughty, pages, with_text
from tests.console.test_fences import CONSENTS

DOMAIN = "hostile.example"
#: What the browser says in its console: of a refusal, and of what a field for numbers or times does not take.
EXPECTED = ("the server responded with a status of 4", "The specified value")
LAT, LON = 60.1686, 24.9419
APART = 0.003  #: degrees of longitude between two records, some 170 m
#: One of each kind, with every field in which there can be text.
WORLD: dict[str, dict[str, Any]] = {
    "stores": {
        "external_id": "shoes-1",
        "name": "Corner Shoes",
        "lat": LAT,
        "lon": LON,
        "address": "Old Street",
        "timezone": "Europe/Helsinki",
        "opening_hours": "24/7",
        "categories": ["Shoes"],
        "country": "FI",
        "closed_on": ["2026-12-24"],
    },
    "catalog": {
        "sku": "T-1",
        "name": "Trail trainers",
        "category": "Shoes",
        "price": "90",
        "currency": "EUR",
        "image_url": "https://example.com/t.png",
        "stores": ["shoes-1"],
        "stock_at": {"shoes-1": 3},
    },
    "geofences": {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [LON, LAT]},
        "properties": {"external_id": "door", "store": "shoes-1", "name": "Door", "radius": 60},
    },
    "sensitive": {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [LON, LAT + 1]},
        "properties": {"external_id": "clinic", "kind": "health", "name": "Clinic", "radius": 40},
    },
    "offers": {
        "external_id": "trainers-15",
        "name": "15 % off trainers",
        "discount": {"kind": "percent", "value": 15},
        "applies_to": {"skus": ["T-1"], "categories": ["Shoes"]},
        "stores": ["shoes-1"],
        "valid": {"from": "2024-01-01T00:00:00Z", "until": "2039-01-01T00:00:00Z"},
        "schedule": "24/7",
        "conditions": {
            "exclusive_group": "shoes",
            "segments": {"tiers": ["gold"], "lifecycles": ["active"], "likes": ["Shoes"]},
        },
        "status": "live",
        "code": {"pool": "spring"},
        "message": {"en": {"title": "{discount} off", "body": "at {store}"}},
    },
}
BODIES: dict[str, type[msgspec.Struct]] = {"stores": StoreBody, "catalog": ProductBody, "offers": OfferBody}
#: What of them is numbers alone.
NUMBERS = {"limits", "budget", "prior_response", "lever", "stock", "cost"}
#: Asks as the page does; the statuses, and what was answered.
ASK = """async calls => {
  const { csrf } = await (await fetch('/v1/session')).json();
  const told = [];
  for (const [method, path, body] of calls) {
    const headers = { 'Content-Type': 'application/json', 'Vicino-CSRF': csrf };
    const answer = await fetch(path, { method, headers, body: JSON.stringify(body) });
    told.push([answer.status, answer.status === 200 ? await answer.json().catch(() => null) : null]);
  }
  return told;
}"""
#: The page's text, and what stands in its fields.
TOLD = """() => {
  const main = document.querySelector('#main');
  const fields = [...main.querySelectorAll('input, textarea')];
  return [main.textContent, ...fields.map(one => one.value)].join('\\n');
}"""
#: Of these each record is opened by itself, of the others some.
OPENED = frozenset(SHARP[:4])
_numbers = itertools.count()


@pytest.fixture(scope="module")
async def hostile(city: City) -> City:
    """A retailer whose every published text is hostile, in its city."""
    keys = await create_retailer(city.vicino.database, "Hostile", SETTINGS)
    await add_people(city.vicino, keys["retailer_id"], domain=DOMAIN)
    town = msgspec.structs.replace(city, keys=keys)
    share = itertools.cycle(naughty())
    for kind, whole in WORLD.items():
        await town.call("POST", f"/v1/{kind}", _together(kind, [whole]))
        for leaf in leaves(whole):
            texts = [*SHARP, *itertools.islice(share, 12)]
            bodies = [_another(kind, whole, leaf, text) for text in texts]
            await _publish(town, kind, bodies)
    return town


async def _publish(town: City, kind: str, bodies: list[Any]) -> None:
    """What of them is taken; an answer that all are refused is one, too."""
    headers = {"Authorization": f"Bearer {town.keys['server_key']}"}
    url, body = f"{town.url}/v1/{kind}", _together(kind, bodies)
    async with town.session.post(url, json=body, headers=headers) as response:
        assert response.status in (200, 422), await response.text()


def _together(kind: str, bodies: list[Any]) -> Any:
    return {"type": "FeatureCollection", "features": bodies} if kind in ("geofences", "sensitive") else bodies


def _another(kind: str, whole: dict[str, Any], leaf: tuple[Any, ...], text: str) -> Any:
    """The record under an id of its own, and with that text there; a fence where no other is."""
    number = next(_numbers)
    body = whole
    for own in (("external_id",), ("sku",), ("properties", "external_id")):
        if own in set(leaves(whole)):
            body = with_text(body, own, f"{kind}-{number}")
    if kind == "geofences":
        body = with_text(body, ("geometry", "coordinates"), [LON + APART * (number % 500), LAT])
    return with_text(body, leaf, text)


def test_there_is_a_text_for_every_field_that_takes_one() -> None:
    for kind, type_ in BODIES.items():
        fields = {field.encode_name for field in msgspec.structs.fields(type_)}
        assert fields - NUMBERS <= WORLD[kind].keys()


async def at(desk: Desk, role: str, path: str) -> Watched:
    """A page of the hostile retailer, with everything loaded."""
    watched = await desk.sit(f"{role}@{DOMAIN}", path)
    watched.expected = EXPECTED
    await rest(watched.page)
    return watched


async def rest(page: Page) -> None:
    """Until the page has what it asks for."""
    await page.locator("h1").first.wait_for()
    await expect(page.locator(".loading")).to_have_count(0)


async def go(page: Page, path: str) -> None:
    """Goes there as a link does, without loading the page anew."""
    await page.evaluate(
        "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')); }", path
    )
    await page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    await rest(page)


async def published(town: City, kind: str) -> list[dict[str, Any]]:
    """All of that kind, as the server tells them."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        told = await town.call(
            "GET", f"/v1/{kind}?limit=200" + (f"&cursor={quote(cursor)}" if cursor else "")
        )
        found += told.get("items") or told["features"]
        cursor = told["next_cursor"]
    return found


def plain(text: str) -> str:
    """As it is told from the page: white space is what it is in HTML."""
    return " ".join(text.split())


async def is_told(page: Page, texts: Sequence[str]) -> None:
    """Each is on the page, character by character."""
    told = plain(await page.evaluate(TOLD))
    missing = [text for text in texts if plain(text) not in told]
    assert missing == []


async def test_published_text_is_shown_as_it_was_written(desk: Desk, hostile: City) -> None:
    fences, offers = await published(hostile, "geofences"), await published(hostile, "offers")
    stores = {one["external_id"]: one["name"] for one in await published(hostile, "stores")}
    assert {one["name"] for one in offers} > set(SHARP)

    page = (await at(desk, "admin", "fences")).page
    await page.locator(".map[data-ready]").wait_for()
    await is_told(page, [one["properties"].get("name", "") for one in fences])
    for fence in fences:
        if not OPENED.isdisjoint((properties := fence["properties"]).values()):
            await go(page, f"/console/fences/{quote(properties['external_id'], safe='')}")
            await expect(page.locator("h1")).to_have_text(properties["name"])
            await expect(page.get_by_label("Store", exact=True)).to_have_value(stores[properties["store"]])

    page = (await at(desk, "marketer", "offers")).page
    for text in SHARP:
        await page.get_by_label("Search offers").fill(text)
        await expect(page.get_by_role("link", name=text, exact=True).first).to_be_visible()
    for offer in offers:
        if not OPENED.isdisjoint(_texts(offer)):
            await go(page, f"/console/offers/{quote(offer['external_id'], safe='')}")
            await expect(page.locator("h1")).to_have_text(offer["name"])
            await is_told(page, [message["title"][:60] for message in offer["message"].values()])


def _texts(body: Any) -> set[str]:
    told = set()
    for leaf in leaves(body):
        inner = body
        for key in leaf:
            inner = inner[key]
        told.add(inner)
    return told


async def test_what_people_write_is_in_the_log_as_they_wrote_it(desk: Desk, hostile: City) -> None:
    statuses: Counter[int] = Counter()
    for role in ("admin", "privacy"):
        page = (await at(desk, role, "me")).page
        statuses.update(status for status, _ in await page.evaluate(ASK, list(_calls(role))))
    assert {status // 100 for status in statuses} == {2, 4}, statuses
    page = (await at(desk, "privacy", "audit")).page
    entries = (await page.evaluate("fetch('/v1/audit?limit=100').then(told => told.json())"))["items"]
    await is_told(page, [text for entry in entries for text in (entry["subject"], *_texts(entry["detail"]))])
    assert sum(text in SHARP for entry in entries for text in _texts(entry["detail"])) > len(OPENED)

    people = (await at(desk, "admin", "people")).page
    await is_told(people, list(OPENED))
    keys = (await at(desk, "admin", "operator")).page
    await is_told(keys, [key["store"] for key in await _keys(keys) if key["store"]])


async def _keys(page: Page) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = (await page.evaluate("fetch('/v1/keys').then(told => told.json())"))["items"]
    assert told
    return told


def _calls(role: str) -> Any:
    """Everything that somebody of that role can send, once for each text in it and each sharp one."""
    told = openapi(ROUTES, version="0")["paths"]
    for route in ROUTES:
        method, path = name_of(route).split(" ")
        content = told[path][method.lower()].get("requestBody", {}).get("content", {}).values()
        example = next((form.get("example") for form in content), None)
        published = path.removeprefix("/v1/") in WORLD  # all of it is published already
        if role not in route.who or example is None or published or path.startswith("/v1/session"):
            continue
        for leaf, text in itertools.product(leaves(example), OPENED):
            body = with_text(example, leaf, text)
            if "email" in body and leaf != ("email",):
                body = body | {"email": f"somebody-{next(_numbers)}@{DOMAIN}"}
            yield method, path.replace("{pool}", quote(text, safe="")).replace("{user_id}", "usr_0"), body


async def test_moments_and_their_receipts_show_text_as_text(desk: Desk, hostile: City) -> None:
    page = (await at(desk, "admin", "live")).page
    await expect(page.get_by_text("live", exact=True)).to_be_visible()
    fences = await published(hostile, "geofences")
    seen = [one for one in fences if not OPENED.isdisjoint(one["properties"].values())]
    for fence, text in zip(seen, itertools.cycle(OPENED), strict=False):
        await _walk(hostile, fence["geometry"]["coordinates"], text)
    names = {one["external_id"]: one["name"] for one in await published(hostile, "stores")}
    await expect(page.locator("tbody tr").nth(len(seen) - 1)).to_be_visible()
    await is_told(page, [names[fence["properties"]["store"]] for fence in seen])

    told: set[str] = set()
    for moment in (await hostile.call("GET", "/v1/moments?limit=200"))["items"]:
        await go(page, f"/console/live/{moment['id']}")
        receipt = await hostile.call("GET", f"/v1/decisions/{moment['id']}")
        sharp = _texts([receipt["candidates"], receipt["moment"]["evidence"]]) & OPENED
        await is_told(page, list(sharp))
        told |= sharp
    assert told == OPENED


async def _walk(town: City, position: Sequence[float], text: str) -> None:
    """Somebody who looked for that text, and at the product that is called so, walks in."""
    body = {"platform": "ios", "consents": CONSENTS, "user_id": text}
    device = await town.call("POST", "/v1/devices", body, key=town.keys["app_key"])
    key = device["access_token"]
    events = [{"kind": "search", "query": text, "at": now()}, {"kind": "cart", "sku": text, "at": now()}]
    await town.call("POST", "/v1/events", {"events": events}, key=key)
    fix = {"lat": position[1], "lon": position[0], "fixed_at": now(), "accuracy_m": 5}
    await town.call("POST", "/v1/pings", {"fixes": [fix]}, key=key)


STORE = "shoes-1"
#: What shows more fields, where a page has it.
OPENING = ("New fence", "Circle at the store", "Add somebody", "Add a change", "Set it up")
#: What sends them. Whatever comes of it, what was typed is shown as text.
SENDING = (
    "Save and publish",
    "Publish",
    "Look up",
    "Replay the day",
    "Make a key",
    "Add",
    "Change it",
    "Turn it on",
)


async def test_every_field_takes_every_text_as_text(desk: Desk, hostile: City) -> None:
    texts = [text for text in naughty() if text]
    known: dict[str, set[str]] = {}  #: by page
    for role, path in await _places(hostile):
        page = (await at(desk, role, path)).page
        seen = known.setdefault(path.partition("/")[0], set())
        seen |= await _fill(page, texts, seen)
        await _send(page)
    found = Counter(label for seen in known.values() for label in seen)
    found.update(await _fill_sign_in(desk, texts))
    missing = labels() - found
    assert not missing, f"fields that were never seen: {missing}"


async def _places(town: City) -> list[tuple[str, str]]:
    """Every page, with who sees most of it; and what there is below them."""
    area = {"type": "Polygon", "coordinates": [[[25, 61], [25.01, 61], [25.01, 61.01], [25, 61]]]}
    properties = {"external_id": "area", "store": STORE, "name": SHARP[1]}
    fence = {"type": "Feature", "geometry": area, "properties": properties}
    await town.call("POST", "/v1/geofences", fence)
    below = [("admin", "fences/area"), ("marketer", "offers/new"), ("marketer", "offers/trainers-15")]
    return [*((roles[0], page) for page, roles in pages().items()), *below]


async def _fill(page: Page, texts: Sequence[str], known: set[str]) -> set[str]:
    """Every field that can be brought to the page and is not known; the labels of all there were."""
    args = {"texts": texts, "sharp": SHARP, "known": list(known)}
    found = set(await page.evaluate(filling(), args))
    for name in OPENING:
        button = page.get_by_role("button", name=name, exact=True)
        if await button.count() and await button.first.is_enabled():
            await button.first.click()
            await rest(page)
            found.update(await page.evaluate(filling(), args))
            if name == "New fence":  # of a store that there is, whatever it is called: a circle needs one
                await page.get_by_label("Store", exact=True).fill(STORE)
    for summary in await page.locator("main details > summary:visible").all():
        await summary.click()
        found.update(await page.evaluate(filling(), args))
    for select in await page.get_by_role("combobox").and_(page.locator("select")).all():
        for option in range(await select.locator("option").count()):
            await select.select_option(index=option)
            found.update(await page.evaluate(filling(), args))
    return found


async def _send(page: Page) -> None:
    """Types into the fields that are left, and sends them."""
    for field in await page.locator("input:visible, textarea:visible").all():
        if await field.get_attribute("type") in (None, "text", "search", "password"):
            await field.fill(SHARP[1])
    await page.evaluate("for (const form of document.forms) form.noValidate = true")
    for name in SENDING:
        button = page.get_by_role("button", name=name, exact=True)
        if await button.count() and await button.first.is_enabled():
            await button.first.click()
    await expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=60_000)


async def _fill_sign_in(desk: Desk, texts: Sequence[str]) -> set[str]:
    """The fields of who is nobody yet; and the code, which is asked of whoever has a second factor."""
    page = (await at(desk, "analyst", "me")).page
    [[_, begun]] = await page.evaluate(ASK, [["POST", "/v1/session/totp", None]])
    code = code_at(b32decode(begun["secret"]), int(time.time()) // STEP_S).decode()
    await page.evaluate(ASK, [["PUT", "/v1/session/totp", {"code": code}]])

    watched = await desk.sit(None)
    watched.expected = EXPECTED
    page = watched.page
    await rest(page)
    found = await _fill(page, texts, set())
    await page.evaluate("document.forms[0].noValidate = true")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator(".error:visible, .notice.bad").first).to_be_visible()
    await page.get_by_label("E-mail").fill(f"analyst@{DOMAIN}")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("Code").wait_for()
    return found | await _fill(page, texts, set())
