"""Ingestion compared with a bare handler: both servers run at the same time and are loaded in turns."""

from collections.abc import AsyncIterator
from statistics import median
from typing import Any

from bench._load import Outcome, closed, paced
from bench._served import Phones, bare, data_folder, opened, vicino

CONNECTIONS, ROUNDS, SECONDS = 128, 3, 3.0
FENCES, PHONES = 10_000, 5_000


async def compared(name: str, fixes: int) -> AsyncIterator[dict[str, Any]]:
    """The rates, in requests (one fix) or fixes a second; and the latencies at half of ours."""
    async with data_folder() as folder, bare() as bare_url, vicino(folder) as (url, _):
        _, tokens = await opened(url, folder, fences=FENCES, phones=PHONES)
        phones = Phones(tokens, fixes=fixes)
        for target in (bare_url, url):
            await _loaded(target, phones)
        rates: dict[str, list[float]] = {url: [], bare_url: []}
        for _ in range(ROUNDS):
            for target, found in rates.items():
                found.append((await _loaded(target, phones)).rate)
        ours, theirs = median(rates[url]), median(rates[bare_url])
        unit = "requests/s" if fixes == 1 else "fixes/s"
        yield {
            "name": name,
            "value": round(ours * fixes),
            "unit": unit,
            "baseline": {"name": "bare aiohttp handler", "value": round(theirs * fixes)},
        }
        half = await paced(url, phones.request, rate=ours / 2, connections=CONNECTIONS, seconds=2 * SECONDS)
        _check(half)
        for share in (50, 99):
            latency_ms = round(half.percentile_ms(share), 2)
            yield {"name": f"{name}_latency", "value": latency_ms, "unit": f"ms p{share} at half load"}


async def _loaded(url: str, phones: Phones) -> Outcome:
    outcome = await closed(url, phones.request, connections=CONNECTIONS, seconds=SECONDS)
    _check(outcome)
    return outcome


def _check(outcome: Outcome) -> None:
    assert set(outcome.status) == {200}, outcome.status
    assert not outcome.unanswered
