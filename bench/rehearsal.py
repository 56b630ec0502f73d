"""A rehearsal of a peak: normal load, 3 and 10 times as much for a minute, normal load again.

In one process, and over a real Kafka with one edge, one engine and the push process. Normal is a quarter of
what was taken at the most just before, as fast as 256 connections asked. PostgreSQL (durable), Kafka, the
stand-in FCM and the load generator share the machine. Each phone steps into the fence beside it once, at any
time, and is offered something; nobody sends again what was refused. `BENCH_REHEARSAL=3,kafka` is one of them.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import numpy as np

from bench._crowd import Crowd
from bench._load import Outcome, closed, paced
from bench._rehearsed import Setting, one_process, over_kafka
from bench._run import each
from bench._served import data_folder, device_of

PHONES = 1000
CONNECTIONS = 1000  #: at the most: no phone has two reports under way
OF_PEAK = 0.25  #: what is normal
WARM_S, PEAK_S = 4.0, 6.0
PHASES = {"before": 15.0, "peak": 60.0, "after": 20.0}  #: their seconds
LOOK_S = 0.5  #: how often gauges are read
CALM = 100  #: so little waits in Kafka that it is no backlog
SETTLES_S = 5.0  #: after which every push is at an end
SETTINGS: dict[str, Callable[[Path, int], AbstractAsyncContextManager[Setting]]] = {
    "one": one_process,
    "kafka": over_kafka,
}
RUNGS = (
    "nothing: everything was taken at once",
    "a valve was closed, and nothing refused",
    "what nothing can follow from was refused (shed)",
    "more was refused (busy)",
    "requests failed (5xx or no answer)",
)


class Phase(msgspec.Struct, kw_only=True):
    """One part of a rehearsal."""

    name: str
    began_s: float  #: Unix time
    outcome: Outcome
    told: Counter[str]  #: what answers said: `shed`, `busy`, `blind` (taken, without an engine's answer)
    gauges: list[tuple[float, dict[str, float]]] = []  #: and when they were read, since it began

    def most(self, gauge: str) -> float:
        """The largest value of a gauge."""
        return max((gauges.get(gauge, 0.0) for _, gauges in self.gauges), default=0.0)

    @property
    def rung(self) -> int:
        """How far down the ladder it went."""
        failed = [
            self.outcome.unanswered,
            *(n for status, n in self.outcome.status.items() if status not in {200, 429}),
        ]
        signs = (self.most("vicino_valves_closed"), self.told["shed"], self.told["busy"], sum(failed))
        return max((number for number, sign in enumerate(signs, 1) if sign), default=0)

    def normal_again_s(self, usual_ms: float) -> float:
        """Seconds until nothing was refused, answered later than twice as usual, or waited in Kafka."""
        outcome = self.outcome
        late = (outcome.statuses != 200) | (outcome.latency_ms > 2 * usual_ms)
        behind = [at_s for at_s, gauges in self.gauges if gauges.get("vicino_kafka_lag", 0.0) > CALM]
        # One answer in a hundred is later than p99: it takes more of them to be no normality.
        seconds = np.bincount(outcome.answered_s[late].astype(int), minlength=1)
        rate = max(1.0, len(outcome.statuses) / outcome.elapsed_s)
        worse = np.flatnonzero(seconds > 0.02 * rate)
        return max(float(worse.max(initial=-1)) + 1, max(behind, default=0.0))


def run() -> Iterator[dict[str, Any]]:
    """For each phase: what was offered and taken, refused by value, and what became of pushes."""
    yield from each(_measure)


async def _measure() -> AsyncIterator[dict[str, Any]]:
    wanted = os.environ.get("BENCH_REHEARSAL", "").replace(",", " ").split()
    for name in [one for one in SETTINGS if one in wanted] or SETTINGS:
        for times in [number for number in (3, 10) if str(number) in wanted] or (3, 10):
            async with data_folder() as folder, SETTINGS[name](folder, PHONES) as setting:
                async for figure in _rehearsal(f"rehearsal_{name}_{times}x", setting, times):
                    yield figure


async def _rehearsal(name: str, setting: Setting, times: int) -> AsyncIterator[dict[str, Any]]:
    crowd = Crowd(setting.tokens, stays=float("inf"))
    await closed(setting.url, crowd.request, connections=64, seconds=WARM_S)
    peak = (await closed(setting.url, crowd.request, connections=256, seconds=PEAK_S)).rate
    usual = OF_PEAK * peak
    yield {
        "name": f"{name}_normal",
        "value": round(usual, 1),
        "unit": "pings/s",
        "baseline": {"name": "the most", "value": round(peak, 1)},
    }
    now_s = time.time()
    crowd.visits(now_s + 1, now_s + sum(PHASES.values()) - SETTLES_S)
    phases = [
        await _phase(setting, crowd, which, rate=usual * (times if which == "peak" else 1), seconds=seconds)
        for which, seconds in PHASES.items()
    ]
    await asyncio.sleep(SETTLES_S)
    pushes = await _pushes(setting, crowd)
    before, _, after = phases
    for phase in phases:
        for what, value, unit in (*_of_phase(phase), *_of_pushes(phase, pushes)):
            yield {"name": f"{name}_{phase.name}_{what}", "value": round(value, 3), "unit": unit}
    again_s = after.normal_again_s(max(before.outcome.accepted_ms(99), 50.0))
    yield {"name": f"{name}_normal_again", "value": round(again_s, 1), "unit": "s after the peak"}


async def _phase(setting: Setting, crowd: Crowd, name: str, *, rate: float, seconds: float) -> Phase:
    told: Counter[str] = Counter()

    def look(answer: bytes) -> None:
        if answer.startswith(b"429", 9):
            told["shed" if b'"shed"' in answer else "busy"] += 1
        elif b'"next"' not in answer:
            told["blind"] += 1

    began_s, gauges = time.time(), []
    # Few enough that none is idle for as long as a head may take to come.
    connections = round(min(CONNECTIONS, max(32, 2 * rate)))
    load = {"rate": rate, "connections": connections, "seconds": seconds}
    sending = asyncio.create_task(paced(setting.url, crowd.request, look=look, drops=True, **load))
    while not sending.done():
        await asyncio.wait({sending}, timeout=LOOK_S)
        gauges.append((time.time() - began_s, await setting.gauges()))
    return Phase(name=name, began_s=began_s, outcome=await sending, told=told, gauges=gauges)


def _of_phase(phase: Phase) -> Iterator[tuple[str, float, str]]:
    outcome = phase.outcome
    sent = len(outcome.statuses) + outcome.unanswered
    yield "offered", (sent + outcome.unsent) / outcome.elapsed_s, "pings/s were due"
    yield "sent", sent / outcome.elapsed_s, "pings/s; for the others all phones waited for answers"
    yield "accepted", outcome.rate, "pings/s"
    yield "p50", outcome.accepted_ms(50), "ms, of accepted pings"
    yield "p99", outcome.accepted_ms(99), "ms, of accepted pings"
    yield "shed", phase.told["shed"], "429: nothing could follow from them"
    yield "busy", phase.told["busy"], "429: something might have"
    yield "blind", phase.told["blind"], "acknowledged, and no engine has answered in time"
    yield "failed", sent - outcome.status[200] - outcome.status[429], "5xx, broken or unanswered"
    yield "waiting", phase.most("vicino_waiting"), "at the most, in lanes"
    yield "lag", phase.most("vicino_kafka_lag"), "records at the most, in Kafka"
    yield "rung", phase.rung, RUNGS[phase.rung]


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of those who stepped in."""

    visited_at_s: dict[str, float]  #: by device
    entered: dict[str, tuple[str, list[str]]]  #: of whom it is known; what was decided then, and why
    offered: dict[
        str, tuple[str, float | None]
    ]  #: how their pushes ended; and after how long they were accepted


