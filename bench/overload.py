"""Three times as much as can be done, for a minute: what is taken is answered soon, the rest is told so.

Server, PostgreSQL (durable) and load generator are processes of their own and share the machine. 5,000
phones lie still, each beside a fence; in the overload each steps into it once, for two reports. A moment is
lost when none of the two was taken: nobody here tries again. The same is done with a server that refuses by
chance. `BENCH_OVERLOAD_S` says how long instead of 60 s.
"""

import os
import time
from collections.abc import AsyncIterator, Iterator
from statistics import median
from typing import Any

import aiohttp
import msgspec
import numpy as np

from bench._crowd import Crowd, entered, fences
from bench._load import Outcome, closed, paced
from bench._run import each
from bench._served import LAT, LON, cpu_s, create_retailer, data_folder, device_of, post, process, registered

PHONES = 5000  #: more than connections: none has two reports under way, of which one would come too late
MOST_CONNECTIONS = 4000
FEW = 32  #: afterwards, so that none is idle for as long as headers may take
TIMES = 3
SECONDS = float(os.environ.get("BENCH_OVERLOAD_S", "60"))
AFTER_S = 15.0  #: how long it is watched afterwards, at half of what can be done


class Measured(msgspec.Struct, kw_only=True):
    """What became of one server."""

    peak: float
    over: Outcome
    after: Outcome
    visitors: int
    entered: int

    @property
    def lost(self) -> float:
        """The share of moments."""
        return 1 - self.entered / self.visitors


def run() -> Iterator[dict[str, Any]]:
    """Yields the accepted requests' latency, the goodput, the refusals, the time to normal, moments lost."""
    yield from each(_measure)


async def _measure() -> AsyncIterator[dict[str, Any]]:
    judged, blind = await _server("server"), await _server("bench._blind")
    over, peak = judged.over, judged.peak
    sent = len(over.statuses) + over.unanswered
    taken, refused = over.status[200], over.status[429]
    yield _figure("p99", over.accepted_ms(99), "ms, of accepted requests")
    yield _figure("p50", over.accepted_ms(50), "ms, of accepted requests")
    yield _figure("goodput", over.rate, "requests/s", ("peak", peak))
    # The generator cannot send more than connections are idle: what it could says how much it was.
    yield _figure("offered", sent / over.elapsed_s, "requests/s", ("peak", peak))
    yield _figure("generator", over.cpu_s / sent * 1e6, "us of processor time a request, the generator's")
    yield _figure("refusal", await _refusal_us(), "us, of a server that answers always the same")
    yield _figure("refused", refused / sent, "of all, with a 429")
    yield _figure("errors", sent - taken - refused, "5xx, broken or unanswered")
    yield _figure("normal_again", _refused_until_s(judged.after), "s until the last refusal")
    yield _figure("moments_lost", judged.lost, f"of {judged.visitors}", ("refused by chance", blind.lost))


async def _refusal_us() -> float:
    """What a refusal costs at the very least: processor time of a server that does nothing else."""
    async with process("-m", "bench._constant") as (url, pid):
        crowd, began_s = Crowd(["x" * 300] * PHONES), cpu_s(pid)
        outcome = await closed(url, crowd.request, connections=256, seconds=2)
        return (cpu_s(pid) - began_s) / len(outcome.statuses) * 1e6


def _figure(what: str, value: float, unit: str, baseline: tuple[str, float] | None = None) -> dict[str, Any]:
    figure: dict[str, Any] = {"name": f"overload_{what}", "value": round(value, 4), "unit": unit}
    if baseline is not None and baseline[1]:
        figure["baseline"] = {"name": baseline[0], "value": round(baseline[1], 4)}
    return figure


async def _server(module: str) -> Measured:
    async with (
        data_folder() as folder,
        process(
            *("-m", module, "serve"),
            VICINO_DATA_DIR=str(folder / "data"),
            VICINO_PORT="0",
            VICINO_LIMITS="off",  # a phone here stands for many
        ) as (url, _),
    ):
        keys = await create_retailer(folder)
        async with aiohttp.ClientSession() as session:
            store = {"external_id": "s", "name": "Shop", "lat": LAT, "lon": LON}
            await post(session, url + "/v1/stores", keys["server_key"], store)
            await post(session, url + "/v1/geofences", keys["server_key"], fences())
        tokens = await registered(url, keys["app_key"], PHONES)
        crowd = Crowd(tokens)
        # A phone's first pings cost six times as much: her record is read, her token looked at.
        await closed(url, crowd.request, connections=64, seconds=60, most=2 * PHONES)
        # As many step in while the peak is taken as in the overload: each has transitions and a decision.
        crowd.visits(time.time(), time.time() + SECONDS - 3)
        rates = [
            (await closed(url, crowd.request, connections=connections, seconds=4)).rate
            for connections in (128, 256, 256)
        ]
        peak, earlier = median(rates), set(crowd.visitors)
        # Enough for two seconds of requests to be under way: what waits must wait at the server.
        connections = round(min(MOST_CONNECTIONS, max(256, 2 * TIMES * peak)))
        now_s = time.time()
        crowd.visits(now_s + 1, now_s + SECONDS - 2)
        over = await paced(url, crowd.request, rate=TIMES * peak, connections=connections, seconds=SECONDS)
        visitors = [device_of(tokens[phone]) for phone in crowd.visitors if phone not in earlier]
        after = await paced(url, crowd.request, rate=peak / 2, connections=FEW, seconds=AFTER_S)
        known = await entered(url, keys["server_key"], visitors)
        return Measured(peak=peak, over=over, after=after, visitors=len(visitors), entered=known)


def _refused_until_s(outcome: Outcome) -> float:
    refused_s = outcome.answered_s[outcome.statuses != 200]
    return float(np.max(refused_s, initial=0.0))
