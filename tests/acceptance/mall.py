"""A retailer with one shoe shop in a mall, and the people of the stories: all through the public contract."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import aiohttp
import msgspec

from server.app import Running, running
from server.cli.retailer import create_retailer
from server.clock import from_us, to_us
from server.config import Config
from server.standin.fcm import StandinFcm
from tests.acceptance.scaled import kafka_config, scaled
from tests.fakes import ManualClock

SHOP = (60.16860, 24.94190)  #: the shoe shop's door
M_PER_DEGREE = 111_412.0  #: of latitude, there
NOON = "2026-11-18T10:00:00Z"  #: a Wednesday, 12:00 in Helsinki

ALL_CONSENTS = {
    purpose: {"granted": True, "text_version": "2026-11", "locale": "en"}
    for purpose in ("nearby_offers", "background_location", "push", "personalisation", "insight")
}
STORE: dict[str, Any] = {
    "external_id": "shoes-1",
    "name": "Corner Shoes",
    "lat": SHOP[0],
    "lon": SHOP[1],
    "timezone": "Europe/Helsinki",
    "opening_hours": "Mo-Sa 09:00-21:00",
    "categories": ["Shoes"],
}
FENCE: dict[str, Any] = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [SHOP[1], SHOP[0]]},
    "properties": {"external_id": "door", "store": "shoes-1", "radius": 100, "dwell_s": 60},
}
PRODUCTS = [
    {
        "sku": "T-1",
        "name": "Trail trainers",
        "category": "Shoes > Trainers",
        "price": "90",
        "currency": "EUR",
    },
    {"sku": "B-1", "name": "Rubber boots", "category": "Shoes > Boots", "price": "60", "currency": "EUR"},
]
OFFER: dict[str, Any] = {
    "external_id": "trainers-15",
    "name": "15 % off trainers",
    "discount": {"kind": "percent", "value": 15},
    "applies_to": {"categories": ["Shoes > Trainers"]},
    "valid": {"from": "2026-11-01T00:00:00Z", "until": "2026-12-31T00:00:00Z"},
    "budget": {"issued": 100},
    "message": {
        "en": {
            "title": "{discount} off the {product} you looked at",
            "body": "{store}, at {distance_m} m, until {until}",
        },
        "fi": {"title": "{product}: {discount} alennus", "body": "{store}, {distance_m} m, {until} asti"},
    },
}


class Client:
    """One credential at the server. Every call answers (status, body)."""

    def __init__(self, session: aiohttp.ClientSession, url: str, credential: str) -> None:
        self._session = session
        self._url = url
        self._credential = credential

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers.setdefault("Authorization", f"Bearer {self._credential}")
        async with self._session.request(method, self._url + path, data=data, headers=headers) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def text(self, path: str) -> str:
        """The body of an answer that is not JSON."""
        headers = {"Authorization": f"Bearer {self._credential}"}
        async with self._session.get(self._url + path, headers=headers) as response:
            assert response.status == 200
            return await response.text()

    async def get(self, path: str) -> Any:
        status, body = await self.call("GET", path)
        assert status == 200, body
        return body

    async def post(self, path: str, body: Any, **headers: str) -> Any:
        status, answer = await self.call("POST", path, body, **headers)
        assert status in (200, 201, 204), answer
        return answer

    async def put(self, path: str, body: Any) -> Any:
        status, answer = await self.call("PUT", path, body)
        assert status == 200, answer
        return answer


class Shopper(Client):
    """A shopper's phone with the retailer's app."""

    device_id: str
    shopper_id: str
    address: str
    mall: "Mall"
    refresh_token: str

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """As the app does it: when the access token has expired, it is refreshed and the call repeated."""
        status, answer = await super().call(method, path, body, **headers)
        if status != 401:
            return status, answer
        tokens = await self.mall.app.post("/v1/devices/token", {"refresh_token": self.refresh_token})
        self._credential, self.refresh_token = tokens["access_token"], tokens["refresh_token"]
        return await super().call(method, path, body, **headers)

    async def ping(self, north_m: float = 0.0, *, ago_s: float = 0.0, **fix: Any) -> Any:
        """Reports a position so many metres north of the shop's door, measured `ago_s` ago."""
        return await self.post("/v1/pings", {"fixes": [self.mall.fix(north_m, ago_s=ago_s, **fix)]})

    async def looks_at(self, sku: str, *, kind: str = "view", ago_s: float = 0.0) -> Any:
        event = {"kind": kind, "sku": sku, "at": self.mall.time(-ago_s)}
        return await self.post("/v1/events", {"events": [event]})

    def moves_to(self, vicino: Running) -> None:
        """The server came back at another address."""
        self._url = vicino.url
        self.mall = Mall(vicino, self.mall.session, self.mall.clock, self.mall.fcm, self.mall.keys)

    async def receipts(self) -> list[dict[str, Any]]:
        """Why there was an offer or silence, newest first."""
        page = await self.mall.server.get(f"/v1/decisions?device={self.device_id}")
        items: list[dict[str, Any]] = page["items"]
        return items

    async def inbox(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.get("/v1/inbox"))["items"]
        return items


