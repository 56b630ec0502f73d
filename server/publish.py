"""Publishes what marketers and store managers change, each time under a new version of the retailer.

Rows are never overwritten: a change closes the row of the old body and adds one with the new, so that
any earlier version can be loaded again, which is what a replay does. A publication that changes nothing
makes no version. The retailer's own row, which its micro-batches lock one after the other, is touched
last, so a large publication holds no ping up while it is written.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from server.db import Connection
from server.errors import VicinoError
from server.sql import queries

Kind: TypeAlias = Literal["settings", "store", "geofence", "product", "offer", "sensitive", "override"]
Body: TypeAlias = Mapping[str, Any]
#: kind -> external id -> published body
Bodies: TypeAlias = dict[str, dict[str, Any]]

#: The external id of a retailer's one body of settings.
SETTINGS_ID = "settings"
#: The channel on which a publication's retailer is announced when it commits.
CHANNEL = "vicino_published"

# A statement of this many bodies stays far from the connection's time-out, and its answer from
# holding the event loop up.
_ROWS_AT_ONCE = 1_000
_SQL = queries("publish")


class UnknownRetailer(VicinoError):  # noqa: N818 - it names what is wrong
    """There is no retailer of that id."""


class Change(Struct, frozen=True, kw_only=True):
    """What is to change in one kind."""

    kind: Kind
    bodies: Mapping[str, Body] = {}  #: by external id
    remove: tuple[str, ...] = ()  #: external ids; those that are not published count for nothing


class Published(Struct, frozen=True, kw_only=True, gc=False):
    """What a publication did."""

    version: int  #: the retailer's version from now on; the old one if nothing changed
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0


class Difference(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What a publication would do to one body."""

    kind: Kind
    external_id: str
    change: Literal["created", "updated", "unchanged", "removed"]
    fields: tuple[str, ...] = ()  #: of an updated body, those that differ; `properties.name` for nested ones


async def publish(
    connection: Connection,
    retailer_id: str,
    kind: Kind,
    bodies: Mapping[str, Body],
    *,
    remove: Iterable[str] = (),
) -> Published:
    """Publishes bodies of one kind by their external ids, within the connection's transaction.

    The bodies must be valid: they are what the engine will build its world of. Raises UnknownRetailer.
    """
    change = Change(kind=kind, bodies=bodies, remove=tuple(remove))
    return await publish_all(connection, retailer_id, [change])


async def lock_publishing(connection: Connection, retailer_id: str) -> None:
    """Lets no other publication of the retailer happen until this transaction ends."""
    await connection.execute(_SQL["lock_publishing"], retailer_id)


