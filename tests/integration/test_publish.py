"""Publishing: versions, differences, loading, and what it does not hold up."""

import asyncio
from typing import Any

import asyncpg
import pytest

from server.db import Database
from server.line import lock_head
from server.publish import (
    CHANNEL,
    Change,
    Difference,
    Published,
    UnknownRetailer,
    current_settings,
    diff,
    load_published,
    publish,
    publish_all,
    publish_settings,
)
from tests.integration.conftest import RETAILER

pytestmark = pytest.mark.usefixtures("retailers")


def store(external_id: str, **more: Any) -> dict[str, Any]:
    return {"external_id": external_id, "name": "Shoes", "lat": 60.1, "lon": 24.9, **more}


async def publish_stores(database: Database, *stores: dict[str, Any], retailer: str = RETAILER) -> Published:
    async with database.transaction(retailer) as connection:
        return await publish(connection, retailer, "store", {body["external_id"]: body for body in stores})


async def load(database: Database, version: int | None = None, retailer: str = RETAILER) -> Any:
    async with database.transaction(retailer) as connection:
        return await load_published(connection, retailer, version)


async def test_new_bodies_make_a_version(database: Database) -> None:
    published = await publish_stores(database, store("s1"), store("s2"))
    assert published == Published(version=1, created=2)
    assert await load(database) == {"store": {"s1": store("s1"), "s2": store("s2")}}


async def test_the_same_bodies_again_make_no_version(database: Database) -> None:
    await publish_stores(database, store("s1", lat=60.0))
    again = await publish_stores(database, {"lon": 24.90, "lat": 60, "name": "Shoes", "external_id": "s1"})
    assert again == Published(version=1, unchanged=1)


async def test_a_changed_body_leaves_the_earlier_version_as_it_was(database: Database) -> None:
    await publish_stores(database, store("s1"), store("s2"))
    changed = await publish_stores(database, store("s1", name="Boots"), store("s2"))
    assert changed == Published(version=2, updated=1, unchanged=1)
    assert (await load(database, 1))["store"]["s1"]["name"] == "Shoes"
    assert (await load(database, 2))["store"]["s1"]["name"] == "Boots"


async def test_version_0_is_empty(database: Database) -> None:
    await publish_stores(database, store("s1"))
    assert await load(database, 0) == {}


async def test_a_removed_body_is_gone_and_can_come_back(database: Database) -> None:
    await publish_stores(database, store("s1"), store("s2"))
    async with database.transaction(RETAILER) as connection:
        removed = await publish(connection, RETAILER, "store", {}, remove=["s1", "no such store"])
    assert removed == Published(version=2, removed=1)
    assert list((await load(database))["store"]) == ["s2"]
    assert await publish_stores(database, store("s1")) == Published(version=3, created=1)
    assert list((await load(database, 1))["store"]) == ["s1", "s2"]


async def test_several_kinds_share_one_version(database: Database) -> None:
    changes = [
        Change(kind="store", bodies={"s1": store("s1")}),
        Change(kind="geofence", bodies={"s1": {"type": "Feature"}}),
    ]
    async with database.transaction(RETAILER) as connection:
        published = await publish_all(connection, RETAILER, changes)
    assert published == Published(version=1, created=2)


async def test_retailers_do_not_share_versions_or_bodies(database: Database) -> None:
    await publish_stores(database, store("s1"))
    assert await publish_stores(database, store("s1"), retailer="ret_b") == Published(version=1, created=1)
    await publish_stores(database, store("s1", name="Boots"))
    assert (await load(database, retailer="ret_b"))["store"]["s1"]["name"] == "Shoes"


async def test_an_unknown_retailer_is_refused_by_name(database: Database) -> None:
    with pytest.raises(UnknownRetailer, match="ret_none"):
        await publish_stores(database, store("s1"), retailer="ret_none")


async def test_a_difference_names_the_changed_fields_and_writes_nothing(database: Database) -> None:
    await publish_stores(database, store("s1", address="Old Street"), store("s2"), store("s4"))
    bodies = {"s1": store("s1", name="Boots"), "s2": store("s2"), "s3": store("s3")}
    change = Change(kind="store", bodies=bodies, remove=("s4", "s5"))
    async with database.transaction(RETAILER) as connection:
        found = await diff(connection, RETAILER, [change])
    assert found == [
        Difference(kind="store", external_id="s1", change="updated", fields=("address", "name")),
        Difference(kind="store", external_id="s2", change="unchanged"),
        Difference(kind="store", external_id="s3", change="created"),
        Difference(kind="store", external_id="s4", change="removed"),
    ]
    assert list((await load(database))["store"]) == ["s1", "s2", "s4"]


async def test_a_difference_inside_an_object_is_named_by_its_path(database: Database) -> None:
    def fence(name: str) -> dict[str, Any]:
        return {"properties": {"name": name}, "geometry": {"type": "Point", "coordinates": [1, 2]}}

    async with database.transaction(RETAILER) as connection:
        await publish(connection, RETAILER, "geofence", {"g": fence("old")})
        (found,) = await diff(connection, RETAILER, [Change(kind="geofence", bodies={"g": fence("new")})])
    assert found.fields == ("properties.name",)


async def test_settings_are_merged_over_the_current_ones(database: Database) -> None:
    async with database.transaction(RETAILER) as connection:
        await publish_settings(connection, RETAILER, {"timezone": "Europe/Helsinki", "holdout": 0.1})
        await publish_settings(connection, RETAILER, {"holdout": 0.0})
        found = await current_settings(connection, RETAILER)
    assert found == {"timezone": "Europe/Helsinki", "holdout": 0.0}


async def test_listeners_hear_of_a_publication_when_it_commits(database: Database, database_url: str) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(database_url)
    try:
        await listener.add_listener(CHANNEL, lambda _c, _pid, _channel, payload: heard.put_nowait(payload))
        await publish_stores(database, store("s1"))
        assert await asyncio.wait_for(heard.get(), 5) == RETAILER
        await publish_stores(database, store("s1"))
        await listener.execute("SELECT 1")
        assert heard.empty()
    finally:
        await listener.close()


async def test_a_running_publication_does_not_hold_the_journal_up(database: Database) -> None:
    async with database.transaction(RETAILER) as publishing:
        await publish(publishing, RETAILER, "store", {})
        await publishing.execute(
            "INSERT INTO published (retailer_id, kind, external_id, version_from, body)"
            " VALUES ($1, 'store', 's1', 1, '{}')",
            RETAILER,
        )
        async with database.transaction(RETAILER) as batch:
            await batch.execute("SET LOCAL lock_timeout = '2s'")
            await lock_head(batch, RETAILER)


async def test_two_publications_at_once_get_versions_one_after_the_other(database: Database) -> None:
    published = await asyncio.gather(*(publish_stores(database, store(f"s{n}")) for n in range(6)))
    assert sorted(one.version for one in published) == [1, 2, 3, 4, 5, 6]
    assert len((await load(database))["store"]) == 6


async def test_bodies_load_in_an_order_that_no_collation_changes(database: Database) -> None:
    names = ["a", "B", "ä", "_", "1", "a b"]
    await publish_stores(database, *(store(name) for name in names))
    assert list((await load(database))["store"]) == sorted(names)
