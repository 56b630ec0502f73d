"""Every route × every kind of caller × own and foreign tenant: who is not listed is refused.

Generated from the table of routes, so a new route is asked about from the day it is there.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.accounts.roles import ROLES
from server.accounts.users import NewUser, add_user
from server.api.route import Route
from server.api.table import ROUTES
from server.auth import new_key, secret_hash
from server.clock import SystemClock
from server.sql import queries
from tests.acceptance.mall import FENCE, STORE, Mall, mall
from tests.conftest import fresh_database

PASSWORD = "correct-horse-battery"
KEYS = ("app", "server", "till")
#: Routes that anybody may call, each for a reason.
OPEN = {
    "POST /v1/devices/token",
    "OPTIONS /v1/track",
    "OPTIONS /v1/track/replay",
    "GET /v1/session",
    "POST /v1/session",
    "DELETE /v1/session",
    "POST /v1/csp-reports",
    "GET /",
    "GET /docs",
    "GET /console/{path}",
    "GET /console/map/{layer}.geojson",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
}


def named(route: Route) -> str:
    return f"{route.method} {re.sub(r':[^}]*}', '}', route.path)}"


def path_of(route: Route, **known: str) -> str:
    """The route's address, with something in place of each parameter."""

    def value(found: re.Match[str]) -> str:
        name, _, choices = found.group(1).partition(":")
        return known.get(name) or (choices.split("|")[0] if choices and "|" in choices else "nothing")

    return re.sub(r"\{([^}]+)\}", value, route.path)


class Person:
    """Somebody in the console."""

    def __init__(self, url: str, session: aiohttp.ClientSession, csrf: str) -> None:
        self.url, self.session, self.csrf = url, session, csrf

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        sent = {"Origin": self.url, "Vicino-CSRF": self.csrf} | headers
        data = None if body is None else json.dumps(body)
        async with self.session.request(method, self.url + path, data=data, headers=sent) as response:
            text = await response.text() if "stream" not in response.content_type else ""
            return response.status, json.loads(text) if text.startswith(("{", "[")) else None


class Cast:
    """One retailer's people of every role, and its keys."""

    def __init__(self, opened: Mall) -> None:
        self.mall = opened
        self.people: dict[str, Person] = {}

    async def hire(self, suffix: str) -> None:
        url, retailer_id = self.mall.vicino.url, self.mall.keys["retailer_id"]
        for role in ROLES:
            stores = ("shoes-1",) if role == "manager" else ()
            email = f"{role}@{suffix}.example"
            async with self.mall.vicino.database.transaction(retailer_id) as connection:
                wanted = NewUser(email=email, role=role, stores=stores, password=PASSWORD)  # type: ignore[arg-type]
                await add_user(connection, retailer_id, wanted, actor="test", now_us=SystemClock().now_us())
            session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
            sign_in = {"email": email, "password": PASSWORD}
            async with session.post(f"{url}/v1/session", json=sign_in, headers={"Origin": url}) as response:
                assert response.status == 200, await response.text()
                self.people[role] = Person(url, session, (await response.json())["csrf"])

    async def leave(self) -> None:
        for person in self.people.values():
            await person.session.close()


@pytest.fixture(scope="module")
async def cast(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Cast, Cast]]:
    """Two retailers on one server; each has a shop `shoes-1` with a fence `door`."""
    folder: Path = tmp_path_factory.mktemp("roles")
    async with fresh_database(postgres.url) as url, mall(url, folder) as opened:
        other = await (await opened.another_retailer()).opens()
        casts = Cast(opened), Cast(other)
        for one, suffix in zip(casts, ("one", "two"), strict=True):
            await one.hire(suffix)
        yield casts
        for one in casts:
            await one.leave()


def test_only_these_routes_are_open_to_anybody() -> None:
    assert {named(route) for route in ROUTES if not route.who} == OPEN


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_reaches_the_routes_that_list_it_and_no_other(
    cast: tuple[Cast, Cast], role: str
) -> None:
    person = cast[0].people[role]
    wrong = []
    for route in ROUTES:
        if not route.who or any(part in route.path for part in ("/v1/stream", "session", "{key}")):
            continue
        # An empty body: whoever is let in is told what is wrong with it, and nothing is done.
        status, answer = await person.call(
            route.method, path_of(route), None if route.method == "GET" else {}
        )
        refused = status in (401, 403) and (answer or {}).get("code") in ("wrong_credential", "no_credential")
        if refused == (role in route.who):
            wrong.append((named(route), status, answer))
    assert wrong == []


@pytest.mark.parametrize("kind", KEYS)
async def test_a_key_reaches_no_route_that_does_not_list_it(cast: tuple[Cast, Cast], kind: str) -> None:
    client = cast[0].mall.client(cast[0].mall.keys[f"{kind}_key"])
    wrong = []
    for route in ROUTES:
        if not route.who or kind in route.who or "{key}" in route.path:
            continue
        status, answer = await client.call(route.method, path_of(route))
        if (status, answer["code"]) != (403, "wrong_credential"):
            wrong.append((named(route), status))
    assert wrong == []


async def test_without_a_session_no_route_of_the_console_answers(cast: tuple[Cast, Cast]) -> None:
    url = cast[0].mall.vicino.url
    async with aiohttp.ClientSession() as session:
        stranger = Person(url, session, "")
        for route in ROUTES:
            if route.who and "{key}" not in route.path:
                status, _ = await stranger.call(route.method, path_of(route))
                assert status == 401, named(route)


