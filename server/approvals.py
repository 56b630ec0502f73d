"""Who has agreed to an offer as it stands, and what may not go live before somebody has."""

from collections.abc import Mapping
from typing import Any

from offers.lifecycle import UNAPPROVED, approvals_needed, audience, body_hash, status_of, with_status
from server.clock import from_us
from server.db import Connection
from server.publish import current_settings, published_bodies
from server.sql import queries

SQL = queries("lifecycle")


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


async def approve(
    connection: Connection, retailer_id: str, offer: str, body: Any, *, by: str, now_us: int
) -> dict[str, Any]:
    """Notes that somebody agrees to an offer as it stands: who do, how many have to, whom it may reach."""
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


async def approvals_of(connection: Connection, retailer_id: str, offer: str) -> list[dict[str, Any]] | None:
    """Who approved an offer, the oldest first, and whether it is still as it was then; None: no offer."""
    body = (await published_bodies(connection, retailer_id, "offer", [offer])).get(offer)
    if body is None:
        return None
    rows = await connection.fetch(SQL["approvals_of_offer"], retailer_id, offer)
    return [
        {"by": row["approver"], "at": row["at"], "as_it_stands": row["body_hash"] == body_hash(body)}
        for row in rows
    ]
