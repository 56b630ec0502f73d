"""OwnTracks-shaped load: one fix a request, by the app key, durable and answered as the app needs it.

Against Vicino's own JSON (`/v1/pings`) on the same server, in turns. The rate is that of the machine, which
the load generator and PostgreSQL share; a request's cost is the server process's own CPU time, which says
what one core could do.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from bench._load import Outcome, Requests, closed
from bench._run import each
from bench._served import CONSENTS, Phones, data_folder, opened, vicino

FENCES, PHONES = 10_000, 300
CONNECTIONS, ROUNDS, SECONDS = 64, 3, 3.0
#: OwnTracks tells whole seconds, and here each message of a phone is a second later than its last: they begin
#: so far back that they never overtake the clock.
BEHIND_S = 900.0


class OwnTracks:
    """The same phones with OwnTracks for Android, all with the app key in the address."""

    def __init__(self, app_key: str, phones: Phones, count: int) -> None:
        self.names = [f"user{number}:phone" for number in range(count)]
        self._phones = phones
        self._next, self._at_s = 0, time.time() - BEHIND_S
        self._head = (
            f"POST /v1/ingest/owntracks/{app_key} HTTP/1.1\r\nHost: bench\r\n"
            "User-Agent: Owntracks-Android/gms/420005000\r\n"
            "Content-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
        ).encode()

    def request(self) -> bytes:
        """The next phone's next message. Each round of all phones is a second later."""
        phone = self._next % len(self.names)
        round_s = self._next // len(self.names)
        at_s = int(self._at_s) + round_s
        self._next += 1
        lat, lon = self._phones.place(phone, round_s)
        speed_kmh = 0 if self._phones.rests(phone) else 5
        body = (
            b'{"_type":"location","_id":"%08x","acc":12,"alt":20,"batt":61,"bs":1,"cog":88,"conn":"m",'
            b'"created_at":%d,"inregions":[],"lat":%.6f,"lon":%.6f,"m":1,"tid":"ph",'
            b'"topic":"owntracks/user%d/phone","tst":%d,"vac":3,"vel":%d}'
        ) % (self._next, at_s, lat, lon, phone, at_s, speed_kmh)
        return self._head % len(body) + body


def run() -> Iterator[dict[str, Any]]:
    """Requests in a second, beside `/v1/pings`; and in a second of the server's CPU time."""
    yield from each(_measured)


async def _measured() -> AsyncIterator[dict[str, Any]]:
    async with data_folder() as folder, vicino(folder) as (url, pid):
        own, theirs = await _phones(url, folder)
        found: dict[str, list[tuple[float, float]]] = {"own": [], "owntracks": []}
        for _ in range(ROUNDS + 1):
            for name, requests in (("own", own.request), ("owntracks", theirs.request)):
                found[name].append(await _round(url, pid, requests))
        rates = {name: median(rate for rate, _ in rounds[1:]) for name, rounds in found.items()}
        by_core = {name: median(rate for _, rate in rounds[1:]) for name, rounds in found.items()}
        for name, figures in (("ingest_owntracks", rates), ("ingest_owntracks_per_core", by_core)):
            yield {
                "name": name,
                "value": round(figures["owntracks"]),
                "unit": "requests/s" if figures is rates else "requests/s of server CPU",
                "baseline": {"name": "/v1/pings, one fix", "value": round(figures["own"])},
            }


async def _phones(url: str, folder: Path) -> tuple[Phones, OwnTracks]:
    """Registered phones; and phones with OwnTracks that have appeared, and whose consents are recorded."""
    keys, tokens = await opened(url, folder, fences=FENCES, phones=PHONES)
    own = Phones(tokens)
    theirs = OwnTracks(keys["app_key"], own, PHONES)
    appeared = await closed(url, theirs.request, connections=8, seconds=300, most=PHONES)
    _check(appeared)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=8)) as session:
        await asyncio.gather(*(_permit(session, url, keys["server_key"], name) for name in theirs.names))
    # What each phone is told to watch, once.
    _check(await closed(url, theirs.request, connections=8, seconds=300, most=2 * PHONES))
    return own, theirs


async def _permit(session: aiohttp.ClientSession, url: str, key: str, name: str) -> None:
    path, headers = f"{url}/v1/devices/{name}/consents", {"Authorization": f"Bearer {key}"}
    async with session.put(path, json=CONSENTS, headers=headers) as answer:
        answer.raise_for_status()


async def _round(url: str, pid: int, requests: Requests) -> tuple[float, float]:
    """Requests in a second; and in a second of the server's CPU time."""
    before_s = _cpu_s(pid)
    outcome = await closed(url, requests, connections=CONNECTIONS, seconds=SECONDS)
    _check(outcome)
    return outcome.rate, outcome.status[200] / (_cpu_s(pid) - before_s)


def _cpu_s(pid: int) -> float:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _check(outcome: Outcome) -> None:
    assert set(outcome.status) == {200}, outcome.status
    assert not outcome.unanswered
