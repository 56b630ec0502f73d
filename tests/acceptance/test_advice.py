"""The fence doctor's advice by what the server itself was told."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.mall import Mall, mall

CROWD = 24
ADVICE = "/v1/geofences/door/advice"


@pytest.fixture
async def opened(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        await opened.server.post("/v1/geofences", opened.fence(radius=30))
        yield opened


async def crowd(opened: Mall, count: int) -> None:
    """They come from afar, stand ten minutes at the kerb outside of the fence, and go."""
    way = [
        (300, 1500),
        (150, 1440),
        *((45 + n % 2, 1380 - 30 * n) for n in range(20)),
        (200, 700),
        (400, 640),
    ]
    for _ in range(count):
        shopper = await opened.shopper()
        fixes = [opened.fix(north_m, ago_s=ago_s, accuracy_m=20.0) for north_m, ago_s in way]
        assert (await shopper.post("/v1/pings", {"fixes": fixes}))["accepted"] == len(way)


async def test_a_fence_that_many_stand_just_outside_of_is_advised_to_be_larger(opened: Mall) -> None:
    await crowd(opened, CROWD)

    told = await opened.server.get(ADVICE)

    assert told["enough"]
    assert "missed_visits" in {finding["code"] for finding in told["findings"]}
    proposal: dict[str, Any] = told["proposal"]
    assert proposal["told"].startswith("radius 30 → ")
    assert proposal["feature"]["properties"]["radius"] > 30
    assert {"what": "missed visits", "before": 20, "after": None} in proposal["effect"]


async def test_of_a_handful_of_people_nothing_is_told(opened: Mall) -> None:
    await crowd(opened, 5)

    told = await opened.server.get(ADVICE)

    assert (told["enough"], told["findings"], told["proposal"]) == (False, [], None)
    assert len(told["days"]) == 1


async def test_a_fence_that_is_off_is_not_examined(opened: Mall) -> None:
    await opened.server.post("/v1/geofences", opened.fence(enabled=False))

    status, problem = await opened.server.call("GET", ADVICE)

    assert (status, problem["code"], problem["field"]) == (409, "not_enabled", "enabled")


async def test_a_fence_that_is_not_there_is_unknown(opened: Mall) -> None:
    status, problem = await opened.server.call("GET", "/v1/geofences/nowhere/advice")

    assert (status, problem["code"]) == (404, "unknown_id")
