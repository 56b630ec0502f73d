"""Whatever goes wrong, every promise is kept: one run for each of some faults, its seed in the test's name.

`VICINO_TEST_SEEDS=7,8` runs other seeds; `python -m tests.faults --help` is the long matrix, every fault.
"""

import os
from pathlib import Path

import pytest

from tests.faults.catalogue import TESTED, harmed

#: A run waits for conditions, each within a bound; on a busy machine all of them together take long.
pytestmark = pytest.mark.timeout(900)

SEEDS = [int(seed) for seed in os.environ.get("VICINO_TEST_SEEDS", "1").split(",")]


@pytest.mark.parametrize("seed", SEEDS, ids="seed-{}".format)
@pytest.mark.parametrize("name", TESTED)
async def test_every_promise_is_kept_whatever_goes_wrong(name: str, seed: int, postgres_folder: Path) -> None:
    summary = await harmed(postgres_folder, name, seed)

    print(f"{name}: {summary}")
    assert summary.fixes >= 50
    assert summary.offers >= 1
