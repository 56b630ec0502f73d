"""How long from a fix posted to its push accepted by (the stand-in of) FCM, one shopper after the other.

Server, PostgreSQL (durable), stand-in and shoppers share the machine. Every shopper has looked at the product
before and steps into the store's fence; the time runs from sending the request to FCM's acceptance.
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

from bench._served import SOLD
from server.app import running
from server.cli.retailer import create_retailer
from server.clock import SystemClock, from_us
from server.config import Config
from server.standin.fcm import StandinFcm

SHOPPERS, WARM_UP = 200, 10
LAT, LON = 60.1686, 24.9419
CONSENTS = {purpose: {"granted": True} for purpose in ("nearby_offers", "push", "personalisation")}
PUBLISHED: dict[str, Any] = {
    "stores": {"external_id": "shop", "name": "Shop", "lat": LAT, "lon": LON},
    "geofences": {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [LON, LAT]},
        "properties": {"external_id": "door", "store": "shop", "radius": 100},
    },
} | SOLD


def run() -> Iterator[dict[str, Any]]:
    """Yields the median and the 99th percentile."""
    took_ms = np.array(asyncio.run(_measure()))
    for share, name in ((50, "p50"), (99, "p99")):
        yield {
            "name": "fix_to_push",
            "value": round(float(np.percentile(took_ms, share)), 2),
            "unit": f"ms {name}",
        }


async def _measure() -> list[float]:
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vicino-bench-")))
        folder.chmod(0o755)  # noqa: ASYNC240 - once, before anything runs
        fcm = await stack.enter_async_context(StandinFcm())
        config = Config(
            data_dir=folder / "data",
            port=0,
            fcm_credentials=fcm.service_account_file(folder / "account.json"),
            fcm_endpoint=fcm.url,
        )
        vicino = await stack.enter_async_context(running(config))
        keys = await create_retailer(vicino.database, "Bench", {"quiet_hours": None})
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def post(path: str, credential: str, body: Any) -> Any:
            headers = {"Authorization": f"Bearer {credential}"}
            async with session.post(vicino.url + path, data=json.dumps(body), headers=headers) as answer:
                answer.raise_for_status()
                return await answer.json()

        for kind, body in PUBLISHED.items():
            await post(f"/v1/{kind}", keys["server_key"], body)
        took_ms = []
        for number in range(WARM_UP + SHOPPERS):
            address = f"phone-{number:05d}:" + "x" * 100
            push = {"kind": "fcm_token", "value": address}
            body = {"platform": "android", "push": push, "consents": CONSENTS}
            token = (await post("/v1/devices", keys["app_key"], body))["access_token"]
            now = from_us(SystemClock().now_us()).isoformat()
            await post("/v1/events", token, {"events": [{"kind": "cart", "sku": "T-1", "at": now}]})
            started = time.perf_counter()
            arrival = asyncio.create_task(fcm.wait_for_push(address, timeout_s=10))
            await post("/v1/pings", token, {"fixes": [{"lat": LAT, "lon": LON, "fixed_at": now}]})
            await arrival
            if number >= WARM_UP:
                took_ms.append((time.perf_counter() - started) * 1000)
        return took_ms
