"""Moves offers through their life: approvals by different people, start, pause, end, and the kill switch.

Whatever stops an offer is published like any change and counts for the next micro-batch; in the same
transaction its pushes that wait are withdrawn and those on phones taken back.
"""

from typing import Any

import msgspec

from offers.lifecycle import MOVES, status_of, with_status
from server.approvals import approve
from server.clock import from_us
from server.db import Connection
from server.imports.author import Author, publish_as
from server.outbox import recall
from server.publish import SETTINGS_ID, Change, current_settings, lock_publishing, published_bodies
from server.sql import queries

SQL = queries("lifecycle")


class Moved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of an offer that was to move on."""

    status: str
    moved: bool  #: false: it stays where it was, since it lacks approvals, or may not go there from here
    approvals: tuple[str, ...] = ()  #: who has approved it as it stands
    approvals_needed: int = 0  #: how many have to
    audience: int = 0  #: shoppers whom it may reach
    withdrawn: int = 0  #: pushes that waited and will not be sent
    recalled: int = 0  #: pushes that are taken back from phones
    version: int = 0


async def move(
    connection: Connection,
    retailer_id: str,
    offer: str,
    action: str,
    *,
    by: str,
    author: Author | None,
    now_us: int,
) -> Moved | None:
    """Takes one step with an offer, in the connection's transaction; None where there is no such offer."""
    await lock_publishing(connection, retailer_id)
    body = (await published_bodies(connection, retailer_id, "offer", [offer])).get(offer)
    if body is None:
        return None
    origins, wanted = MOVES[action]
    status = status_of(body)
    if status not in origins:
        return Moved(status=status, moved=False)
    told: dict[str, Any] = {}
    if action == "approve":
        told = await approve(connection, retailer_id, offer, body, by=by, now_us=now_us)
        if len(told["approvals"]) < told["approvals_needed"]:
            return Moved(status=status, moved=False, **told)
    change = Change(kind="offer", bodies={offer: with_status(body, wanted)})
    published = await publish_as(connection, retailer_id, [change], author)
    if status == "live":
        told |= await silence(connection, retailer_id, offer, now_us)
    return Moved(status=wanted, moved=True, version=published.version, **told)


async def stop_all(connection: Connection, retailer_id: str, *, author: Author | None, now_us: int) -> Moved:
    """The kill switch: no offer is made to anybody until the setting `speaking` is true again."""
    await lock_publishing(connection, retailer_id)
    settings = await current_settings(connection, retailer_id) | {"speaking": False}
    change = Change(kind="settings", bodies={SETTINGS_ID: settings})
    published = await publish_as(connection, retailer_id, [change], author)
    told = await silence(connection, retailer_id, None, now_us)
    return Moved(status="stopped", moved=True, version=published.version, **told)


async def silence(connection: Connection, retailer_id: str, offer: str | None, now_us: int) -> dict[str, Any]:
    """What waits is withdrawn, what is on phones taken back: of one offer, or of all.

    Batches go on by what was published before until the next world is made: ask once more when it counts.
    """
    withdrawn = await connection.fetch(SQL["withdraw_offer"], retailer_id, offer)
    shown = await connection.fetch(SQL["shown_of_offer"], retailer_id, offer, from_us(now_us))
    push_ids = [row["push_id"] for row in shown]
    recalled = await recall(connection, retailer_id, push_ids, now_us=now_us) if push_ids else []
    return {"withdrawn": len(withdrawn), "recalled": len(recalled)}
