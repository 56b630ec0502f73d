"""Whose shopper this is: asked by commands, which have no credential that says it."""

from server.db import Database
from server.privacy.export import NoSuchShopper
from server.sql import queries

RETAILERS = queries("engine")["retailer_ids"]
EXISTS = queries("privacy")["shopper_exists"]


async def retailers(database: Database) -> list[str]:
    """All retailers of the installation."""
    async with database.system() as connection:
        return [row[0] for row in await connection.fetch(RETAILERS)]


async def retailer_of(database: Database, shopper_id: str) -> str:
    """The retailer of a shopper. Raises NoSuchShopper."""
    for retailer_id in await retailers(database):
        async with database.transaction(retailer_id) as connection:
            if await connection.fetchval(EXISTS, retailer_id, shopper_id):
                return retailer_id
    raise NoSuchShopper(f"there is no shopper {shopper_id}: give the id that her app was told (shp_…)")
