"""Whom many moved geofences concern is found before the world's first batch, which then need not wait."""

import pytest

from geo.index import FenceSet
from server.db import Database
from server.parts import WHOLE
from server.republished import Republished
from server.world import World
from server.worlds import MANY, Worlds
from tests.integration.conftest import RETAILER
from tests.integration.test_worlds import fence, moved_to, publishes

pytestmark = pytest.mark.usefixtures("retailers")
COUNT = MANY + 100


async def ann_is_in_one(_fences: FenceSet, _geofences: set[str] | None) -> dict[str, set[str]]:
    return {"f1": {"ann"}}


async def nobody_is_asked(_fences: FenceSet, _geofences: set[str] | None) -> dict[str, set[str]]:
    pytest.fail("it was known beforehand")


async def two_worlds(database: Database, worlds: Worlds) -> tuple[World, World]:
    """Before and after all fences but one have grown."""
    before = await publishes(database, {f"f{n}": fence(f"f{n}", east_m=10 * n) for n in range(COUNT)})
    first = await moved_to(worlds, database, before)
    grown = {f"f{n}": fence(f"f{n}", east_m=10 * n, radius_m=150) for n in range(1, COUNT)}
    return first, await moved_to(worlds, database, await publishes(database, grown))


async def test_a_world_with_many_other_geofences_is_looked_at_before_it_is_the_current_one(
    database: Database,
) -> None:
    worlds = Worlds(RETAILER, database)
    looked_at: list[tuple[World, World | None]] = []

    async def look(world: World) -> None:
        looked_at.append((world, worlds.current))

    worlds.look_ahead = look
    first, second = await two_worlds(database, worlds)
    await moved_to(worlds, database, await publishes(database, {"f0": fence("f0", radius_m=150)}))

    assert looked_at == [(second, first)]


async def test_it_concerns_who_was_found_and_who_has_moved_since(database: Database) -> None:
    first, second = await two_worlds(database, Worlds(RETAILER, database))
    republished = Republished(RETAILER, WHOLE)
    async with database.transaction(RETAILER) as connection:
        republished.settle(first)
        republished.moved({"eve"})
        await republished.look_ahead(connection, second, ann_is_in_one)
        republished.moved({"bob"})

        assert await republished.concerned(connection, second, nobody_is_asked) == {"ann", "bob"}
        republished.settle(second)
        assert await republished.concerned(connection, second, nobody_is_asked) == set()


async def test_what_was_found_is_of_no_use_when_memory_was_made_again(database: Database) -> None:
    first, second = await two_worlds(database, Worlds(RETAILER, database))
    republished = Republished(RETAILER, WHOLE)
    async with database.transaction(RETAILER) as connection:
        republished.settle(first)
        await republished.look_ahead(connection, second, nobody_is_in_one)
        republished.forget()
        republished.settle(first)

        assert await republished.concerned(connection, second, ann_is_in_one) == {"ann"}


async def nobody_is_in_one(_fences: FenceSet, _geofences: set[str] | None) -> dict[str, set[str]]:
    return {}
