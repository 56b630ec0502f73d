"""How much memory fences and devices take.

A million circles, each with ids of its own, and all that is indexed of them; two million devices that have
sent three fixes each, eleven minutes apart and outside all fences, as phones do that heed safe regions.
"""

import resource
import subprocess
import sys
from collections.abc import Iterator
from math import sqrt
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench._town import FENCES, REACH_DEG, SEED, each_circle, figure, town
from geo.engine import FixBatch, Fleet, sense
from geo.index import FenceSet
from geo.transition import Rules
from geo.warm import warm

FENCES_MANY, DEVICES_MANY, BATCH = 1_000_000, 2_000_000, 50_000


def run() -> Iterator[dict[str, Any]]:
    """Resident memory of a process that holds them less that of the same process without; and its peak."""
    for what, count, measured in (("fence", FENCES_MANY, "fences"), ("device", DEVICES_MANY, "devices")):
        command = [sys.executable, "-m", "bench.memory", measured]
        answer = subprocess.run(command, cwd=Path(__file__).parent.parent, check=True, capture_output=True)
        before, after, peak = msgspec.json.decode(answer.stdout)
        yield figure(f"memory_per_{what}", (after - before) / count, "B")
        yield figure(f"memory_peak_{measured}", peak / 1e9, "GB")


def resident() -> int:
    """This process's resident memory in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def peak() -> int:
    """The most there ever was."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fences() -> tuple[int, int, int]:
    """Resident memory without and with a million fences, and the peak."""
    FenceSet.build(each_circle(np.random.default_rng(SEED), 1_000))
    before, reach_deg = resident(), REACH_DEG * sqrt(FENCES_MANY / FENCES)
    held = FenceSet.build(each_circle(np.random.default_rng(SEED), FENCES_MANY, reach_deg=reach_deg))
    assert len(held) == FENCES_MANY
    return before, resident(), peak()


def devices() -> tuple[int, int, int]:
    """The same without and with two million devices."""
    assert warm()  # what was compiled is there once, however many devices there are
    random, index = np.random.default_rng(SEED), FenceSet.build(())
    fleet, before = Fleet(index.roll), resident()
    for device in range(DEVICES_MANY):
        fleet.add(f"dev_{device:022}")
    for minute in (0, 11, 22):
        for first in range(0, DEVICES_MANY, BATCH):
            lat, lon = town(random, BATCH)
            batch = FixBatch(
                device=np.arange(first, first + BATCH, dtype=np.int32),
                lat_deg=lat,
                lon_deg=lon,
                fixed_at_us=np.full(BATCH, minute * 60_000_000),
                accuracy_m=np.full(BATCH, 10.0),
                speed_mps=np.full(BATCH, np.nan),
            )
            sense(fleet, batch, index, Rules())
    assert len(fleet) == DEVICES_MANY
    return before, resident(), peak()


if __name__ == "__main__":
    print(msgspec.json.encode({"fences": fences, "devices": devices}[sys.argv[1]]()).decode())
