"""Several processes over a real Kafka: whatever goes wrong with them, every promise is kept.

`VICINO_TEST_SEEDS=7` runs other seeds; `python -m tests.faults.scaled --help` is the long run. The runs share
a cluster: when one fails, those after it may meet what it has left.
"""

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import data_folder
from tests.faults.scaled.cluster import Cluster, cluster
from tests.faults.scaled.harms import TESTED
from tests.faults.scaled.runs import one_run
from tests.kafka.broker import jars

#: A run waits for conditions, each within a bound; on a busy machine all of them together take long.
pytestmark = pytest.mark.timeout(600)

FIRST = int(os.environ.get("VICINO_TEST_SEEDS", "1").partition(",")[0])


@pytest.fixture(scope="module")
async def made(made_cluster: Path) -> AsyncIterator[Cluster]:
    jars()
    with data_folder() as folder:
        subprocess.run(["cp", "-a", made_cluster / "postgres", folder], check=True)  # noqa: ASYNC221
        async with cluster(folder, seed=FIRST) as made:
            yield made


@pytest.mark.parametrize(
    ("name", "seed"),
    [pytest.param(name, FIRST + n, id=f"{name}-seed-{FIRST + n}") for n, name in enumerate(TESTED)],
)
async def test_every_promise_is_kept_by_several_processes(name: str, seed: int, made: Cluster) -> None:
    summary = await one_run(made, name, seed)

    print(f"{name}: {summary}")
    assert summary.fixes >= 30