async def _pushes(setting: Setting, crowd: Crowd) -> Pushed:
    visited = {device_of(setting.tokens[phone]): crowd.visit_at_s(phone) for phone in crowd.visitors}
    connection = await asyncpg.connect(setting.database_url)
    try:
        entered = {
            row["device_id"]: (row["outcome"], row["reasons"]) for row in await connection.fetch(ENTERED)
        }
        offered = {row["device_id"]: (row["ended"], row["took_s"]) for row in await connection.fetch(OFFERED)}
    finally:
        await connection.close()
    return Pushed(visited_at_s=visited, entered=entered, offered=offered)


def _of_pushes(phase: Phase, pushes: Pushed) -> Iterator[tuple[str, float, str]]:
    until_s = phase.began_s + PHASES[phase.name]
    whose = {name for name, at_s in pushes.visited_at_s.items() if phase.began_s <= at_s < until_s}
    ends = Counter(pushes.offered[name][0] for name in whose & pushes.offered.keys())
    took_s = [took for name in whose & pushes.offered.keys() if (took := pushes.offered[name][1]) is not None]
    yield "visitors", len(whose), "phones that stepped in"
    yield "moments_lost", len(whose - pushes.entered.keys()), "of them, of whom it was not noticed"
    silences = [pushes.entered[name] for name in whose & pushes.entered.keys()]
    why = Counter(reason for outcome, reasons in silences if outcome == "silence" for reason in reasons)
    told = ", ".join(f"{reason} {count}" for reason, count in why.most_common(4))
    yield "silent", sum(outcome == "silence" for outcome, _ in silences), f"of them ({told or 'no reason'})"
    yield "pushed", ends.pop("sent", 0), "of them"
    yield "late", ends.pop("late", 0), "offers that were too late to push: in the inbox alone"
    yield "expired", ends.pop("expired", 0), "pushes"
    yield (
        "otherwise",
        sum(ends.values()),
        f"pushes that ended otherwise{': ' + ', '.join(ends) if ends else ''}",
    )
    if took_s:
        yield "push_p50", float(np.percentile(took_s, 50)), "s from a fix received to its push accepted"
        yield "push_p99", float(np.percentile(took_s, 99)), "s from a fix received to its push accepted"


#: What was decided on each device's having come in: an offer, if there was one.
ENTERED = """
SELECT DISTINCT ON (device_id) device_id, outcome, reasons FROM decisions
WHERE receipt->'moment'->>'trigger' = 'enter' ORDER BY device_id, outcome, decided_at"""
OFFERED = """
SELECT device_id, CASE WHEN state = 'sent' THEN state ELSE coalesce(reason, state) END AS ended,
  extract(epoch FROM accepted_at - received_at)::float8 AS took_s FROM outbox WHERE kind = 'offer'"""
