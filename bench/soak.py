"""Memory under steady load: the server's, at the beginning (once warm) and at the end.

`BENCH_SOAK_S` says for how long (an hour is what is asked, five minutes the default), `BENCH_SOAK_RATE` how
many pings a second. Between beginning and end it is looked at twenty times, and the phones refresh their
tokens: growth that ends is another thing than growth that goes on.
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from bench._load import paced
from bench._run import each
from bench._served import Phones, data_folder, installed, opened, refreshed, vicino

FENCES, PHONES, CONNECTIONS = 1_000, 500, 32
RATE = float(os.environ.get("BENCH_SOAK_RATE", "150"))
WARM_S = 60.0
LOOKS = 20


def run() -> Iterator[dict[str, Any]]:
    """The resident memory at the end, with that at the beginning as its baseline; and what lay between."""
    yield from each(_measure)


async def _measure() -> AsyncIterator[dict[str, Any]]:
    seconds = float(os.environ.get("BENCH_SOAK_S", "300"))
    async with data_folder() as folder, vicino(folder) as (url, pid):
        keys, _ = await opened(url, folder, fences=FENCES, phones=0)
        given = await installed(url, keys["app_key"], PHONES)
        phones = Phones([one["access_token"] for one in given])

        async def pings(for_s: float) -> int:
            outcome = await paced(url, phones.request, rate=RATE, connections=CONNECTIONS, seconds=for_s)
            assert set(outcome.status) == {200}, outcome.status
            return outcome.status[200]

        await pings(WARM_S)
        curve_mb, taken = [_resident_mb(pid)], 0
        for _ in range(LOOKS):
            taken += await pings(seconds / LOOKS)
            given = await refreshed(url, keys["app_key"], given)
            phones.renew([one["access_token"] for one in given])
            curve_mb.append(_resident_mb(pid))
        yield {
            "name": "soak",
            "value": curve_mb[-1],
            "unit": f"MB after {seconds:g} s at {RATE:g} pings/s ({taken} acknowledged)",
            "baseline": {"name": "once warm", "value": curve_mb[0]},
            "curve_mb": curve_mb,
        }


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
