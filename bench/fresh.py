"""How long from a browse event to changed priorities, end to end, under the policy that learns.

A shopper stands in a store and has looked at trainers, which are ranked first. She puts boots into her cart:
the time runs from sending that event until a receipt is read back over HTTP that ranks the boots first.
Server, PostgreSQL (durable) and shoppers share the machine.
"""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from server.app import running
from server.cli.retailer import create_retailer
from server.clock import SystemClock, from_us
from server.config import Config

SHOPPERS, WARM_UP = 150, 10
LAT, LON = 60.1686, 24.9419
CONSENTS = {purpose: {"granted": True} for purpose in ("nearby_offers", "push", "personalisation", "insight")}
SETTINGS = {"quiet_hours": None, "policy": "learn", "learning": {"margin": 0.8}}


def offer(kind: str) -> dict[str, Any]:
    """An offer on one kind of shoes."""
    return {
        "external_id": kind,
        "name": kind,
        "discount": {"kind": "percent", "value": 15},
        "applies_to": {"categories": [f"Shoes > {kind}"]},
        "valid": {"from": "2026-01-01T00:00:00Z", "until": "2036-01-01T00:00:00Z"},
        "message": {"en": {"title": "{discount} off {product}", "body": "{store}, {distance_m} m"}},
    }


def product(kind: str) -> dict[str, Any]:
    return {"sku": kind, "name": kind, "category": f"Shoes > {kind}", "price": "90", "currency": "EUR"}


PUBLISHED: list[tuple[str, dict[str, Any]]] = [
    ("stores", {"external_id": "shop", "name": "Shop", "lat": LAT, "lon": LON}),
    (
        "geofences",
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [LON, LAT]},
            "properties": {"external_id": "door", "store": "shop", "radius": 100},
        },
    ),
    ("catalog", product("trainers")),
    ("catalog", product("boots")),
    ("offers", offer("trainers")),
    ("offers", offer("boots")),
]


def run() -> Iterator[dict[str, Any]]:
    """Yields the median and the 99th percentile."""
    took_ms = np.array(asyncio.run(_measure()))
    for share, name in ((50, "p50"), (99, "p99")):
        value = round(float(np.percentile(took_ms, share)), 1)
        yield {"name": "fresh", "value": value, "unit": f"ms {name}"}


async def _measure() -> list[float]:
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vicino-bench-")))
        folder.chmod(0o755)  # noqa: ASYNC240 - once, before anything runs
        vicino = await stack.enter_async_context(running(Config(data_dir=folder / "data", port=0)))
        keys = await create_retailer(vicino.database, "Bench", SETTINGS)
        town = Town(await stack.enter_async_context(aiohttp.ClientSession()), vicino.url, keys)
        for kind, body in PUBLISHED:
            await town.post(f"/v1/{kind}", keys["server_key"], body)
        return [await town.priority_changed_ms() for _ in range(WARM_UP + SHOPPERS)][WARM_UP:]


class Town:
    """The retailer at the server."""

    def __init__(self, session: aiohttp.ClientSession, url: str, keys: dict[str, str]) -> None:
        self._session, self._url, self._keys = session, url, keys

    async def post(self, path: str, credential: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {credential}"}
        async with self._session.post(self._url + path, data=json.dumps(body), headers=headers) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def priority_changed_ms(self) -> float:
        """One shopper's."""
        body = {"platform": "android", "consents": CONSENTS}
        device = await self.post("/v1/devices", self._keys["app_key"], body)
        token, device_id = device["access_token"], device["device_id"]
        await self._event(token, "view", "trainers")
        fix = {"lat": LAT, "lon": LON, "fixed_at": from_us(SystemClock().now_us()).isoformat()}
        await self.post("/v1/pings", token, {"fixes": [fix]})
        assert await self._first(device_id) == "trainers"
        started = time.perf_counter()
        await self._event(token, "cart", "boots")
        first = await self._first(device_id)
        took_ms = (time.perf_counter() - started) * 1000
        assert first == "boots"
        return took_ms

    async def _event(self, token: str, kind: str, sku: str) -> None:
        now = from_us(SystemClock().now_us()).isoformat()
        await self.post("/v1/events", token, {"events": [{"kind": kind, "sku": sku, "at": now}]})

    async def _first(self, device_id: str) -> str:
        """The offer that her newest receipt ranks first."""
        headers = {"Authorization": f"Bearer {self._keys['server_key']}"}
        path = f"{self._url}/v1/decisions?device={device_id}&limit=1"
        async with self._session.get(path, headers=headers) as answer:
            answer.raise_for_status()
            [newest] = (await answer.json())["items"]
        return str(newest["candidates"][0]["offer"])
