"""What looking at motion costs: doubts and crossings of many steps at once, beside matching their fixes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from bench._town import BATCH, SEED, circles, figure, seconds, town
from geo.approach import approach
from geo.crossing import crossings
from geo.fix import SECOND_US
from geo.index import FenceSet
from geo.motion import doubtful
from geo.steps import Steps
from geo.stop import stop
from geo.transition import Rules, Sighting

#: metres a second, and seconds between fixes
STEPS = {
    "walkers_10s": (1.4, 10),
    "walkers_60s": (1.4, 60),
    "town_cars_10s": (8.0, 10),
    "town_cars_60s": (8.0, 60),
    "motorway_10s": (30.0, 10),
    "motorway_60s": (30.0, 60),
}
ROUNDS = 15


def steps(random: np.random.Generator, speed_mps: float, takes_s: int) -> Steps:
    """A step of each of many devices, all over the town."""
    lat, lon = town(random, BATCH)
    heading, way_m = random.uniform(0, 2 * np.pi, BATCH), speed_mps * takes_s
    return Steps(
        from_lat_deg=lat,
        from_lon_deg=lon,
        from_accuracy_m=np.full(BATCH, 10.0),
        from_us=np.zeros(BATCH, np.int64),
        lat_deg=lat + np.cos(heading) * way_m / 111_400,
        lon_deg=lon + np.sin(heading) * way_m / 55_500,
        accuracy_m=np.full(BATCH, 10.0),
        at_us=np.full(BATCH, takes_s * SECOND_US),
    )


def run() -> Iterator[dict[str, Any]]:
    """Runs all of it; takes some seconds."""
    random = np.random.default_rng(SEED)
    fences, rules = FenceSet.build(circles(random)), Rules()
    lat, lon = town(random, BATCH)
    match_us = seconds(lambda: fences.match(lat, lon), ROUNDS) / BATCH * 1e6
    for name, (speed_mps, takes_s) in STEPS.items():
        several = steps(random, speed_mps, takes_s)
        took_s = seconds(lambda s=several: crossings(s, fences, rules), ROUNDS)  # type: ignore[misc]
        yield figure(f"crossings_{name}", took_s / BATCH * 1e6, "us/step", ("match", match_us))
    unknown, several = np.full(BATCH, np.nan), steps(random, 1.4, 10)
    took_s = seconds(lambda: doubtful(several, unknown), ROUNDS)
    yield figure("doubtful", took_s / BATCH * 1e6, "us/step", ("match", match_us))
    yield from of_one()


def of_one() -> Iterator[dict[str, Any]]:
    """What is asked of one device at a time: ten minutes of fixes every ten seconds."""
    walking = [
        Sighting(at_us=at_s * SECOND_US, lat_deg=60.17 + at_s * 1.4 / 111_400, lon_deg=24.94, accuracy_m=10.0)
        for at_s in range(0, 600, 10)
    ]
    standing = [Sighting(at_us=one.at_us, lat_deg=60.17, lon_deg=24.94, accuracy_m=10.0) for one in walking]
    now_us = walking[-1].at_us
    for name, work in (
        ("approach", lambda: approach(walking, (60.18, 24.94))),
        ("stop_walking", lambda: stop(walking, now_us)),
        ("stop_standing", lambda: stop(standing, now_us)),
    ):
        yield figure(name, seconds(work, 200) * 1e6, "us")
