"""Who publishes: kept with every body, and noted in the audit log in the same transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

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
    progress: Callable[[int], None] = lambda _: None,
) -> Published:
    """Publishes changes under the name of who made them; None: a server or a command."""
    await publishing_as(connection, author)
    published = await publish_all(connection, retailer_id, changes, progress=progress)
    changed = published.created + published.updated
    for change in changes:
        for action, names, count in (
            ("published", [*change.bodies], changed),
            ("removed", [*change.remove], published.removed),
        ):
            if names and count:
                subject = f"{change.kind} {names[0]}" + (f" and {len(names) - 1} more" if names[1:] else "")
                await noted(connection, retailer_id, author, action, subject, version=published.version)
    return published


async def publishing_as(connection: Connection, author: Author | None) -> None:
    """From here to the transaction's end, what is published is kept under the author's name."""
    if author is not None:
        await connection.execute("SELECT set_config('vicino.author', $1, true)", author.email)


async def noted(
    connection: Connection, retailer_id: str, author: Author | None, action: str, subject: str, **detail: Any
) -> None:
    """Notes in the audit log what a person did; what a server or a command does is in the server's log."""
    if author is not None:
        await audit.note(
            connection, retailer_id, author.at, actor=author.email, action=action, subject=subject, **detail
        )
