"""Reading what is published, page by page or by its id, and taking it away."""

from typing import Any

import pytest

from server.db import Database
from server.imports import BadCursor, delete_one, get_one, list_page
from server.publish import Change, load_published, publish_all
from tests.integration.conftest import RETAILER

pytestmark = pytest.mark.usefixtures("retailers")


STORES = ("s0", "s1", "s2", "s3", "s4")


def store(external_id: str) -> dict[str, Any]:
    return {"external_id": external_id, "name": "Shoes", "lat": 60.1, "lon": 24.9}


def fence(external_id: str, of_store: str) -> dict[str, Any]:
    properties = {"external_id": external_id, "store": of_store, "radius": 50}
    geometry = {"type": "Point", "coordinates": [24.9, 60.1]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


@pytest.fixture(autouse=True)
async def published_stores(retailers: None, database: Database) -> None:
    fences = {"g1": fence("g1", "s1"), "g2": fence("g2", "s2")}
    changes = [
        Change(kind="store", bodies={name: store(name) for name in STORES}),
        Change(kind="geofence", bodies=fences),
    ]
    async with database.transaction(RETAILER) as connection:
        await publish_all(connection, RETAILER, changes)


async def test_pages_follow_each_other_to_the_end(database: Database) -> None:
    found: list[str] = []
    cursor = None
    for _ in range(3):
        page = await list_page(database, RETAILER, "stores", cursor=cursor, limit=2)
        found += [body["external_id"] for body in page.items]
        cursor = page.next_cursor
    assert (found, cursor) == (["s0", "s1", "s2", "s3", "s4"], None)


@pytest.mark.parametrize("cursor", ["%", "a", "____", "AA", "ä"])
async def test_a_cursor_that_no_page_gave_is_refused(database: Database, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await list_page(database, RETAILER, "stores", cursor=cursor)


async def test_one_is_read_by_its_id_and_by_its_retailer_alone(database: Database) -> None:
    assert (await get_one(database, RETAILER, "stores", "s1"))["name"] == "Shoes"
    assert await get_one(database, RETAILER, "stores", "s9") is None
    assert await get_one(database, "ret_b", "stores", "s1") is None


@pytest.mark.parametrize("external_id", ["\0", "a\0b", "\ud800", "", "x" * 10_000])
async def test_an_id_that_nothing_can_have_is_simply_unknown(database: Database, external_id: str) -> None:
    assert await get_one(database, RETAILER, "stores", external_id) is None
    assert (await delete_one(database, RETAILER, "stores", external_id)).removed == 0


async def test_a_deleted_store_takes_its_geofences_with_it(database: Database) -> None:
    deleted = await delete_one(database, RETAILER, "stores", "s1")
    assert deleted.removed == 2
    async with database.transaction(RETAILER) as connection:
        bodies = await load_published(connection, RETAILER)
    assert (list(bodies["store"]), list(bodies["geofence"])) == (["s0", "s2", "s3", "s4"], ["g2"])
    assert (await delete_one(database, RETAILER, "stores", "s1")).removed == 0
