"""Checks that what records name exists: stores must, products and categories should."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct

from geo.distance import distance_m
from server.db import Connection
from server.imports.judging import Accepted
from server.imports.report import ImportKind
from server.imports.sensitive import check_sensitive
from server.imports.sieve import Sieve
from server.publish import Kind, published_bodies, published_categories, published_ids

_Names: TypeAlias = Callable[[Accepted], Collection[str]]


#: No fence that includes its store has a point as far away from it: circles reach 10 km.
_FAR_M = 20_000.0


class _Reference(Struct, frozen=True, kw_only=True):
    """Something of another kind that a record names."""

    kind: Kind
    field: str
    names: _Names
    code: str
    refuses: bool  #: False: what is named may yet come, so it is only warned of


def _stores(record: Accepted) -> Collection[str]:
    return record.body.get("stores") or ()


_REFERENCES: dict[ImportKind, tuple[_Reference, ...]] = {
    "geofences": (
        _Reference(
            kind="store",
            field="properties.store",
            names=lambda fence: (fence.body["properties"]["store"],),
            code="unknown_store",
            refuses=True,
        ),
    ),
    "inventory": (
        _Reference(
            kind="store",
            field="store_code",
            names=lambda line: (line.body["store"],),
            code="unknown_store",
            refuses=True,
        ),
        _Reference(
            kind="product",
            field="id",
            names=lambda line: (line.body["sku"],),
            code="unknown_product",
            refuses=True,
        ),
    ),
    "offers": (
        _Reference(kind="store", field="stores", names=_stores, code="unknown_store", refuses=True),
        _Reference(
            kind="product",
            field="applies_to.skus",
            names=lambda offer: offer.body["applies_to"].get("skus") or (),
            code="unknown_sku",
            refuses=False,
        ),
    ),
    "catalog": (
        _Reference(kind="store", field="stores", names=_stores, code="unknown_store", refuses=False),
    ),
}


async def check_references(
    connection: Connection, retailer_id: str, kind: ImportKind, sieve: Sieve, now_us: int
) -> None:
    """Refuses geofences, offers and stock of what is not published; warns of what may yet come."""
    for reference in _REFERENCES.get(kind, ()):
        # In a thread: over a large catalog it takes longer than the event loop may be held up.
        named = await asyncio.to_thread(_named, sieve, reference)
        unknown = named - await published_ids(connection, retailer_id, reference.kind, named)
        if unknown:
            _tell(sieve, reference, unknown)
    if kind == "offers":
        await _check_categories(connection, retailer_id, sieve)
    elif kind == "geofences":
        await _check_distances(connection, retailer_id, sieve)
        await check_sensitive(connection, retailer_id, sieve, now_us)


def _named(sieve: Sieve, reference: _Reference) -> set[str]:
    return {name for record in sieve.accepted.values() for name in reference.names(record)}


def _tell(sieve: Sieve, reference: _Reference, unknown: set[str]) -> None:
    told = sieve.refuse if reference.refuses else sieve.warn
    for record in list(sieve.accepted.values()):
        missing = [name for name in reference.names(record) if name in unknown]
        if missing:
            told(record, reference.code, reference.field, f"there is no {reference.kind} {_listed(missing)}")


async def _check_categories(connection: Connection, retailer_id: str, sieve: Sieve) -> None:
    """Warns of a category with no product in it or below it; letter case does not count."""
    naming = [record for record in sieve.accepted.values() if _categories(record)]
    if not naming:
        return
    known: set[str] = set()
    for category in await published_categories(connection, retailer_id):
        names = category.casefold().split(" > ")
        known |= {" > ".join(names[:depth]) for depth in range(1, len(names) + 1)}
    for record in naming:
        missing = [name for name in _categories(record) if name.casefold() not in known]
        if missing:
            detail = f"there is no product of category {_listed(missing)}"
            sieve.warn(record, "unknown_category", "applies_to.categories", detail)


async def _check_distances(connection: Connection, retailer_id: str, sieve: Sieve) -> None:
    """Warns of geofences far from their store."""
    # In threads, as above.
    stores = await asyncio.to_thread(_stores_of_fences, sieve)
    bodies = await published_bodies(connection, retailer_id, "store", stores)
    if sieve.accepted:
        await asyncio.to_thread(_warn_of_far, list(sieve.accepted.values()), bodies, sieve)


def _stores_of_fences(sieve: Sieve) -> set[str]:
    return {fence.body["properties"]["store"] for fence in sieve.accepted.values()}


def _warn_of_far(fences: Sequence[Accepted], bodies: Mapping[str, Any], sieve: Sieve) -> None:
    """Longitude and latitude are easily swapped."""
    positions = [_first_position(fence.body["geometry"]["coordinates"]) for fence in fences]
    of_stores = [bodies[fence.body["properties"]["store"]] for fence in fences]
    fence_lon, fence_lat = np.array(positions, np.float64).T
    store_lon, store_lat = np.array([(body["lon"], body["lat"]) for body in of_stores], np.float64).T
    away_m = distance_m(fence_lat, fence_lon, store_lat, store_lon)
    for place in np.flatnonzero(away_m > _FAR_M).tolist():
        detail = f"it lies {away_m[place] / 1000:.0f} km from its store"
        sieve.warn(fences[place], "far_from_store", "geometry", detail)


def _first_position(coordinates: Any) -> list[float]:
    while isinstance(coordinates[0], list):
        coordinates = coordinates[0]
    return list(coordinates[:2])


def _categories(record: Accepted) -> Collection[str]:
    return record.body["applies_to"].get("categories") or ()


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(repr(name) for name in names[:3]) + more
