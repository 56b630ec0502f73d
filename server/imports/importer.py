"""Imports a file or a request's body: read, judge, locate, check what is named, publish.

Each record stands by itself: the good ones are published, in one version, and each bad one is told with
its place, field, code and remedy.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from msgspec.structs import asdict, replace

from geo.fence import MAX_RADIUS_M, MIN_RADIUS_M
from server.approvals import reset_unapproved
from server.clock import from_us
from server.db import Connection, Database
from server.errors import BadUse
from server.imports.author import Author, publish_as
from server.imports.circles import circles_around
from server.imports.formats import named_format, plain_bytes
from server.imports.geocoding import Geocoder
from server.imports.inventory import shelved
from server.imports.judging import judged
from server.imports.kinds import judge, reader
from server.imports.locating import locate_stores
from server.imports.problem import WHOLE_FILE, Problem, problem_at
from server.imports.references import check_references
from server.imports.report import PUBLISHED_KIND, ImportKind, ImportReport
from server.imports.scope import check_scope
from server.imports.sensitive import without_sensitive
from server.imports.sieve import Sieve
from server.letting_go import let_go
from server.publish import Change, Difference, current_version, diff, lock_publishing

#: Called with what is being done (`reading`, `locating`, `publishing`), how much is done, and of how much.
Progress: TypeAlias = Callable[[str, int, int | None], None]


async def import_body(
    database: Database,
    retailer_id: str,
    kind: ImportKind,
    body: bytes,
    *,
    now_us: int,
    content_type: str = "",
    name: str = "",
    dry_run: bool = False,
    radius_m: float | None = None,
    geocoder: Geocoder | None = None,
    stores: frozenset[str] | None = None,
    author: Author | None = None,
    progress: Progress = lambda _what, _done, _total: None,
) -> ImportReport:
    """Imports `body`, whose format `content_type` or the file's `name` may state.

    With `radius_m`, each store also gets a circular geofence under its own id. With `stores`, geofences have
    to be of these: a store manager's; `author` is who publishes. A dry run writes nothing and reports the
    differences. Raises UnknownRetailer, BadUse (a radius out of range) and what `database` raises; what is
    wrong with the records is in the report.
    """
    if radius_m is not None and not (kind == "stores" and MIN_RADIUS_M <= radius_m <= MAX_RADIUS_M):
        raise BadUse(f"a radius is for stores, from {MIN_RADIUS_M:g} to {MAX_RADIUS_M:g} metres")
    async with database.transaction(retailer_id) as connection:
        await current_version(connection, retailer_id)
    data = plain_bytes(body)
    if isinstance(data, Problem):
        return ImportReport(kind=kind, dry_run=dry_run, problems=(data,))
    sieve = Sieve()
    form = named_format(name=name, content_type=content_type)
    records = reader(kind, data, form, today=from_us(now_us).date())
    async for verdicts in judged(records, partial(judge, kind)):
        sieve.take(verdicts)
        progress("reading", sieve.seen, None)
    if not sieve.seen:
        sieve.problems.append(problem_at(WHOLE_FILE, "no_records", "", "there is no record in it"))
    if kind == "stores":
        await locate_stores(database, retailer_id, sieve, geocoder, partial(progress, "locating"))
    count = len(sieve.accepted)
    progress("publishing", 0, count)
    async with database.transaction(retailer_id) as connection:
        # Locked before checking: no store may go between the check of a reference to it and the publication.
        await lock_publishing(connection, retailer_id)
        if stores is not None:
            await check_scope(connection, retailer_id, sieve, stores)
        report = await _publish(
            connection,
            retailer_id,
            kind,
            sieve,
            now_us=now_us,
            dry_run=dry_run,
            radius_m=radius_m,
            author=author,
            progress=lambda done: progress("publishing", done, count),
        )
    await let_go(sieve.accepted)
    return report


async def _publish(
    connection: Connection,
    retailer_id: str,
    kind: ImportKind,
    sieve: Sieve,
    *,
    now_us: int,
    dry_run: bool,
    radius_m: float | None,
    author: Author | None,
    progress: Callable[[int], None],
) -> ImportReport:
    await check_references(connection, retailer_id, kind, sieve, now_us)
    bodies = await asyncio.to_thread(lambda: {name: record.body for name, record in sieve.accepted.items()})
    if kind == "inventory":
        bodies = await shelved(connection, retailer_id, sieve)
    elif kind == "offers":
        bodies |= await _drafts(connection, retailer_id, sieve, bodies)
    changes = [Change(kind=PUBLISHED_KIND[kind], bodies=bodies)]
    if radius_m is not None:
        circles = await circles_around(connection, retailer_id, sieve, radius_m)
        kept = await without_sensitive(connection, retailer_id, sieve, circles, now_us)
        changes.append(Change(kind="geofence", bodies=kept))
    report = ImportReport(
        kind=kind,
        dry_run=dry_run,
        refused=sieve.refused,
        problems=tuple(sieve.problems),
        warnings=tuple(sieve.warnings),
    )
    if dry_run:
        found = await diff(connection, retailer_id, changes)
        version = await current_version(connection, retailer_id)
        return replace(report, version=version, differences=tuple(found), **_counts(found))
    published = await publish_as(connection, retailer_id, changes, author, progress=progress)
    return replace(report, **asdict(published))


async def _drafts(
    connection: Connection, retailer_id: str, sieve: Sieve, bodies: dict[str, Any]
) -> dict[str, Any]:
    """Where the retailer asks for approvals: what lacks one, as a draft, with a warning."""
    drafts = await reset_unapproved(connection, retailer_id, bodies)
    for name in drafts:
        detail = "it needs an approval, and was published as a draft"
        sieve.warnings.append(
            problem_at(sieve.accepted[name].place, "needs_approval", "status", detail, name)
        )
    return drafts


def _counts(differences: list[Difference]) -> dict[str, int]:
    changes = [difference.change for difference in differences]
    return {change: changes.count(change) for change in ("created", "updated", "unchanged")}