class Mall:
    """A running Vicino with one retailer."""

    def __init__(  # noqa: PLR0917 - its parts, as it is made of them
        self,
        vicino: Running,
        session: aiohttp.ClientSession,
        clock: ManualClock,
        fcm: StandinFcm,
        keys: dict[str, str],
        stack: AsyncExitStack | None = None,
    ) -> None:
        self._stack = stack or AsyncExitStack()
        self.vicino = vicino
        self.clock = clock
        self.fcm = fcm
        self.keys = keys
        self.session = session
        self.server = self.client(keys["server_key"])
        self.till = self.client(keys["till_key"])
        self.app = self.client(keys["app_key"])
        self._numbers = itertools.count(1)

    def client(self, credential: str) -> Client:
        return Client(self.session, self.vicino.url, credential)

    async def opens(self) -> Self:
        """Publishes the shop, its fence, its products and its offer."""
        await self.server.post("/v1/stores", _ndjson(STORE), content_type="application/x-ndjson")
        await self.server.post("/v1/geofences", {"type": "FeatureCollection", "features": [FENCE]})
        await self.server.post("/v1/catalog", _ndjson(*PRODUCTS), content_type="application/x-ndjson")
        await self.server.post("/v1/offers", _ndjson(OFFER), content_type="application/x-ndjson")
        return self

    async def another_retailer(self) -> "Mall":
        """A second tenant of the same server, with nothing published."""
        keys = await create_retailer(self.vicino.database, "Somebody else", {})
        return Mall(self.vicino, self.session, self.clock, self.fcm, keys)

    def fence(self, **properties: Any) -> dict[str, Any]:
        """The shop's fence, changed."""
        return FENCE | {"properties": FENCE["properties"] | properties}

    async def stop(self) -> None:
        """Ends the server before its block does, as a restart does."""
        await self._stack.aclose()

    def offer(self, **changes: Any) -> dict[str, Any]:
        """The shop's offer, changed."""
        return OFFER | changes

    async def shopper(self, *, consents: dict[str, Any] | None = None, **more: Any) -> Shopper:
        """Somebody installs the app and grants what is asked."""
        address = f"phone-{next(self._numbers):04d}:APA91b" + "x" * 100
        body = {"platform": "android", "push": {"kind": "fcm_token", "value": address}, **more}
        answer = await self.app.post("/v1/devices", body | {"consents": consents or ALL_CONSENTS})
        shopper = Shopper(self.session, self.vicino.url, answer["access_token"])
        shopper.device_id, shopper.shopper_id = answer["device_id"], answer["shopper_id"]
        shopper.address, shopper.mall = address, self
        shopper.refresh_token = answer["refresh_token"]
        return shopper

    def time(self, seconds: float = 0.0) -> str:
        """RFC 3339 of now, or of so many seconds from now."""
        return from_us(self.clock.now_us() + round(seconds * 1e6)).isoformat()

    def fix(self, north_m: float = 0.0, *, ago_s: float = 0.0, **more: Any) -> dict[str, Any]:
        position = {"lat": SHOP[0] + north_m / M_PER_DEGREE, "lon": SHOP[1], "fixed_at": self.time(-ago_s)}
        return position | {"accuracy_m": 5.0} | more


@asynccontextmanager
async def mall(
    database_url: str,
    folder: Path,
    *,
    now: str = NOON,
    webhook_hosts: str = "",
    kafka: str | None = None,
    **settings: Any,
) -> AsyncIterator[Mall]:
    """The mall with its shop open, at noon unless said otherwise; on `kafka`, as several processes."""
    clock = ManualClock(to_us(datetime.fromisoformat(now)))
    async with (
        StandinFcm(now_us=clock.now_us) as fcm,
        aiohttp.ClientSession() as session,
        AsyncExitStack() as stack,
    ):
        config = msgspec.structs.replace(mall_config(database_url, folder, fcm), webhook_hosts=webhook_hosts)
        served = running(config, clock=clock)
        if kafka is not None:
            served = scaled(await kafka_config(config, kafka), clock)
        vicino = await stack.enter_async_context(served)
        chosen = {"timezone": "Europe/Helsinki", **settings}
        keys = await create_retailer(vicino.database, "Corner Shoes", chosen)
        yield await Mall(vicino, session, clock, fcm, keys, stack).opens()


def mall_config(database_url: str, folder: Path, fcm: StandinFcm) -> Config:
    """The configuration of the mall's server: its database, the stand-in FCM, any free port."""
    return Config(
        database_url=database_url,
        port=0,
        fcm_credentials=fcm.service_account_file(folder / "service-account.json"),
        fcm_endpoint=fcm.url,
    )


async def until(condition: Callable[[], Awaitable[Any]], *, within_s: float = 10.0) -> Any:
    """Asks until the answer is true, at most so long; the answer."""
    async with asyncio.timeout(within_s):
        while not (answer := await condition()):
            await asyncio.sleep(0.02)  # the condition is in another process: it can only be asked
    return answer


def _ndjson(*records: Any) -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in records)
