"""Geofences on sensitive places: one wholly in them is refused, one partly in them is clipped."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from geo.geojson import fence_from_feature
from geo.sensitive import Override, SensitivePlace, SensitiveSet, shares_covered
from server.db import Connection
from server.imports.sieve import Sieve
from server.publish import Kind, published_page

#: By external id.
Bodies: TypeAlias = Mapping[str, Mapping[str, Any]]

#: From this share on nothing is left of a geofence.
WHOLLY = 0.999
_ROWS_AT_ONCE = 1_000


async def check_sensitive(connection: Connection, retailer_id: str, sieve: Sieve, now_us: int) -> None:
    """Refuses geofences that lie wholly in sensitive places; warns of those that lie partly in them.

    No fix from a sensitive place is taken, so the rest of the geofence is what there is of it.
    """
    covered = await shares(connection, retailer_id, lambda: _bodies(sieve), now_us)
    for external_id, (share, names) in covered.items():
        record = sieve.accepted[external_id]
        if share >= WHOLLY:
            detail = f"all of it lies in sensitive places: {_listed(names)}"
            sieve.refuse(record, "sensitive_place", "geometry", detail)
        elif share > 0:
            detail = (
                f"{share:.0%} of it lies in sensitive places ({_listed(names)}): nothing is noticed there"
            )
            sieve.warn(record, "clipped", "geometry", detail)


async def without_sensitive(
    connection: Connection,
    retailer_id: str,
    sieve: Sieve,
    circles: Mapping[str, Mapping[str, Any]],
    now_us: int,
) -> dict[str, Mapping[str, Any]]:
    """The geofences made around stores, but for those wholly in sensitive places: their stores have none."""
    covered = await shares(connection, retailer_id, lambda: circles, now_us)
    wholly = {external_id: names for external_id, (share, names) in covered.items() if share >= WHOLLY}
    for external_id, names in wholly.items():
        detail = f"no geofence is made around it: all of that would lie in sensitive places: {_listed(names)}"
        sieve.warn(sieve.accepted[external_id], "sensitive_place", "", detail)
    return {external_id: body for external_id, body in circles.items() if external_id not in wholly}


async def shares(
    connection: Connection, retailer_id: str, bodies: Callable[[], Bodies], now_us: int
) -> dict[str, tuple[float, list[str]]]:
    """By geofence, the share of it in sensitive places that no override excuses now, and which those are.

    `bodies` is asked for the geofences in a thread, and only where there are sensitive places.
    """
    if not (places := await _published(connection, retailer_id, "sensitive")):
        return {}
    overrides = await _published(connection, retailer_id, "override")
    return await asyncio.to_thread(_shares, bodies, places, overrides, now_us)


def _shares(
    bodies: Callable[[], Bodies], places: list[Any], overrides: list[Any], now_us: int
) -> dict[str, tuple[float, list[str]]]:
    found = bodies()
    fences = [fence_from_feature(dict(body)) for body in found.values()]
    layer = SensitiveSet.build(map(SensitivePlace.from_feature, places), map(Override.from_body, overrides))
    return dict(zip(found, shares_covered(fences, layer, now_us), strict=True))


def _bodies(sieve: Sieve) -> Bodies:
    return {record.external_id: record.body for record in sieve.accepted.values()}


async def _published(connection: Connection, retailer_id: str, kind: Kind) -> list[Any]:
    """All bodies of a kind."""
    rows: list[Any] = []
    while more := await published_page(
        connection, retailer_id, kind, after=rows[-1]["external_id"] if rows else "", limit=_ROWS_AT_ONCE
    ):
        rows += more
    return [row["body"] for row in rows]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