@pytest.mark.parametrize("role", ROLES)
async def test_nobody_sees_or_touches_what_another_retailer_has(cast: tuple[Cast, Cast], role: str) -> None:
    ours, theirs = cast
    feature = theirs.mall.fence(external_id="only-theirs", name="theirs")
    await theirs.mall.server.post("/v1/geofences", {"type": "FeatureCollection", "features": [feature]})

    person = ours.people[role]
    for route in ROUTES:
        if (
            route.method == "GET"
            and role in route.who
            and "{" not in route.path
            and route.path != "/v1/stream"
        ):
            _, answer = await person.call("GET", route.path)
            assert "theirs" not in json.dumps(answer), route.path
            assert "two.example" not in json.dumps(answer), route.path
    for method in ("GET", "DELETE"):
        status, _ = await person.call(method, "/v1/geofences/only-theirs")
        assert status in (403, 404), method
    assert (await theirs.mall.server.get("/v1/geofences/only-theirs"))["properties"]["name"] == "theirs"


async def test_a_store_manager_neither_sees_nor_touches_another_store(cast: tuple[Cast, Cast]) -> None:
    ours, manager = cast[0].mall, cast[0].people["manager"]
    other = STORE | {"external_id": "hats-1", "name": "Hats"}
    fence = FENCE | {"properties": {"external_id": "hat-door", "store": "hats-1", "radius": 80}}
    await ours.server.post("/v1/stores", json.dumps(other).encode(), content_type="application/x-ndjson")
    await ours.server.post("/v1/geofences", fence)

    stores = (await manager.call("GET", "/v1/stores"))[1]["items"]
    fences = (await manager.call("GET", "/v1/geofences"))[1]["features"]
    assert [store["external_id"] for store in stores] == ["shoes-1"]
    assert {one["properties"]["store"] for one in fences} == {"shoes-1"}
    for method in ("GET", "DELETE"):
        assert (await manager.call(method, "/v1/geofences/hat-door"))[0] == 404
    assert (await manager.call("GET", "/v1/geofences/hat-door/versions"))[0] == 404

    def moved(**properties: Any) -> dict[str, Any]:
        return fence | {"properties": fence["properties"] | properties}

    for taken in (fence, moved(store="shoes-1"), moved(external_id="door", store="hats-1")):
        status, problem = await manager.call("POST", "/v1/geofences", taken)
        assert (status, problem["code"], problem["field"]) == (422, "foreign_store", "properties.store")
    assert await ours.server.get("/v1/geofences/hat-door") == await ours.server.get("/v1/geofences/hat-door")
    assert (await ours.server.get("/v1/geofences/door"))["properties"]["store"] == "shoes-1"


async def test_another_sites_page_cannot_use_a_session(cast: tuple[Cast, Cast]) -> None:
    admin = cast[0].people["admin"]
    body = {"email": "eve@one.example", "role": "admin"}
    for headers, code in (
        ({"Origin": "https://evil.example"}, "foreign_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "foreign_origin"),
        ({"Vicino-CSRF": "0" * 64}, "bad_csrf_token"),
        ({"Vicino-CSRF": ""}, "bad_csrf_token"),
    ):
        status, problem = await admin.call("POST", "/v1/users", body, **headers)
        assert (status, problem["code"]) == (403, code)
    accounts = (await admin.call("GET", "/v1/users"))[1]["items"]
    assert "eve@one.example" not in {account["email"] for account in accounts}


async def test_what_a_person_publishes_has_her_name_in_history_and_audit_log(cast: tuple[Cast, Cast]) -> None:
    ours, manager = cast[0].mall, cast[0].people["manager"]
    status, report = await manager.call("POST", "/v1/geofences", ours.fence(name="The door"))
    assert (status, report["updated"]) == (200, 1)

    versions = (await manager.call("GET", "/v1/geofences/door/versions"))[1]["items"]
    assert [one["published_by"] for one in versions] == ["manager@one.example", None]
    assert versions[1]["body"]["properties"]["name"] == ""
    log = (await cast[0].people["privacy"].call("GET", "/v1/audit"))[1]["items"]
    assert {"actor": "manager@one.example", "action": "published", "subject": "geofence door"}.items() <= log[
        0
    ].items()


async def test_what_a_person_was_denied_is_in_the_audit_log(cast: tuple[Cast, Cast]) -> None:
    assert (await cast[0].people["analyst"].call("GET", "/v1/users"))[0] == 403

    log = (await cast[0].people["privacy"].call("GET", "/v1/audit"))[1]["items"]
    said = {"actor": "analyst@one.example", "action": "denied", "detail": {"route": "GET /v1/users"}}
    assert said.items() <= log[0].items()


async def test_a_session_ends_with_the_account_and_with_a_changed_role(cast: tuple[Cast, Cast]) -> None:
    people = cast[0].people
    accounts = (await people["admin"].call("GET", "/v1/users"))[1]["items"]
    marketer = next(one for one in accounts if one["role"] == "marketer")
    assert (await people["marketer"].call("GET", "/v1/offers"))[0] == 200

    path = f"/v1/users/{marketer['user_id']}"
    assert (await people["admin"].call("PATCH", path, {"role": "analyst"}))[0] == 200

    assert (await people["marketer"].call("GET", "/v1/offers"))[0] == 401
    assert (await people["admin"].call("PATCH", path, {"role": "marketer"}))[0] == 200


async def test_a_key_of_a_person_is_no_way_in(cast: tuple[Cast, Cast]) -> None:
    """A key's kind is one of three: the database refuses one that is a role."""
    ours = cast[0].mall
    async with ours.vicino.database.transaction(ours.keys["retailer_id"]) as connection:
        with pytest.raises(Exception, match="check constraint"):
            await connection.execute(
                queries("auth")["add_key"],
                ours.keys["retailer_id"],
                secret_hash(new_key("app")),
                "admin",
                None,
            )
