"""What the management endpoints read and take away again: pages of published bodies, one, and its removal."""

import base64
import binascii
from typing import Any, TypeAlias

from msgspec import Struct

from server.db import Database
from server.errors import VicinoError
from server.imports.author import Author, publish_as
from server.imports.report import PUBLISHED_KIND, ImportKind
from server.publish import (
    Change,
    Published,
    geofences_of,
    lock_publishing,
    published_bodies,
    published_page,
)
from server.sql import queries

MAX_PAGE = 1_000
SQL = queries("console")

#: The stores that a store manager is bound to; None: everybody else is not.
Stores: TypeAlias = frozenset[str] | None


class BadCursor(VicinoError):  # noqa: N818 - it names what is wrong
    """A cursor that no page gave out."""


class Page(Struct, frozen=True, kw_only=True):
    """Some published bodies, in the order of their ids."""

    items: tuple[Any, ...]
    next_cursor: str | None = None  #: None: there are no more


async def list_page(
    database: Database,
    retailer_id: str,
    kind: ImportKind,
    *,
    cursor: str | None = None,
    limit: int = 100,
    stores: Stores = None,
) -> Page:
    """The page after `cursor`, of 1 to 1,000 bodies; of `stores` alone, where those are given.

    Raises BadCursor.
    """
    after = _id_of(cursor) if cursor else ""
    limit = min(max(limit, 1), MAX_PAGE)
    async with database.transaction(retailer_id) as connection:
        # One more than asked for tells whether there is a next page.
        rows = await published_page(
            connection, retailer_id, PUBLISHED_KIND[kind], after=after, limit=limit + 1, stores=stores
        )
    items = tuple(row["body"] for row in rows[:limit])
    more = len(rows) > limit
    return Page(items=items, next_cursor=_cursor_of(rows[limit - 1]["external_id"]) if more else None)


async def get_one(
    database: Database, retailer_id: str, kind: ImportKind, external_id: str, *, stores: Stores = None
) -> Any | None:
    """The body published under `external_id`; None where there is none, or it is not of `stores`."""
    if not _is_storable(external_id):
        return None
    async with database.transaction(retailer_id) as connection:
        published_kind = PUBLISHED_KIND[kind]
        found = await published_bodies(connection, retailer_id, published_kind, [external_id])
    body = found.get(external_id)
    return None if body is None or not is_within(kind, body, stores) else body


async def get_versions(
    database: Database, retailer_id: str, kind: ImportKind, external_id: str, *, stores: Stores = None
) -> list[dict[str, Any]]:
    """Every version of what is or was published under `external_id`, newest first; of `stores` alone."""
    if not _is_storable(external_id):
        return []
    async with database.transaction(retailer_id) as connection:
        rows = await connection.fetch(SQL["versions"], retailer_id, PUBLISHED_KIND[kind], external_id)
    return [dict(row) for row in rows if is_within(kind, row["body"], stores)]


async def delete_one(
    database: Database,
    retailer_id: str,
    kind: ImportKind,
    external_id: str,
    *,
    stores: Stores = None,
    author: Author | None = None,
) -> Published:
    """Takes a body out of what is published; `removed` is 0 where there was none, or it is not of `stores`.

    A store takes its geofences with it. Offers that name it stay; they can no longer be made there.
    """
    removing: tuple[str, ...] = (external_id,) if _is_storable(external_id) else ()
    async with database.transaction(retailer_id) as connection:
        await lock_publishing(connection, retailer_id)
        if stores is not None:
            bodies = await published_bodies(connection, retailer_id, PUBLISHED_KIND[kind], removing)
            removing = tuple(name for name, body in bodies.items() if is_within(kind, body, stores))
        changes = [Change(kind=PUBLISHED_KIND[kind], remove=removing)]
        if kind == "stores" and removing:
            fences = await geofences_of(connection, retailer_id, external_id)
            changes.append(Change(kind="geofence", remove=tuple(fences)))
        return await publish_as(connection, retailer_id, changes, author)


def is_within(kind: ImportKind, body: Any, stores: Stores) -> bool:
    """Whether a body is of one of these stores; what no store has (products, sensitive places) is.

    An offer is where it holds at one of them; one that names no store holds everywhere.
    """
    if stores is None:
        return True
    if kind == "stores":
        return body["external_id"] in stores
    if kind == "geofences":
        return body["properties"]["store"] in stores
    named = body.get("stores") if kind == "offers" else None
    return named is None or not stores.isdisjoint(named)


def _cursor_of(external_id: str) -> str:
    return base64.urlsafe_b64encode(external_id.encode()).decode().rstrip("=")


def _id_of(cursor: str) -> str:
    try:
        external_id = base64.b64decode(
            cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        ).decode()
    except (binascii.Error, ValueError) as error:
        raise BadCursor("the cursor is not one that a page gave out") from error
    if not _is_storable(external_id):
        raise BadCursor("the cursor is not one that a page gave out")
    return external_id


def _is_storable(external_id: str) -> bool:
    """False for text that PostgreSQL knows no way to hold, under which therefore nothing is published."""
    return "\0" not in external_id and not any("\ud800" <= character <= "\udfff" for character in external_id)
