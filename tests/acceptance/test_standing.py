"""How the work stands, as the operator's page tells it."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from server.clock import from_us
from server.models import fit_model
from tests.acceptance.mall import Mall, mall, until
from tests.acceptance.test_learning import LEARNING, lives_a_day, makes_offer, use


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path, policy="learn", learning=LEARNING) as opened:
        yield opened


async def test_where_nothing_happened_nothing_waits_and_nothing_is_learned(at_noon: Mall) -> None:
    idle = {"waiting": 0, "oldest_due_at": None}
    assert await at_noon.server.get("/v1/standing") == {
        "pushes": idle,
        "webhooks": idle,
        "put_aside": 0,
        "newest_put_aside": [],
        "model": {"policy": "learn", "model": None, "fitted_at": None, "learned_at": None},
        "partitions": None,
    }


async def test_how_fresh_the_model_is_is_told(at_noon: Mall) -> None:
    await lives_a_day(at_noon)
    learned = (await at_noon.server.get("/v1/standing"))["model"]
    assert learned["learned_at"] is not None
    fitted_at = from_us(at_noon.clock.now_us())
    fitted = await fit_model(at_noon.vicino.database, at_noon.keys["retailer_id"], fitted_at)
    await use(at_noon, fitted.model)

    model = (await at_noon.server.get("/v1/standing"))["model"]
    assert (model["model"], model["learned_at"]) == (fitted.model, learned["learned_at"])
    assert datetime.fromisoformat(model["fitted_at"]) == fitted_at


async def test_a_push_that_waits_for_fcm_is_counted_with_when_it_is_due(at_noon: Mall) -> None:
    at_noon.fcm.fail_next("unavailable", times=9, retry_after_s=30)
    await makes_offer(at_noon)

    async def waits() -> bool:
        pushes = (await at_noon.server.get("/v1/standing"))["pushes"]
        return pushes["waiting"] == 1 and pushes["oldest_due_at"] is not None

    await until(waits)
