"""What the management endpoints read and take away again: pages of published bodies, one, and its removal."""

import base64
import binascii
from typing import Any

from msgspec import Struct

from server.db import Database
from server.errors import VicinoError
from server.imports.report import PUBLISHED_KIND, ImportKind
from server.publish import (
    Change,
    Published,
    geofences_of,
    lock_publishing,
    publish_all,
    published_bodies,
    published_page,
)

MAX_PAGE = 1_000


class BadCursor(VicinoError):  # noqa: N818 - it names what is wrong
    """A cursor that no page gave out."""


class Page(Struct, frozen=True, kw_only=True):
    """Some published bodies, in the order of their ids."""

    items: tuple[Any, ...]
    next_cursor: str | None = None  #: None: there are no more


async def list_page(
    database: Database, retailer_id: str, kind: ImportKind, *, cursor: str | None = None, limit: int = 100
) -> Page:
    """The page after `cursor`, of 1 to 1,000 bodies. Raises BadCursor."""
    after = _id_of(cursor) if cursor else ""
    limit = min(max(limit, 1), MAX_PAGE)
    async with database.transaction(retailer_id) as connection:
        # One more than asked for tells whether there is a next page.
        rows = await published_page(
            connection, retailer_id, PUBLISHED_KIND[kind], after=after, limit=limit + 1
        )
    items = tuple(row["body"] for row in rows[:limit])
    more = len(rows) > limit
    return Page(items=items, next_cursor=_cursor_of(rows[limit - 1]["external_id"]) if more else None)


async def get_one(database: Database, retailer_id: str, kind: ImportKind, external_id: str) -> Any | None:
    """The body published under `external_id`; None where there is none."""
    if not _is_storable(external_id):
        return None
    async with database.transaction(retailer_id) as connection:
        published_kind = PUBLISHED_KIND[kind]
        found = await published_bodies(connection, retailer_id, published_kind, [external_id])
    return found.get(external_id)


async def delete_one(database: Database, retailer_id: str, kind: ImportKind, external_id: str) -> Published:
    """Takes a body out of what is published; `removed` is 0 where there was none.

    A store takes its geofences with it. Offers that name it stay; they can no longer be made there.
    """
    removing = (external_id,) if _is_storable(external_id) else ()
    async with database.transaction(retailer_id) as connection:
        await lock_publishing(connection, retailer_id)
        changes = [Change(kind=PUBLISHED_KIND[kind], remove=removing)]
        if kind == "stores" and removing:
            fences = await geofences_of(connection, retailer_id, external_id)
            changes.append(Change(kind="geofence", remove=tuple(fences)))
        return await publish_all(connection, retailer_id, changes)


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
