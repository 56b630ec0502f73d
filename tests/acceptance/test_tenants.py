"""Two retailers in one database: neither reads or changes what is the other's, by whichever route."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from server.api.described import DESCRIBED
from server.api.openapi import name_of, path_of
from server.api.route import Route
from server.api.table import ROUTES
from server.auth import secret_hash
from server.db import Connection, Database
from tests.acceptance.mall import STORE, Client, Mall, Shopper, mall
from tests.acceptance.test_roles import Cast, Person

#: A stream has no end; whose moments it tells is in its own tests.
OF_TENANTS = [route for route in ROUTES if route.who and route.media != "text/event-stream"]
READING = [route for route in OF_TENANTS if route.method == "GET" and route.media == "application/json"]


class Scene:
    """A retailer with a shopper who has an offer, beside another retailer with a shopper of its own."""

    def __init__(  # noqa: PLR0917 - its parts, as it is made of them
        self,
        hers: Mall,
        others: Mall,
        shopper: Shopper,
        other: Shopper,
        casts: tuple[Cast, Cast],
        ids: dict[str, str],
    ) -> None:
        self.hers, self.others, self.shopper, self.other, self.ids = hers, others, shopper, other, ids
        self.casts = casts

    @property
    def markers(self) -> list[str]:
        """What names the first retailer or whose it is."""
        named = [self.shopper.device_id, self.shopper.shopper_id, self.ids["decision"], self.ids["endpoint"]]
        return [*named, self.hers.keys["retailer_id"], self.ids["item"], "Only Hers"]

    def callers(self, mall: Mall, shopper: Shopper, cast: Cast) -> dict[str, Client | Person]:
        """A retailer's credentials, by kind of caller."""
        keys = {kind: mall.client(mall.keys[f"{kind}_key"]) for kind in ("app", "server", "till")}
        return {**keys, "device": shopper, **cast.people}

    def intruders(self, route: Route) -> list[Client | Person]:
        """The other retailer's that may call a route."""
        known = self.callers(self.others, self.other, self.casts[1])
        return [known[kind] for kind in route.who]

    def path(self, route: Route) -> str:
        """The route's path with the first retailer's ids in it."""
        ids = {
            "device_id": self.shopper.device_id,
            "external_id": {"geofences": "door", "catalog": "T-1", "offers": "trainers-15"}.get(
                route.path.split("/")[2], "only-hers"
            ),
            "id": {"decisions": self.ids["decision"], "webhooks": self.ids["endpoint"]}.get(
                route.path.split("/")[2], self.ids["item"]
            ),
            "outcome": "opened",
            "action": "pause",
            "user_id": self.ids["user"],
            "key_id": self.ids["key"],
            "client": "owntracks",
            "pool": "spring",
            "key": self.others.keys["app_key"],
        }
        query = f"?device={self.shopper.device_id}" if "device" in route.query else ""
        return path_of(route).format(**ids) + query

    def body(self, route: Route) -> Any:
        """What the route takes, with the first retailer's ids in it."""
        if route.path == "/v1/redemptions":
            return {"code": self.ids["code"]}
        if route.path.startswith("/v1/privacy/"):
            return {"by": "shopper_id", "value": self.shopper.shopper_id, "reason": "she has asked"}
        described = DESCRIBED.get(name_of(route))
        return None if described is None else described.example


