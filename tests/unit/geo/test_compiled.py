"""What is compiled is compiled once: a second time would stop a server for half a minute."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from geo import arrivals, rounds, together
from geo.batch import FixBatch
from geo.engine import Fleet, sense
from geo.fence import Circle, Fence
from geo.fences import grid, ground, matching
from geo.fix import Fix
from geo.index import FenceSet
from geo.transition import Rules
from geo.warm import warm

FUNCTIONS = (
    arrivals._ascends,
    arrivals._runs,
    grid._count,
    grid._enter,
    ground.gaps_m,
    ground.probabilities,
    matching.search,
    rounds.advance,
    together._look,
)


def read_only(column: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    column.flags.writeable = False
    return column


def every_other(column: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    return column.repeat(2)[::2]


@pytest.mark.parametrize("rules", [Rules(), Rules(mode="exact")], ids=["accurate", "exact"])
@pytest.mark.parametrize("shape", [read_only, every_other])
def test_no_batch_has_anything_compiled_that_was_not_compiled_before(
    rules: Rules, shape: Callable[..., Any]
) -> None:
    assert warm()
    before = {one.__name__: len(one.signatures) for one in FUNCTIONS}
    fences = FenceSet.build(
        Fence(external_id=str(i), store="s", shape=Circle(lat_deg=0.0, lon_deg=i / 100, radius_m=60.0))
        for i in range(2_000)
    )
    disabled = Fence(external_id="0", store="s", shape=Circle(lat_deg=1.0, lon_deg=1.0, radius_m=60.0))
    edited = fences.edited([disabled], ["1"], version=1)
    assert len(edited.overlay) == 1
    fleet = Fleet(fences.roll)
    device = np.array([fleet.add(str(i)) for i in range(20)], np.int32)
    told = 0
    for minute, index in enumerate([fences, edited, edited]):
        batch = FixBatch(
            device=shape(device.copy()),
            lat_deg=shape(np.zeros(20)),
            lon_deg=shape(np.arange(20) / 100 + minute / 10_000),
            fixed_at_us=shape(np.full(20, minute * 60_000_000)),
            accuracy_m=shape(np.full(20, 9.0)),
            speed_mps=shape(np.full(20, np.nan)),
        )
        told += len(sense(fleet, batch, index, rules))
    assert told
    assert {one.__name__: len(one.signatures) for one in FUNCTIONS} == before


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_set_of_few_fences_is_known_to_compiled_functions_as_any_other(count: int) -> None:
    assert warm()
    before = len(rounds.advance.signatures)
    fences = FenceSet.build(
        Fence(external_id=str(i), store="s", shape=Circle(lat_deg=0.0, lon_deg=i / 100, radius_m=60.0))
        for i in range(count)
    )
    fleet = Fleet(fences.roll)
    here = FixBatch.of((fleet.add(str(i)), Fix(lat_deg=0.0, lon_deg=0.0, fixed_at_us=1)) for i in range(20))
    assert len(sense(fleet, here, fences, Rules(mode="exact"))) == (20 if count else 0)
    assert len(rounds.advance.signatures) == before
