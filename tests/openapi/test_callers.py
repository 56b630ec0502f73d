"""Every operation of `/openapi.json`, asked by a machine as each kind of caller (`asking.py`)."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import fresh_database
from tests.openapi.asking import CALLERS, Callers, How, callers

#: Another one makes up others.
SEED = int(os.environ.get("VICINO_TEST_SEEDS", "1").split(",")[0])

#: What there is time for: of each operation a few calls, as one of those who may make them.
LITTLE = How(seed=SEED, examples=1, chains=30, phases="fuzzing,stateful")


#: Who always has something that other calls are about.
MAKERS = {"server", "device"}


@pytest.fixture(scope="module")
async def everybody(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callers]:
    folder: Path = tmp_path_factory.mktemp("openapi")
    async with fresh_database(postgres.url) as url, callers(url, folder) as opened:
        yield opened


@pytest.mark.parametrize("who", CALLERS)
async def test_no_answer_is_a_defect_and_each_is_as_described(
    everybody: Callers, who: str, tmp_path: Path
) -> None:
    every = await everybody.ask(who, tmp_path, LITTLE, shared=True)
    assert sum(told.led for told in every) > 0 or who not in MAKERS, "no call followed from another"
    for told in every:
        assert told.well, told.text[-6000:]
        refused = [name for name, statuses in told.answers.items() if set(statuses) <= {401, 403, 429}]
        assert told.answers, "nothing was asked"
        assert 2 * len(refused) <= len(told.answers), f"{who} was hardly let in: this showed nothing"
