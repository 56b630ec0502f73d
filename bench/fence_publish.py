"""How soon an edited geofence counts, in a retailer with 50,000 of them, and what that holds up.

The time runs from sending the edit to the answer to a ping that was judged by it: two requests one after the
other, both durably committed. The baseline is the same two requests when the edit changes nothing. The
server, its PostgreSQL and the phone share the machine and the process, so the longest pause of the event loop
is the server's. The edit's own work, by which the next world is made of the last one, is compared with
building that world from nothing.
"""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from server.app import Running, running
from server.cli.retailer import create_retailer
from server.clock import SystemClock, from_us
from server.config import Config
from server.publish import load_changes, load_published
from server.world import World

FENCES, EDITS = 50_000, 100
LAT, LON, REACH_DEG = 60.17, 24.94, 0.09  #: a town of 20 km by 20 km
HERE = (60.40, 24.94)  #: where the phone is: in no other fence
SEED = 1
CONSENTS = {"nearby_offers": {"granted": True}}

Post = Callable[[str, str, Any], Awaitable[Any]]


def run() -> Iterator[dict[str, Any]]:
    """Takes about a minute, most of it for the first import."""
    yield from asyncio.run(_measure())


async def _measure() -> list[dict[str, Any]]:
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vicino-bench-")))
        folder.chmod(0o755)  # noqa: ASYNC240 - once, before anything runs
        vicino = await stack.enter_async_context(running(Config(data_dir=folder / "data", port=0)))
        keys = await create_retailer(vicino.database, "Bench", {"quiet_hours": None})
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def post(path: str, credential: str, body: Any) -> Any:
            headers = {"Authorization": f"Bearer {credential}"}
            async with session.post(vicino.url + path, data=json.dumps(body), headers=headers) as answer:
                answer.raise_for_status()
                return await answer.json()

        await _open_town(post, keys["server_key"])
        device = {"platform": "android", "consents": CONSENTS}
        token = (await post("/v1/devices", keys["app_key"], device))["access_token"]
        await _ping(post, token)
        pauses = asyncio.create_task(_longest_pause_ms())
        took_ms, same_ms = [], []
        for number in range(EDITS):
            took_ms.append(await _edit(post, keys["server_key"], token, number))
            same_ms.append(await _edit(post, keys["server_key"], token, number))
        pauses.cancel()
        return [
            *(
                _figure(
                    "fence_publish",
                    float(np.percentile(took_ms, share)),
                    f"ms p{share}",
                    ("nothing changed", float(np.percentile(same_ms, share))),
                )
                for share in (50, 99)
            ),
            _figure("fence_publish_pause", await pauses, "ms longest"),
            await _world(vicino, keys["retailer_id"]),
        ]


async def _open_town(post: Post, key: str) -> None:
    """A store, and fences all over the town."""
    random = np.random.default_rng(SEED)
    lat = LAT + random.uniform(-REACH_DEG, REACH_DEG, FENCES)
    lon = LON + 2 * random.uniform(-REACH_DEG, REACH_DEG, FENCES)
    radius_m = random.uniform(50, 150, FENCES)
    await post("/v1/stores", key, {"external_id": "s", "name": "Shop", "lat": LAT, "lon": LON})
    columns = (column.tolist() for column in (lat, lon, radius_m))
    features = [_feature(f"f{number}", *row) for number, row in enumerate(zip(*columns, strict=True))]
    report = await post("/v1/geofences", key, {"type": "FeatureCollection", "features": features})
    assert report["created"] == FENCES


async def _edit(post: Post, key: str, token: str, number: int) -> float:
    """Moves one fence, and pings: the time of both, in milliseconds."""
    lat = HERE[0] + number * 1e-4
    started = time.perf_counter()
    await post("/v1/geofences", key, _feature("edited", lat, HERE[1], 100.0))
    answer = await _ping(post, token)
    took_ms = (time.perf_counter() - started) * 1000
    assert [lat] == [watch["lat"] for watch in answer["next"]["watch"] if watch["geofence_id"] == "edited"]
    return took_ms


async def _ping(post: Post, token: str) -> Any:
    now = from_us(SystemClock().now_us()).isoformat()
    fix = {"lat": HERE[0], "lon": HERE[1], "accuracy_m": 10, "fixed_at": now}
    return await post("/v1/pings", token, {"fixes": [fix]})


def _feature(external_id: str, lat: float, lon: float, radius_m: float) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [lon, lat]},
        "properties": {"external_id": external_id, "store": "s", "radius": radius_m},
    }


async def _world(vicino: Running, retailer_id: str) -> dict[str, Any]:
    """The work of one edit alone, beside that of building everything."""
    async with vicino.database.transaction(retailer_id) as connection:
        bodies = await load_published(connection, retailer_id)
        version = EDITS + 2
        changes = await load_changes(connection, retailer_id, version - 1, version)
    assert list(changes.get("geofence", {})) == ["edited"]
    world = World.build(retailer_id, b"", version, bodies)
    anew_ms = _best_ms(lambda: World.build(retailer_id, b"", version, bodies), 3)
    edit_ms = _best_ms(lambda: world.next(version + 1, changes), 30)
    return _figure("world_next", edit_ms, "ms", ("World.build", anew_ms))


def _best_ms(work: Callable[[], object], rounds: int) -> float:
    """The processor time of the fastest of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best * 1000


async def _longest_pause_ms() -> float:
    """How long the event loop did not come round, at the most, until this is cancelled."""
    longest_s = 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest_s = max(longest_s, time.perf_counter() - before - 0.001)
    return longest_s * 1000


def _figure(name: str, value: float, unit: str, baseline: tuple[str, float] | None = None) -> dict[str, Any]:
    """One figure, maybe with what it is to be compared to."""
    told: dict[str, Any] = {"name": name, "value": round(value, 3), "unit": unit}
    if baseline is not None:
        told["baseline"] = {"name": baseline[0], "value": round(baseline[1], 3)}
    return told
