"""All of 50,000 fences are moved in one publication while pings come: what that holds up, and which count.

Every answer says where the fences nearby are (`next.watch`): one that names some where they were and some
where they are now was judged by a mixed set.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import numpy as np

from bench._load import Outcome, paced
from bench._run import each
from bench._served import Phones, data_folder, opened, post, town, vicino

FENCES, PHONES, RATE, CONNECTIONS = 50_000, 300, 100.0, 16
QUIET_S = 5.0
PATIENCE_S = 120.0  #: so long at most the fences may take to move
SHIFT_DEG = 0.001  #: 110 m
_FENCES = re.compile(rb'"geofence_id":"f(\d+)","lat":([\d.]+)')


def run() -> Iterator[dict[str, Any]]:
    """Takes about two minutes, most of it for the first import."""
    yield from each(_measure)


async def _measure() -> AsyncIterator[dict[str, Any]]:
    async with data_folder() as folder, vicino(folder) as (url, _):
        keys, tokens = await opened(url, folder, fences=FENCES, phones=PHONES)
        phones = Phones(tokens)
        mixed, seen = [0], set[bool]()
        lat = [feature["geometry"]["coordinates"][1] for feature in town(FENCES)]

        def look(answer: bytes) -> None:
            moved = {float(at) - lat[int(number)] > SHIFT_DEG / 2 for number, at in _FENCES.findall(answer)}
            seen.update(moved)
            mixed[0] += len(moved) > 1

        async def pings(seconds: float) -> Outcome:
            return await paced(
                url, phones.request, rate=RATE, connections=CONNECTIONS, seconds=seconds, look=look
            )

        await pings(QUIET_S)
        before = await pings(QUIET_S)
        began = time.perf_counter()
        reloading = asyncio.create_task(_reload(url, keys["server_key"]))
        latency_ms = []
        # A large world may take longer to build than the publication's answer waits for it.
        while not (reloading.done() and True in seen) and time.perf_counter() - began < PATIENCE_S:
            latency_ms.append((await pings(QUIET_S)).latency_ms)
        took_s = (await reloading) - began
        latency_ms.append((await pings(QUIET_S)).latency_ms)
        meanwhile_ms = np.concatenate(latency_ms)
        assert seen == {False, True}, seen
        for name, value, unit in (
            ("fence_reload", took_s, "s until they had moved"),
            ("fence_reload_mixed", mixed[0], f"answers by a mixed set, of {len(meanwhile_ms)}"),
            ("fence_reload_p99", float(np.percentile(meanwhile_ms, 99)), "ms p99 meanwhile"),
            ("fence_reload_longest", float(meanwhile_ms.max()), "ms longest meanwhile"),
        ):
            baseline = {"name": "before", "value": round(before.percentile_ms(99), 2)}
            yield {"name": name, "value": round(value, 2), "unit": unit} | (
                {"baseline": baseline} if name.endswith("p99") else {}
            )


async def _reload(url: str, key: str) -> float:
    """When they had moved."""
    async with aiohttp.ClientSession() as session:
        features = {"type": "FeatureCollection", "features": town(FENCES, shift_deg=SHIFT_DEG)}
        await post(session, url + "/v1/geofences", key, features)
        return time.perf_counter()
