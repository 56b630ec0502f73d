"""Moving from version to version: what is read for it, what is kept, and what cannot be used."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from server.db import Database, DatabaseUnfit
from server.publish import Body, Kind, changed_ids, load_changes, load_published, publish, settings_at
from server.world import World
from server.worlds import Worlds
from tests.integration.conftest import RETAILER

pytestmark = pytest.mark.usefixtures("retailers")
SECRET = b"secret"


def fence(external_id: str, *, radius_m: float = 100.0, east_m: float = 0.0) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [24.94 + east_m / 55_500, 60.17]},
        "properties": {"external_id": external_id, "store": "s", "radius": radius_m},
    }


async def publishes(
    database: Database, bodies: Mapping[str, Body], *remove: str, kind: Kind = "geofence"
) -> int:
    async with database.transaction(RETAILER) as connection:
        return (await publish(connection, RETAILER, kind, bodies, remove=remove)).version


async def changes(database: Database, since: int, version: int) -> Any:
    async with database.transaction(RETAILER) as connection:
        return await load_changes(connection, RETAILER, since, version)


async def moved_to(worlds: Worlds, database: Database, version: int) -> World:
    del database
    return await worlds.exactly(version, SECRET)


async def from_nothing(database: Database, version: int) -> World:
    async with database.transaction(RETAILER) as connection:
        return World.build(RETAILER, SECRET, version, await load_published(connection, RETAILER, version))


def fences_of(world: World) -> dict[str, Any]:
    return dict(world.fences.by_id)


async def test_what_differs_between_two_versions_is_what_was_published_in_between(database: Database) -> None:
    await publishes(database, {"a": fence("a"), "b": fence("b"), "c": fence("c")})
    await publishes(database, {"a": fence("a", radius_m=50), "d": fence("d")}, "b")
    await publishes(database, {"settings": {"holdout": 0.5}}, kind="settings")

    assert await changes(database, 1, 3) == {
        "geofence": {"a": fence("a", radius_m=50), "b": None, "d": fence("d")},
        "settings": {"settings": {"holdout": 0.5}},
    }
    assert await changes(database, 1, 2) == {
        "geofence": {"a": fence("a", radius_m=50), "b": None, "d": fence("d")}
    }
    assert await changes(database, 3, 3) == {}


async def test_what_came_and_went_in_between_is_gone_and_what_was_changed_back_is_as_it_was(
    database: Database,
) -> None:
    await publishes(database, {"a": fence("a")})
    await publishes(database, {"a": fence("a", radius_m=50), "b": fence("b")})
    await publishes(database, {"a": fence("a")}, "b")

    assert await changes(database, 1, 3) == {"geofence": {"a": fence("a"), "b": None}}


async def test_the_ids_of_what_differs_are_told_by_kind(database: Database) -> None:
    await publishes(database, {"a": fence("a"), "b": fence("b")})
    await publishes(database, {"c": fence("c")}, "b")
    async with database.transaction(RETAILER) as connection:
        assert await changed_ids(connection, RETAILER, "geofence", (1, 2), most=9) == {"b", "c"}
        assert await changed_ids(connection, RETAILER, "store", (0, 2), most=9) == set()


async def test_settings_are_told_as_they_were(database: Database) -> None:
    await publishes(database, {"settings": {"holdout": 0.1}}, kind="settings")
    await publishes(database, {"settings": {"holdout": 0.2}}, kind="settings")
    async with database.transaction(RETAILER) as connection:
        told = [await settings_at(connection, RETAILER, version) for version in (0, 1, 2)]
    assert told == [{}, {"holdout": 0.1}, {"holdout": 0.2}]


async def test_what_changed_is_found_by_an_index_however_much_is_published(database: Database) -> None:
    await publishes(database, {f"f{n}": fence(f"f{n}") for n in range(3_000)})
    await publishes(database, {"f7": fence("f7", radius_m=50)})
    async with database.transaction(RETAILER) as connection:
        plan = await connection.fetch(
            "EXPLAIN SELECT external_id FROM published"
            f" WHERE retailer_id = '{RETAILER}' AND version_from > 1 AND version_from <= 2"
        )
    assert any("published_from" in row[0] for row in plan)


async def test_a_world_is_the_same_whichever_way_it_was_come_by(database: Database) -> None:
    worlds = Worlds(RETAILER, database)
    version = await publishes(database, {"a": fence("a"), "b": fence("b")})
    first = await moved_to(worlds, database, version)
    await publishes(database, {"a": fence("a", radius_m=50)})
    version = await publishes(database, {"c": fence("c")}, "b")

    world = await moved_to(worlds, database, version)

    assert fences_of(first) == fences_of(await from_nothing(database, 1))
    assert fences_of(world) == fences_of(await from_nothing(database, version))
    assert world.fences.roll is first.fences.roll
    assert await moved_to(worlds, database, version) is world


async def test_an_older_version_is_built_from_nothing_and_shares_the_numbers(database: Database) -> None:
    worlds = Worlds(RETAILER, database)
    await publishes(database, {"a": fence("a")})
    version = await publishes(database, {"b": fence("b")}, "a")
    newer = await moved_to(worlds, database, version)

    older = await moved_to(worlds, database, 1)

    assert list(fences_of(older)) == ["a"]
    assert older.fences.roll is newer.fences.roll


async def test_a_version_that_cannot_be_used_is_told_until_there_is_one_that_can(database: Database) -> None:
    worlds = Worlds(RETAILER, database)
    await moved_to(worlds, database, await publishes(database, {"a": fence("a")}))
    bad = await publishes(database, {"b": {"type": "Feature"}})
    for _ in range(2):
        with pytest.raises(DatabaseUnfit, match=f"version {bad} cannot be used"):
            await moved_to(worlds, database, bad)

    good = await publishes(database, {"b": fence("b")})

    assert sorted(fences_of(await moved_to(worlds, database, good))) == ["a", "b"]


async def test_fences_are_indexed_anew_when_edits_have_piled_up_and_nothing_is_lost(
    database: Database,
) -> None:
    worlds = Worlds(RETAILER, database)
    many = {f"f{n}": fence(f"f{n}", east_m=10 * n) for n in range(10_000)}
    await moved_to(worlds, database, await publishes(database, many))
    edits = {f"f{n}": fence(f"f{n}", radius_m=50, east_m=10 * n) for n in range(1_100)}
    world = await moved_to(worlds, database, await publishes(database, edits))
    assert world.fences.worth_folding  # and by now it is being done
    version = await publishes(database, {"f3": fence("f3", radius_m=30), "new": fence("new")}, "f5")

    async with asyncio.timeout(60):
        while (world := await moved_to(worlds, database, version)).fences.worth_folding:
            await asyncio.sleep(0.01)

    assert fences_of(world) == fences_of(await from_nothing(database, version))


async def test_many_callers_at_once_are_given_one_world(database: Database) -> None:
    """An edge's pings ask beside each other, while the world is made and while it is indexed anew."""
    made = [await publishes(database, {"a": fence("a")}), await publishes(database, {"b": fence("b")})]
    worlds = Worlds(RETAILER, database)

    for version in made:
        asked = [worlds.exactly(version, SECRET) for _ in range(20)]
        assert {id(world) for world in await asyncio.gather(*asked)} == {id(worlds.current)}
        assert worlds.current is not None
        assert worlds.current.version == version
