"""Phones around a shop: traces for tests of the doctor.

The shop stands at `LAT`, `LON`. A walk is written as legs: where the phone is after how many seconds, in
metres east and north of the shop; between two legs it has a fix every `every_s`.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from geo.fence import Circle, Fence
from geo.fix import SECOND_US
from geo.plane import Plane
from geo.transition import Rules
from server.doctor.examine import Report, examine
from server.traces.columns import Trace, TraceBuilder
from server.traces.record import TraceFix

LAT, LON = 60.17, 24.94
PLANE = Plane.at(LAT, LON)
RULES = Rules(lateness_s=0.0)
EXACT = Rules(mode="exact", lateness_s=0.0)

#: (seconds, metres east, metres north)
Leg = tuple[float, float, float]

#: Where six visitors stand: in the shop, and a few metres outside a circle of 50 m around it.
MIDDLE = [(1.0, 0.0), (5.0, 5.0), (-5.0, 3.0), (2.0, -6.0), (0.0, 8.0), (-3.0, -3.0)]
BESIDE = [(56.0, 0.0), (0.0, 57.0), (-57.0, 0.0), (0.0, -57.0), (56.0, 5.0), (-56.0, 4.0)]


def at(east_m: float, north_m: float) -> tuple[float, float]:
    """Latitude and longitude of a place near the shop."""
    return PLANE.degrees(east_m, north_m)


def circle(
    external_id: str = "shop", *, radius_m: float = 50.0, at_m: tuple[float, float] = (0, 0), **more: Any
) -> Fence:
    """A circle around a place near the shop. It is its own store where none is named."""
    lat_deg, lon_deg = at(*at_m)
    shape = Circle(lat_deg=lat_deg, lon_deg=lon_deg, radius_m=radius_m)
    return Fence(external_id=external_id, store=more.pop("store", external_id), shape=shape, **more)


def walk(*legs: Leg, every_s: float = 10.0) -> list[Leg]:
    """A fix at each leg and between them."""
    steps = [legs[0]]
    for (from_s, from_x, from_y), (to_s, to_x, to_y) in pairwise(legs):
        for time_s in np.arange(from_s + every_s, to_s, every_s):
            share = (time_s - from_s) / (to_s - from_s)
            steps.append((float(time_s), from_x + share * (to_x - from_x), from_y + share * (to_y - from_y)))
        steps.append((to_s, to_x, to_y))
    return steps


def visitors(*goals: tuple[float, float], away_m: float = 400.0, stay_s: float = 600.0) -> list[list[Leg]]:
    """Phones that come straight from outside, each to its goal, stay there, and go back the way they came."""
    walks = []
    for east_m, north_m in goals:
        far = away_m / math.hypot(east_m, north_m)
        home = (far * east_m, far * north_m)
        walks.append(
            walk((0, *home), (300, east_m, north_m), (300 + stay_s, east_m, north_m), (600 + stay_s, *home))
        )
    return walks


def trace_of(
    walks: Iterable[Sequence[Leg]], *, accuracy_m: float | None = 10.0, noise_m: float = 0.0, seed: int = 1
) -> Trace:
    """The walks of phones a, b, c, …, each fix off by some noise."""
    random, builder = np.random.default_rng(seed), TraceBuilder()
    for number, steps in enumerate(walks):
        for time_s, east_m, north_m in steps:
            off = random.normal(0, noise_m, 2) if noise_m else np.zeros(2)
            lat_deg, lon_deg = at(east_m + off[0], north_m + off[1])
            builder.add(
                TraceFix(
                    device=chr(ord("a") + number),
                    fixed_at_us=round(time_s * SECOND_US),
                    lat_deg=lat_deg,
                    lon_deg=lon_deg,
                    accuracy_m=accuracy_m,
                )
            )
    return builder.build()


def reports(trace: Trace, *fences: Fence, rules: Rules = RULES) -> list[Report]:
    """The reports on all the fences."""
    return examine(trace, fences, rules, wanted=fences, progress=lambda *_: None)


def codes(report: Report) -> set[str]:
    """The codes of its findings."""
    return {finding.code for finding in report.findings}
