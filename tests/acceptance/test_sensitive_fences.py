"""Geofences on sensitive places, and fixes from them: neither leaves a trace."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.mall import M_PER_DEGREE, SHOP, STORE, Mall, mall
from tests.acceptance.traces import dump, found


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


def clinic(north_m: float, radius_m: float, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [SHOP[1], SHOP[0] + north_m / M_PER_DEGREE]},
        "properties": {"external_id": "clinic", "kind": "health", "radius": radius_m, **properties},
    }


async def test_a_geofence_wholly_in_a_sensitive_place_is_refused_with_its_name(at_noon: Mall) -> None:
    await at_noon.server.post("/v1/sensitive", clinic(300, 20))

    status, problem = await at_noon.server.call("POST", "/v1/geofences", at_noon.fence(external_id="new"))

    assert (status, problem["code"], problem["field"]) == (422, "sensitive_place", "geometry")
    assert "clinic" in problem["detail"]
    assert (await at_noon.server.call("GET", "/v1/geofences/new"))[0] == 404


async def test_a_geofence_partly_in_one_is_clipped_and_the_import_says_how_much(at_noon: Mall) -> None:
    await at_noon.server.post("/v1/sensitive", clinic(100, 20, distance_m=30))

    report = await at_noon.server.post("/v1/geofences", at_noon.fence(external_id="new"))

    [warning] = report["warnings"]
    assert (report["created"], warning["code"]) == (1, "clipped")
    assert "% of it lies in sensitive places (clinic)" in warning["detail"]
    shopper = await at_noon.shopper()
    assert (await shopper.ping(north_m=70))["rejected"] == [{"index": 0, "reason": "sensitive_place"}]
    assert (await shopper.ping(north_m=20))["accepted"] == 1


async def test_a_store_in_a_sensitive_place_gets_no_geofence_of_its_own(at_noon: Mall) -> None:
    await at_noon.server.post("/v1/sensitive", clinic(0, 20))
    store = STORE | {"external_id": "shoes-2"}

    report = await at_noon.server.post("/v1/stores?radius_m=50", store)

    assert [warning["code"] for warning in report["warnings"]] == ["sensitive_place"]
    assert (await at_noon.server.call("GET", "/v1/geofences/shoes-2"))[0] == 404
    assert (await at_noon.server.call("GET", "/v1/stores/shoes-2"))[0] == 200


async def test_a_fix_from_a_sensitive_place_is_nowhere_in_the_database(
    at_noon: Mall, database_url: str
) -> None:
    await at_noon.server.post("/v1/sensitive", clinic(40, 10, distance_m=20))
    shopper = await at_noon.shopper()
    await shopper.looks_at("T-1")
    inside, outside = SHOP[1] + 0.000023456789, SHOP[1] + 0.000034567891
    await shopper.ping(north_m=0, lon=outside)
    at_noon.clock.advance(30)

    answer = await shopper.ping(north_m=43.21, lon=inside)

    assert answer["rejected"] == [{"index": 0, "reason": "sensitive_place"}]
    whole = await dump(database_url)
    assert found(whole, [outside]) == [outside], "the search must find what is there"
    assert found(whole, [inside, at_noon.fix(43.21)["lat"]]) == []
