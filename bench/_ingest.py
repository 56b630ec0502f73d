"""Ingestion compared with a bare handler: both servers run at the same time and are loaded in turns."""

from collections.abc import AsyncIterator
from statistics import median
from typing import Any

from bench._load import Outcome, closed, paced
from bench._served import Phones, bare, cpu_s, data_folder, opened, vicino

ROUNDS, SECONDS = 3, 3.0
#: As many as keep a server at work, and not so many more that it takes them for an overload.
CONNECTIONS, CONNECTIONS_OF_BATCHES = 128, 16
FENCES, PHONES = 10_000, 1_000


async def compared(name: str, fixes: int) -> AsyncIterator[dict[str, Any]]:
    """The rates, in requests (one fix) or fixes a second; and the latencies at half of ours."""
    connections = CONNECTIONS if fixes == 1 else CONNECTIONS_OF_BATCHES
    async with data_folder() as folder, bare() as (bare_url, bare_pid), vicino(folder) as (url, pid):
        _, tokens = await opened(url, folder, fences=FENCES, phones=PHONES)
        phones = Phones(tokens, fixes=fixes)
        for target in (bare_url, url):
            # Every phone comes twice first: what is done once for each is not what is measured.
            await closed(target, phones.request, connections=connections, seconds=120, most=2 * PHONES)
        pids = {url: pid, bare_url: bare_pid}
        rates: dict[str, list[float]] = {url: [], bare_url: []}
        took_us: dict[str, list[float]] = {url: [], bare_url: []}
        for _ in range(ROUNDS):
            for target, of in pids.items():
                began_s = cpu_s(of)
                outcome = await closed(target, phones.request, connections=connections, seconds=SECONDS)
                _check(outcome)
                rates[target].append(outcome.rate)
                took_us[target].append((cpu_s(of) - began_s) / len(outcome.latency_ms) * 1e6)
        ours, theirs = median(rates[url]), median(rates[bare_url])
        unit = "requests/s" if fixes == 1 else "fixes/s"
        yield _figure(name, ours * fixes, unit, theirs * fixes)
        # By processor time, PostgreSQL's included, which other work on the machine changes less. The bare
        # handler's is the value here, so that the ratio says the same as that of the rates.
        yield _figure(f"{name}_cpu", median(took_us[bare_url]), "us a request, bare", median(took_us[url]))
        half = await paced(url, phones.request, rate=ours / 2, connections=connections, seconds=2 * SECONDS)
        _check(half)
        for share in (50, 99):
            latency_ms = round(half.percentile_ms(share), 2)
            yield {"name": f"{name}_latency", "value": latency_ms, "unit": f"ms p{share} at half load"}


def _figure(name: str, value: float, unit: str, baseline: float) -> dict[str, Any]:
    other = "Vicino" if name.endswith("_cpu") else "bare aiohttp handler"
    told = {"name": name, "value": round(value), "unit": unit}
    return told | {"baseline": {"name": other, "value": round(baseline)}}


def _check(outcome: Outcome) -> None:
    assert set(outcome.status) == {200}, outcome.status
    assert not outcome.unanswered
