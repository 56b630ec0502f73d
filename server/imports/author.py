"""Who publishes: kept with every body, and noted in the audit log in the same transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from server.accounts import audit
from server.db import Connection
from server.publish import Change, Published, publish_all


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """A person of the console."""

    email: str
    at: datetime


async def publish_as(
    connection: Connection,
    retailer_id: str,
    changes: Sequence[Change],
    author: Author | None,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Published:
    """Publishes changes under the name of who made them; None: a server or a command."""
    if author is None:
        return await publish_all(connection, retailer_id, changes, progress=progress)
    await connection.execute("SELECT set_config('vicino.author', $1, true)", author.email)
    published = await publish_all(connection, retailer_id, changes, progress=progress)
    changed = published.created + published.updated
    for change in changes:
        for action, names, count in (
            ("published", [*change.bodies], changed),
            ("removed", [*change.remove], published.removed),
        ):
            if names and count:
                subject = f"{change.kind} {names[0]}" + (f" and {len(names) - 1} more" if names[1:] else "")
                await audit.note(
                    connection,
                    retailer_id,
                    author.at,
                    actor=author.email,
                    action=action,
                    subject=subject,
                    version=published.version,
                )
    return published
