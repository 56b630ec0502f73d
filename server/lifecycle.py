"""Moves offers through their life: approvals by different people, start, pause, end, and the kill switch.

Whatever stops an offer is published like any change and counts for the next micro-batch; in the same
transaction its pushes that wait are withdrawn and those on phones taken back.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from offers.lifecycle import (
    MOVES,
    UNAPPROVED,
    approvals_needed,
    audience,
    body_hash,
    status_of,
    with_status,
)
from server.clock import from_us
from server.db import Connection
from server.outbox import recall
from server.publish import current_settings, lock_publishing, publish, publish_settings, published_bodies
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
    connection: Connection, retailer_id: str, offer: str, action: str, *, by: str, now_us: int
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
        told = await _approve(connection, retailer_id, offer, body, by=by, now_us=now_us)
        if len(told["approvals"]) < told["approvals_needed"]:
            return Moved(status=status, moved=False, **told)
    if status == "live":
        told |= await _silence(connection, retailer_id, offer, now_us)
    published = await publish(connection, retailer_id, "offer", {offer: with_status(body, wanted)})
    return Moved(status=wanted, moved=True, version=published.version, **told)


async def stop_all(connection: Connection, retailer_id: str, now_us: int) -> Moved:
    """The kill switch: no offer is made to anybody until the setting `speaking` is true again."""
    published = await publish_settings(connection, retailer_id, {"speaking": False})
    told = await _silence(connection, retailer_id, None, now_us)
    return Moved(status="stopped", moved=True, version=published.version, **told)


async def reset_unapproved(
    connection: Connection, retailer_id: str, bodies: Mapping[str, Any]
) -> dict[str, Any]:
    """Of offers about to be published, those that need an approval they have not: as drafts. The others are
    left out. Nothing where the retailer asks for no approvals.
    """
    if (await current_settings(connection, retailer_id)).get("approval_above") is None:
        return {}
    known = await published_bodies(connection, retailer_id, "offer", bodies)
    return {
        name: with_status(body, "draft")
        for name, body in bodies.items()
        if status_of(body) not in UNAPPROVED
        and (
            name not in known
            or body_hash(known[name]) != body_hash(body)
            or status_of(known[name]) != status_of(body)
        )
    }


async def history(connection: Connection, retailer_id: str, offer: str) -> Sequence[Any]:
    """Every version of an offer, the newest first, with who approved it as it was then."""
    rows = await connection.fetch(SQL["versions_of_offer"], retailer_id, offer)
    approvals = await connection.fetch(SQL["approvals_of_offer"], retailer_id, offer)
    return [
        {
            "version": row["version_from"],
            "ended_by": row["version_to"],
            "published_at": row["published_at"],
            "published_by": row["published_by"],
            "body": row["body"],
            "approvals": [
                {"by": one["approver"], "at": one["at"]}
                for one in approvals
                if one["body_hash"] == body_hash(row["body"])
            ],
        }
        for row in rows
    ]


async def _approve(
    connection: Connection, retailer_id: str, offer: str, body: Any, *, by: str, now_us: int
) -> dict[str, Any]:
    digest = body_hash(body)
    await connection.execute(SQL["add_approval"], retailer_id, offer, digest, by, from_us(now_us))
    rows = await connection.fetch(SQL["approvals"], retailer_id, offer, digest)
    shoppers = await connection.fetchval(SQL["count_shoppers"], retailer_id)
    above = (await current_settings(connection, retailer_id)).get("approval_above")
    reach = audience(body, shoppers)
    return {
        "approvals": tuple(row["approver"] for row in rows),
        "approvals_needed": approvals_needed(reach, above),
        "audience": reach,
    }


async def _silence(
    connection: Connection, retailer_id: str, offer: str | None, now_us: int
) -> dict[str, Any]:
    """What waits is withdrawn, what is on phones taken back: of one offer, or of all."""
    withdrawn = await connection.fetch(SQL["withdraw_offer"], retailer_id, offer)
    shown = await connection.fetch(SQL["shown_of_offer"], retailer_id, offer, from_us(now_us))
    push_ids = [row["push_id"] for row in shown]
    recalled = await recall(connection, retailer_id, push_ids, now_us=now_us) if push_ids else []
    return {"withdrawn": len(withdrawn), "recalled": len(recalled)}
