"""Circular geofences around imported stores, for retailers who have drawn none."""

from typing import Any

from server.db import Connection
from server.imports.judging import Accepted
from server.imports.kinds import judge
from server.imports.problem import Record
from server.imports.sieve import Sieve
from server.publish import published_bodies


async def circles_around(
    connection: Connection, retailer_id: str, sieve: Sieve, radius_m: float
) -> dict[str, dict[str, Any]]:
    """A geofence under each accepted store's own id, by that id.

    One that was published earlier gets the store's position and the radius, and keeps its other properties;
    one that was drawn by hand, or given to another store, is left as it is, with a warning.
    """
    published = await published_bodies(connection, retailer_id, "geofence", sieve.accepted)
    circles: dict[str, dict[str, Any]] = {}
    for store in sieve.accepted.values():
        feature = _circle(store.body, radius_m)
        old = published.get(store.external_id)
        if old is not None:
            if old["geometry"]["type"] != "Point" or old["properties"]["store"] != store.external_id:
                detail = "a geofence of this id was not made by an import of stores; it stays as it is"
                sieve.warn(store, "kept_geofence", "", detail)
                continue
            feature["properties"] = {**old["properties"], "radius": radius_m}
        verdict = judge("geofences", Record(store.place, feature))
        if isinstance(verdict, Accepted):
            circles[verdict.external_id] = verdict.body
        else:
            sieve.problems.extend(verdict)
    return circles


def _circle(store: dict[str, Any], radius_m: float) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {
            "external_id": store["external_id"],
            "store": store["external_id"],
            "name": store["name"],
            "radius": radius_m,
        },
        "geometry": {"type": "Point", "coordinates": [store["lon"], store["lat"]]},
    }