@pytest.fixture
async def scene(database_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with mall(database_url, tmp_path) as hers, AsyncExitStack() as stack:
        others = await hers.another_retailer()
        await others.server.post("/v1/stores", STORE)
        casts = Cast(hers), Cast(others)
        for cast, suffix in zip(casts, ("one", "two"), strict=True):
            stack.push_async_callback(cast.leave)
            await cast.hire(suffix)
        shopper, other = await hers.shopper(), await others.shopper()
        await shopper.looks_at("T-1")
        await shopper.ping(north_m=40)
        [item] = await shopper.inbox()
        only_hers = STORE | {"external_id": "only-hers", "name": "Only Hers"}
        await hers.server.post("/v1/stores", only_hers)
        endpoint = await hers.server.post("/v1/webhooks", {"url": "https://example.com/hook"})
        ids = {
            "item": item["id"],
            "decision": item["decision_id"],
            "endpoint": endpoint["id"],
            "code": item["code"],
            "user": (await casts[0].people["admin"].call("GET", "/v1/users"))[1]["items"][0]["user_id"],
            "key": secret_hash(hers.keys["till_key"]).hex()[:16],
        }
        yield Scene(hers, others, shopper, other, casts, ids)


async def rows_of(database_url: str, retailer_id: str) -> str:
    """A hash of every row of a retailer's, but of what only time and its own pushes change."""
    connection = await asyncpg.connect(database_url)
    try:
        names = await connection.fetch(
            "SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t "
            "USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE' "
            "AND column_name = 'retailer_id' ORDER BY 1"
        )
        digest = hashlib.sha256()
        for (name,) in names:
            if name in {"outbox", "checkpoints", "webhook_messages"} or name.startswith("journal_"):
                continue
            rows = await connection.fetch(
                f"SELECT t::text AS row FROM {name} t WHERE retailer_id = $1 ORDER BY 1", retailer_id
            )
            digest.update(name.encode() + b"".join(row["row"].encode() for row in rows))
        return digest.hexdigest()
    finally:
        await connection.close()


def told(scene: Scene, asked: str, body: Any) -> list[str]:
    """What names the first retailer in an answer, but for what the request has named itself."""
    text = json.dumps(body)
    return [marker for marker in scene.markers if marker in text and marker not in asked]


async def test_no_route_tells_or_changes_another_retailers_things_whoever_asks(
    scene: Scene, database_url: str
) -> None:
    before = await rows_of(database_url, scene.hers.keys["retailer_id"])
    asked = 0
    for route in OF_TENANTS:
        body = scene.body(route)
        for intruder in scene.intruders(route):
            path = scene.path(route)
            text = await raw(intruder, route.method, path, body)
            assert told(scene, f"{path} {json.dumps(body)}", text) == [], f"{name_of(route)}: {text[:300]}"
            asked += 1

    assert asked > 250
    assert await rows_of(database_url, scene.hers.keys["retailer_id"]) == before


async def raw(client: Client | Person, method: str, path: str, body: Any, *, well: bool = True) -> str:
    """The answer as text, whatever it is; where all is `well`, no defect."""
    data = None if body is None else json.dumps(body)
    if isinstance(client, Person):
        session, url = client.session, client.url
        headers = {"Origin": url, "Vicino-CSRF": client.csrf}
    else:
        session, url = client._session, client._url
        headers = {"Authorization": f"Bearer {client._credential}"}
    async with session.request(method, url + path, data=data, headers=headers) as answer:
        assert answer.status < 500 or not well, f"{method} {path}: {answer.status}"
        return (await answer.read()).decode(errors="replace")


async def test_each_kind_of_credential_is_refused_where_the_table_does_not_list_it(scene: Scene) -> None:
    keys = scene.hers.keys
    clients: dict[str, Client] = {
        kind: scene.hers.client(keys[f"{kind}_key"]) for kind in ("app", "server", "till")
    }
    clients["device"] = scene.shopper
    refused = 0
    for route in OF_TENANTS:
        if "{key}" in route.path:  # the key is in the path, and tried with the client's own tests
            continue
        for kind in clients.keys() - set(route.who):
            status, body = await clients[kind].call(route.method, scene.path(route))
            assert (status, body["code"]) == (403, "wrong_credential"), f"{kind} at {name_of(route)}"
            refused += 1

    assert refused > 80


async def test_with_row_level_security_as_the_only_guard_nothing_of_another_retailer_is_read(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every query asks for the first retailer's rows, in a transaction that is the other's."""
    wrong, right = scene.others.keys["retailer_id"], Database.transaction
    paths = {route: scene.path(route) for route in READING}
    clients = scene.callers(scene.hers, scene.shopper, scene.casts[0])
    for client in clients.values():  # credentials are looked up while all is well
        await client.call("GET", "/v1/inbox")

    def of_the_other(
        database: Database, _retailer_id: str, *, snapshot: bool = False
    ) -> AbstractAsyncContextManager[Connection]:
        return right(database, wrong, snapshot=snapshot)

    monkeypatch.setattr(Database, "transaction", of_the_other)
    for route in READING:
        for kind in route.who:
            if "{key}" not in route.path:
                # What needs the retailer's own secret finds none and fails, which tells nothing either.
                text = await raw(clients[kind], "GET", paths[route], None, well=False)
                assert told(scene, paths[route], text) == [], f"{name_of(route)}: {text[:300]}"
