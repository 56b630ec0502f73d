"""A crowd for the overload benchmark: phones that lie still beside a fence each, and step into it once.

What they send is written beforehand but for the time: what the generator takes is taken from the server.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
import numpy as np

from bench._load import request
from bench._served import LAT, LON, SEED

METRES_PER_DEGREE = 111_400.0
RADIUS_M, OUTSIDE_M, INSIDE_M = 50.0, 65.0, 30.0
JITTER_M = 4.0  #: how far a phone's fixes lie from where it is
FENCES = 400
STAYS = 2  #: reports from inside, then it is outside again
SPOTS = 8  #: of a phone, where its fixes lie in turn
_TIME = b"2026-01-01T00:00:00.000000Z"


def _fence(number: int) -> tuple[float, float]:
    """Its centre: a grid of 1 km."""
    side = round(math.sqrt(FENCES))
    north, east = divmod(number, side)
    return LAT + north * 1000 / METRES_PER_DEGREE, LON + east * 2000 / METRES_PER_DEGREE


def fences() -> dict[str, Any]:
    """All of them, of one store."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [lon, lat]},
                "properties": {"external_id": f"f{number}", "store": "s", "radius": RADIUS_M},
            }
            for number, (lat, lon) in enumerate(map(_fence, range(FENCES)))
        ],
    }


class Crowd:
    """Phones that report in turn. Between two times each steps into its fence once, at a time of its own."""

    def __init__(self, tokens: Sequence[str], *, stays: float = STAYS) -> None:
        self._random = np.random.default_rng(SEED)
        places = [(token, _fence(number % FENCES)) for number, token in enumerate(tokens)]
        self._outside = [self._written(token, place, OUTSIDE_M) for token, place in places]
        self._inside = [self._written(token, place, INSIDE_M) for token, place in places]
        self._second, self._time = 0.0, _TIME[:19]
        self._stays = stays  #: reports from inside
        self._visit_at_s = [math.inf] * len(tokens)
        self._reports_inside = [0] * len(tokens)
        self._next = 0

    def visits(self, from_s: float, until_s: float) -> None:
        """Each phone steps in once between these times (Unix seconds)."""
        self._visit_at_s = self._random.uniform(from_s, until_s, len(self._outside)).tolist()
        self._reports_inside = [0] * len(self._outside)

    @property
    def visitors(self) -> list[int]:
        """The phones that have reported from inside."""
        return [phone for phone, reports in enumerate(self._reports_inside) if reports]

    def visit_at_s(self, phone: int) -> float:
        """When it steps in."""
        return self._visit_at_s[phone]

    def _written(self, token: str, place: tuple[float, float], from_centre_m: float) -> list[bytes]:
        """A phone's reports from a place north of a fence's centre, up to the time."""
        lat, lon = place[0] + from_centre_m / METRES_PER_DEGREE, place[1]
        off = (self._random.normal(0, JITTER_M / 2, (SPOTS, 2)) / METRES_PER_DEGREE).tolist()
        bodies = [
            b'{"fixes":[{"accuracy_m":5,"lat":%.7f,"lon":%.7f,"fixed_at":"%b"}]}'
            % (lat + north, lon + east, _TIME)
            for north, east in off
        ]
        return [request("/v1/pings", token, body).removesuffix(_TIME + b'"}]}') for body in bodies]

    def request(self) -> bytes:
        """The next phone's next report."""
        phone = self._next
        self._next = (phone + 1) % len(self._outside)
        now_s = time.time()
        second, fraction = divmod(now_s, 1)
        if second != self._second:
            self._second, self._time = (
                second,
                time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode(),
            )
        reports = self._outside
        if now_s >= self._visit_at_s[phone] and self._reports_inside[phone] < self._stays:
            self._reports_inside[phone] += 1
            reports = self._inside
        micros = int(fraction * 1e6)
        return b'%b%b.%06dZ"}]}' % (reports[phone][micros % SPOTS], self._time, micros)


async def entered(url: str, server_key: str, device_ids: Sequence[str]) -> int:
    """How many of these devices have a moment: a decision on having entered."""
    gate = asyncio.Semaphore(8)
    headers = {"Authorization": f"Bearer {server_key}"}
    async with aiohttp.ClientSession() as session:

        async def one(device_id: str) -> bool:
            async with gate, session.get(f"{url}/v1/decisions?device={device_id}", headers=headers) as answer:
                answer.raise_for_status()
                receipts = (await answer.json())["items"]
                return any(receipt["moment"]["trigger"] == "enter" for receipt in receipts)

        return sum(await asyncio.gather(*map(one, device_ids)))
