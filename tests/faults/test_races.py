"""No budget is overspent and no coupon works twice, however many race and whatever is killed meanwhile."""

import os
from pathlib import Path

import pytest

from tests.faults.races.run import raced

ATTEMPTS = int(os.environ.get("VICINO_TEST_RACES", "100000"))


@pytest.mark.timeout(max(900, ATTEMPTS // 25))
async def test_no_budget_is_overspent_and_no_coupon_works_twice_however_many_race_and_whatever_dies(
    postgres_folder: Path,
) -> None:
    told = await raced(postgres_folder, ATTEMPTS)
    print(told)
    assert told.attempts >= ATTEMPTS
    assert told.issued >= told.redeemed > 0
