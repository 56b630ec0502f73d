"""Servers as processes of their own for benchmarks, and a retailer's town with its phones in one of them."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import numpy as np

from bench._load import request
from server.config import REPOSITORY

LAT, LON, REACH_DEG = 60.17, 24.94, 0.45  #: a region of 100 km by 100 km
AT_REST = 0.8  #: so many of the phones lie still; the others walk
PACE_MPS = 1.4
SEED = 1
CONSENTS = {"nearby_offers": {"granted": True}, "push": {"granted": True}}
#: Something to look at, and what is offered for it.
SOLD: dict[str, Any] = {
    "catalog": {"sku": "T-1", "name": "Trainers", "category": "Shoes", "price": "90", "currency": "EUR"},
    "offers": {
        "external_id": "o-1",
        "name": "15 %",
        "discount": {"kind": "percent", "value": 15},
        "applies_to": {"categories": ["Shoes"]},
        "valid": {"from": "2026-01-01T00:00:00Z", "until": "2036-01-01T00:00:00Z"},
        "message": {"en": {"title": "{discount} off {product}", "body": "{store}, {distance_m} m"}},
    },
}
_URL = re.compile(rb"listens on (http://\S+)")
_FIX = b'{"lat":%.6f,"lon":%.6f,"fixed_at":"%s","accuracy_m":12.5,"speed_mps":%b}'
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@contextlib.asynccontextmanager
async def data_folder() -> AsyncIterator[Path]:
    """A folder for a server's data, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="vicino-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240 - once, before anything runs
        yield folder


@contextlib.asynccontextmanager
async def process(*arguments: str, **environ: str) -> AsyncIterator[tuple[str, int]]:
    """A Python process that says where it listens, stopped afterwards: its URL and its process id."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        *arguments,
        # Bytecode is kept from the first start on, as it is by default.
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": ""} | environ,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stderr is not None
    said = b""
    while (found := _URL.search(said)) is None:
        line = await child.stderr.readline()
        if not line:
            raise RuntimeError(f"the server did not start: {said.decode(errors='replace')}")
        said += line
    listening = asyncio.create_task(_drain(child.stderr))
    try:
        yield found[1].decode(), child.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await child.wait()
        listening.cancel()


async def _drain(stream: asyncio.StreamReader) -> None:
    while line := await stream.readline():
        if b"error" in line.lower():
            sys.stderr.write(line.decode(errors="replace"))


@contextlib.asynccontextmanager
async def vicino(folder: Path, **environ: str) -> AsyncIterator[tuple[str, int]]:
    """`vicino serve` on a folder, with its own PostgreSQL."""
    given = {"VICINO_DATA_DIR": str(folder / "data"), "VICINO_PORT": "0"} | environ
    async with process("-m", "server", "serve", **given) as found:
        yield found


@contextlib.asynccontextmanager
async def bare() -> AsyncIterator[tuple[str, int]]:
    """The bare handler."""
    async with process("-m", "bench._bare") as found:
        yield found


def cpu_s(pid: int) -> float:
    """The processor time that a process and all below it have taken."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    own = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_s(int(child)) for child in children)


async def create_retailer(folder: Path) -> dict[str, str]:
    """A retailer beside the running server, with its keys."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "server", "retailer", "create", "Bench", "--quiet-hours", "none"),
        *("--policy", "rules", "--holdout", "0", "--json"),
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "VICINO_DATA_DIR": str(folder / "data")},
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await child.communicate()
    made: dict[str, str] = msgspec.json.decode(told)
    return made


async def post(session: aiohttp.ClientSession, url: str, credential: str, body: Any) -> Any:
    """Posts JSON and gives the answer's."""
    headers = {"Authorization": f"Bearer {credential}"}
    async with session.post(url, data=msgspec.json.encode(body), headers=headers) as answer:
        answer.raise_for_status()
        return msgspec.json.decode(await answer.read())


def town(fences: int, *, shift_deg: float = 0.0) -> list[dict[str, Any]]:
    """Circles of 50 to 150 m all over the region, all of one store."""
    random = np.random.default_rng(SEED)
    lat = LAT + shift_deg + random.uniform(-REACH_DEG, REACH_DEG, fences)
    lon = LON + 2 * random.uniform(-REACH_DEG, REACH_DEG, fences)
    columns = zip(lat.tolist(), lon.tolist(), random.uniform(50, 150, fences).tolist(), strict=True)
    return [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [east, north]},
            "properties": {"external_id": f"f{number}", "store": "s", "radius": radius_m},
        }
        for number, (north, east, radius_m) in enumerate(columns)
    ]