async def publish_all(
    connection: Connection,
    retailer_id: str,
    changes: Sequence[Change],
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Published:
    """Publishes changes of several kinds under one new version. Raises UnknownRetailer.

    `progress` is told how many bodies have been written.
    """
    await lock_publishing(connection, retailer_id)
    old_version = await current_version(connection, retailer_id)
    version = old_version + 1
    updated = inserted = removed = done = 0
    for change in changes:
        for part in _parts(change.bodies):
            # What has not changed, which is most of a second import, is looked at and not written.
            rows = await connection.fetch(_SQL["differing"], retailer_id, change.kind, *_columns(part))
            if old := [row["external_id"] for row in rows if row["body"] is not None]:
                updated += len(old)
                await connection.execute(_SQL["close"], retailer_id, change.kind, version, old)
            if new := {row["external_id"]: part[row["external_id"]] for row in rows}:
                inserted += len(new)
                await connection.execute(_SQL["insert"], retailer_id, change.kind, version, *_columns(new))
            progress(done := done + len(part))
        removing = (retailer_id, change.kind, version, list(change.remove))
        removed += _rows(await connection.execute(_SQL["close"], *removing))
    unchanged = sum(len(change.bodies) for change in changes) - inserted
    if not inserted and not removed:
        return Published(version=old_version, unchanged=unchanged)
    await connection.execute(_SQL["raise_version"], retailer_id, version)
    await connection.execute(_SQL["announce"], retailer_id)
    return Published(
        version=version,
        created=inserted - updated,
        updated=updated,
        unchanged=unchanged,
        removed=removed,
    )


async def diff(connection: Connection, retailer_id: str, changes: Sequence[Change]) -> list[Difference]:
    """What `publish_all` would do, one entry a body, in the order given; nothing is written."""
    found: list[Difference] = []
    for change in changes:
        for part in _parts(change.bodies):
            rows = await connection.fetch(_SQL["differing"], retailer_id, change.kind, *_columns(part))
            old = {row["external_id"]: row["body"] for row in rows}
            found += [_difference(change.kind, external_id, part[external_id], old) for external_id in part]
        removed = await published_ids(connection, retailer_id, change.kind, change.remove)
        found += [
            Difference(kind=change.kind, external_id=external_id, change="removed")
            for external_id in change.remove
            if external_id in removed
        ]
    return found


async def current_version(connection: Connection, retailer_id: str) -> int:
    """The retailer's newest version; 0 before anything was published. Raises UnknownRetailer."""
    version = await connection.fetchval(_SQL["version"], retailer_id)
    if version is None:
        raise UnknownRetailer(f"there is no retailer {retailer_id}")
    return int(version)


async def load_published(connection: Connection, retailer_id: str, version: int | None = None) -> Bodies:
    """Everything published as of `version` (None: the newest), by kind and external id.

    Every load of one version gives the same bodies in the same order. Raises UnknownRetailer.
    """
    if version is None:
        version = await current_version(connection, retailer_id)
    bodies: Bodies = {}
    cursor = await connection.cursor(_SQL["bodies_at"], retailer_id, version)
    while rows := await cursor.fetch(_ROWS_AT_ONCE):
        for kind, external_id, body in rows:
            bodies.setdefault(kind, {})[external_id] = body
    return bodies


async def load_changes(connection: Connection, retailer_id: str, since: int, version: int) -> Bodies:
    """What differs between version `since` and the newer `version`, by kind and external id.

    As published by the newer one; None for what is gone. In time that depends on the changes alone.
    """
    changes: Bodies = {}
    cursor = await connection.cursor(_SQL["changes"], retailer_id, since, version)
    while rows := await cursor.fetch(_ROWS_AT_ONCE):
        for kind, external_id, body in rows:
            changes.setdefault(kind, {})[external_id] = body
    return changes


async def changed_ids(
    connection: Connection, retailer_id: str, kind: Kind, versions: tuple[int, int], *, most: int
) -> set[str]:
    """The external ids of what differs in one kind between a version and a newer one: so many at most."""
    rows = await connection.fetch(_SQL["changed_ids"], retailer_id, kind, *versions, most)
    return {row["external_id"] for row in rows}


async def changed_among(
    connection: Connection,
    retailer_id: str,
    kind: Kind,
    versions: tuple[int, int],
    external_ids: Iterable[str],
) -> set[str]:
    """Those of some external ids of one kind under which something differs."""
    rows = await connection.fetch(_SQL["changed_among"], retailer_id, kind, *versions, list(external_ids))
    return {row["external_id"] for row in rows}


async def settings_at(connection: Connection, retailer_id: str, version: int) -> dict[str, Any]:
    """The retailer's settings as of a version; what they do not name has its default."""
    body = await connection.fetchval(_SQL["body_at"], retailer_id, "settings", SETTINGS_ID, version)
    return dict(body or {})


async def published_ids(
    connection: Connection, retailer_id: str, kind: Kind, external_ids: Iterable[str]
) -> set[str]:
    """Those of `external_ids` that are published now."""
    rows = await connection.fetch(_SQL["current_ids"], retailer_id, kind, list(external_ids))
    return {row["external_id"] for row in rows}


async def published_bodies(
    connection: Connection, retailer_id: str, kind: Kind, external_ids: Iterable[str]
) -> dict[str, Any]:
    """The bodies now published under those of `external_ids` that are."""
    rows = await connection.fetch(_SQL["current_bodies"], retailer_id, kind, list(external_ids))
    return {row["external_id"]: row["body"] for row in rows}


async def published_page(
    connection: Connection,
    retailer_id: str,
    kind: Kind,
    *,
    after: str,
    limit: int,
    stores: Iterable[str] | None = None,
) -> list[Any]:
    """Up to `limit` rows (`external_id`, `body`) published now, in order, beyond the id `after`.

    With `stores`: these stores, their geofences, and what is not of any store.
    """
    named = None if stores is None else list(stores)
    return await connection.fetch(_SQL["current_page"], retailer_id, kind, after, limit, named)


async def geofences_of(connection: Connection, retailer_id: str, store: str) -> list[str]:
    """The external ids of the geofences that belong to a store now."""
    rows = await connection.fetch(_SQL["current_geofences_of"], retailer_id, store)
    return [row["external_id"] for row in rows]


async def published_categories(connection: Connection, retailer_id: str) -> set[str]:
    """The categories of the products published now, as their bodies spell them."""
    rows = await connection.fetch(_SQL["current_categories"], retailer_id)
    return {row["category"] for row in rows}


async def publish_settings(connection: Connection, retailer_id: str, settings: Body) -> Published:
    """Changes the retailer's settings that `settings` names; the others stay. Raises UnknownRetailer."""
    # Locked before reading: two callers that change different settings must both be heard.
    await lock_publishing(connection, retailer_id)
    current = await current_settings(connection, retailer_id)
    return await publish(connection, retailer_id, "settings", {SETTINGS_ID: current | dict(settings)})


async def current_settings(connection: Connection, retailer_id: str) -> dict[str, Any]:
    """The retailer's settings as published; what they do not name has its default."""
    found = await published_bodies(connection, retailer_id, "settings", [SETTINGS_ID])
    return dict(found.get(SETTINGS_ID, {}))


def _parts(bodies: Mapping[str, Body]) -> Iterator[dict[str, Body]]:
    items = iter(bodies.items())
    while part := dict(islice(items, _ROWS_AT_ONCE)):
        yield part


def _columns(part: Mapping[str, Body]) -> tuple[list[str], list[str]]:
    return list(part), [msgspec.json.encode(body).decode() for body in part.values()]


def _rows(status: str) -> int:
    """How many rows a statement touched, by its command tag (`INSERT 0 5`)."""
    return int(status.rpartition(" ")[2])


def _difference(kind: Kind, external_id: str, body: Body, old: Mapping[str, Any]) -> Difference:
    if external_id not in old:
        return Difference(kind=kind, external_id=external_id, change="unchanged")
    if old[external_id] is None:
        return Difference(kind=kind, external_id=external_id, change="created")
    fields = tuple(_changed(old[external_id], body))
    return Difference(kind=kind, external_id=external_id, change="updated", fields=fields)


def _changed(old: Mapping[str, Any], new: Body, prefix: str = "") -> Iterator[str]:
    for field in sorted(old.keys() | new.keys()):
        before, after = old.get(field), new.get(field)
        if prefix == "" and isinstance(before, dict) and isinstance(after, Mapping):
            yield from _changed(before, after, f"{field}.")
        elif before != after:
            yield prefix + field
