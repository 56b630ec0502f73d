"""What a store manager publishes has to be of her own stores, and so has what it replaces."""

from collections.abc import Collection

from server.db import Connection
from server.imports.sieve import Sieve
from server.publish import published_bodies


async def check_scope(
    connection: Connection, retailer_id: str, sieve: Sieve, stores: Collection[str]
) -> None:
    """Refuses geofences of other stores, also where they would become those of her own."""
    present = await published_bodies(connection, retailer_id, "geofence", list(sieve.accepted))
    for external_id, record in list(sieve.accepted.items()):
        bodies = [record.body, *filter(None, [present.get(external_id)])]
        foreign = [store for body in bodies if (store := body["properties"]["store"]) not in stores]
        if foreign:
            detail = f"{foreign[0]!r} is not one of your stores"
            sieve.refuse(record, "foreign_store", "properties.store", detail)