class Phones:
    """Registered phones, and what they send next: each lies still, or walks on a straight way of its own.

    Every fix is a few metres off, as a phone's are.
    """

    def __init__(self, tokens: Sequence[str], *, fixes: int = 1) -> None:
        random = np.random.default_rng(SEED)
        count = len(tokens)
        heading = random.uniform(0, 2 * np.pi, count)
        pace = np.where(random.uniform(size=count) < AT_REST, 0.0, PACE_MPS)
        self._ways = list(
            zip(
                (LAT + random.uniform(-REACH_DEG, REACH_DEG, count)).tolist(),
                (LON + 2 * random.uniform(-REACH_DEG, REACH_DEG, count)).tolist(),
                (np.cos(heading) * pace / 111_400).tolist(),
                (np.sin(heading) * pace / 55_400).tolist(),
                strict=True,
            )
        )
        self.renew(tokens)
        self._speeds = [b"%.1f" % one for one in pace]
        noise = random.normal(0, 3 / 111_400, (1 << 14, 2)).tolist()
        self._noise = itertools.cycle(noise)
        self._fixes, self._next, self._began_s = fixes, 0, time.time()
        self._last_s = [self._began_s] * count

    def renew(self, tokens: Sequence[str]) -> None:
        """Their access tokens from now on."""
        self._heads = [
            request("/v1/pings", token, b"").replace(b"Content-Length: 0", b"Content-Length: %d")
            for token in tokens
        ]

    def request(self) -> bytes:
        """The next phone's next request: its fixes since it sent the last one, evenly spaced."""
        phone = self._next
        self._next = (phone + 1) % len(self._heads)
        now_s, since_s = time.time(), self._last_s[phone]
        self._last_s[phone] = now_s
        step_s = (now_s - since_s) / self._fixes
        fixes = []
        for number in range(1, self._fixes + 1):
            at_s = since_s + number * step_s
            place = self.place(phone, at_s - self._began_s)
            fixes.append(_FIX % (*place, _rfc3339(at_s), self._speeds[phone]))
        body = b'{"fixes":[%s]}' % b",".join(fixes)
        return self._heads[phone] % len(body) + body

    def place(self, phone: int, walked_s: float) -> tuple[float, float]:
        """Where a phone says it is after so long."""
        lat, lon, north, east = self._ways[phone]
        off_north, off_east = next(self._noise)
        return lat + north * walked_s + off_north, lon + east * walked_s + 2 * off_east

    def rests(self, phone: int) -> bool:
        """Whether it lies still."""
        return self._ways[phone][2] == 0.0


def _rfc3339(at_s: float) -> bytes:
    return (_EPOCH + timedelta(microseconds=round(at_s * 1e6))).isoformat().encode().replace(b"+00:00", b"Z")


async def registered(url: str, app_key: str, count: int) -> list[str]:
    """Registers phones; their access tokens."""
    return [given["access_token"] for given in await installed(url, app_key, count)]


async def installed(url: str, app_key: str, count: int) -> list[dict[str, str]]:
    """Registers phones; what each is given."""
    body = {"platform": "android", "consents": CONSENTS}
    return await asked(url + "/v1/devices", app_key, [body] * count)


async def refreshed(url: str, app_key: str, given: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """What each is given for its refresh token: an access token lasts a quarter of an hour."""
    bodies = [{"refresh_token": one["refresh_token"]} for one in given]
    return await asked(url + "/v1/devices/token", app_key, bodies)


async def asked(url: str, key: str, bodies: Sequence[Any]) -> list[dict[str, str]]:
    """The answers, 8 at a time."""
    gate, connector = asyncio.Semaphore(8), aiohttp.TCPConnector(limit=8)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(body: Any) -> dict[str, str]:
            async with gate:
                answer: dict[str, str] = await post(session, url, key, body)
                return answer

        return list(await asyncio.gather(*map(one, bodies)))


def device_of(token: str) -> str:
    """Whose access token it is."""
    claims = token.split(".")[1]
    name: str = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["did"]
    return name


async def opened(url: str, folder: Path, *, fences: int, phones: int) -> tuple[dict[str, str], list[str]]:
    """A retailer with a store, its fences and its phones: the keys and the phones' tokens."""
    keys = await create_retailer(folder)
    return keys, await furnished(url, keys, fences=fences, phones=phones)


async def furnished(url: str, keys: dict[str, str], *, fences: int, phones: int) -> list[str]:
    """Gives a retailer a store, fences and phones: the phones' tokens."""
    async with aiohttp.ClientSession() as session:
        store = {"external_id": "s", "name": "Shop", "lat": LAT, "lon": LON}
        await post(session, url + "/v1/stores", keys["server_key"], store)
        features = {"type": "FeatureCollection", "features": town(fences)}
        await post(session, url + "/v1/geofences", keys["server_key"], features)
    return await registered(url, keys["app_key"], phones)
