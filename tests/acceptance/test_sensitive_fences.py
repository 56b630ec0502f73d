"""Geofences on sensitive places, and fixes from them: neither leaves a trace."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.accounts import audit
from server.auth import new_key, secret_hash
from server.clock import from_us
from server.replay_journal import replay_day
from server.sql import queries
from tests.acceptance.mall import M_PER_DEGREE, SHOP, STORE, Client, Mall, mall
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


async def second_administrator(mall: Mall) -> Client:
    """Somebody else with a server key of her own."""
    key = new_key("server")
    async with mall.vicino.database.transaction(mall.keys["retailer_id"]) as connection:
        names = mall.keys["retailer_id"], secret_hash(key), "server", None
        await connection.execute(queries("auth")["add_key"], *names)
    return mall.client(key)


def override(mall: Mall, *, hours: float = 24.0) -> dict[str, Any]:
    until = mall.time(hours * 3600)
    reason = "our own entrance; the clinic's is around the corner"
    return {"geofence": mall.fence(external_id="new"), "reason": reason, "until": until}


async def test_two_administrators_let_a_geofence_be_heard_in_a_sensitive_place_for_a_time(
    at_noon: Mall,
) -> None:
    await at_noon.server.post("/v1/sensitive", clinic(300, 20))
    second = await second_administrator(at_noon)
    shopper = await at_noon.shopper()

    asked = await at_noon.server.post("/v1/overrides", override(at_noon))
    assert (asked["state"], asked["places"], asked["share"]) == ("asked", ["clinic"], 1.0)
    assert (await shopper.ping(north_m=20))["rejected"] != [], "asking alone changes nothing"
    approved = await second.post(f"/v1/overrides/{asked['id']}/approve", None)

    assert approved["state"] == "approved"
    assert None not in (approved["approved_by"], approved["approved_at"])
    assert approved["approved_by"] != approved["asked_by"] == asked["asked_by"]
    assert (await at_noon.server.post("/v1/geofences", at_noon.fence(external_id="new")))["created"] == 1
    at_noon.clock.advance(30)
    assert (await shopper.ping(north_m=20))["accepted"] == 1
    at_noon.clock.advance(30)
    assert (await shopper.ping(north_m=200))["rejected"] != [], "beside the geofence nothing is excused"
    day = from_us(at_noon.clock.now_us()).date()
    at_noon.clock.advance(24 * 3600)
    assert (await shopper.ping(north_m=20))["rejected"] == [{"index": 0, "reason": "sensitive_place"}]
    [row] = (await at_noon.server.get("/v1/overrides"))["items"]
    assert (row["state"], row["reason"]) == ("expired", override(at_noon)["reason"])
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        noted = await audit.page(connection, at_noon.keys["retailer_id"], None, 10)
    assert [(one["action"], one["actor"]) for one in noted] == [
        ("override_approved", approved["approved_by"]),
        ("override_asked", asked["asked_by"]),
    ]
    told = await replay_day(at_noon.vicino.database, at_noon.keys["retailer_id"], day)
    assert (told.different, told.different_states) == ((), ())


async def test_who_asked_for_an_override_cannot_approve_it(at_noon: Mall) -> None:
    await at_noon.server.post("/v1/sensitive", clinic(300, 20))
    asked = await at_noon.server.post("/v1/overrides", override(at_noon))

    status, problem = await at_noon.server.call("POST", f"/v1/overrides/{asked['id']}/approve")

    assert (status, problem["code"]) == (403, "second_person")
    assert (await at_noon.server.call("POST", "/v1/geofences", at_noon.fence(external_id="new")))[0] == 422


async def test_any_administrator_refuses_or_ends_an_override_at_once(at_noon: Mall) -> None:
    await at_noon.server.post("/v1/sensitive", clinic(300, 20))
    second, shopper = await second_administrator(at_noon), await at_noon.shopper()
    first, other = [await at_noon.server.post("/v1/overrides", override(at_noon)) for _ in range(2)]
    await second.post(f"/v1/overrides/{first['id']}/approve", None)
    assert (await shopper.ping(north_m=20))["accepted"] == 1

    ended = await at_noon.server.call("DELETE", f"/v1/overrides/{first['id']}")
    refused = await second.call("DELETE", f"/v1/overrides/{other['id']}")

    assert [(status, body["state"]) for status, body in (ended, refused)] == [
        (200, "ended"),
        (200, "refused"),
    ]
    at_noon.clock.advance(30)
    assert (await shopper.ping(north_m=20))["rejected"] != []
    status, problem = await second.call("POST", f"/v1/overrides/{other['id']}/approve")
    assert (status, problem["code"]) == (409, "not_asked")


async def test_what_nobody_approves_within_a_week_lapses(at_noon: Mall) -> None:
    await at_noon.server.post("/v1/sensitive", clinic(300, 20))
    asked = await at_noon.server.post("/v1/overrides", override(at_noon, hours=30 * 24))
    at_noon.clock.advance(7 * 86_400)

    second = await second_administrator(at_noon)
    status, problem = await second.call("POST", f"/v1/overrides/{asked['id']}/approve")

    assert (status, problem["code"]) == (409, "not_asked")
    [row] = (await second.get("/v1/overrides"))["items"]
    assert row["state"] == "lapsed"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"until": "2020-01-01T00:00:00Z"}, "bad_until", "until"),
        ({"until": "2036-01-01T00:00:00Z"}, "bad_until", "until"),
        ({"reason": "because"}, "bad_field", "reason"),
        ({"geofence": {"type": "Feature"}}, None, None),
    ],
)
async def test_an_override_needs_a_geofence_a_reason_and_an_end(
    change: dict[str, Any], code: str | None, field: str | None, at_noon: Mall
) -> None:
    await at_noon.server.post("/v1/sensitive", clinic(300, 20))

    status, problem = await at_noon.server.call("POST", "/v1/overrides", override(at_noon) | change)

    assert status == 422
    assert problem["field"].startswith("geofence.") if field is None else problem["field"] == field
    assert code in (None, problem["code"])


async def test_a_geofence_in_no_sensitive_place_needs_no_override(at_noon: Mall) -> None:
    status, problem = await at_noon.server.call("POST", "/v1/overrides", override(at_noon))

    assert (status, problem["code"]) == (422, "not_sensitive")
