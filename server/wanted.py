"""Asked just before a push is sent: is the shopper still near, and does she still permit it?"""

from collections.abc import Mapping, Sequence

from notifications.outbox import PushRow
from offers.moment import STALE_AFTER_US
from server.clock import Clock
from server.db import Connection
from server.records import Kept, unpack_record
from server.relay import StillWanted
from server.sql import queries

SQL = queries("engine")


def still_wanted(clock: Clock) -> StillWanted:
    """The relay's question, answered from the shopper's newest state."""

    async def ask(connection: Connection, pushes: Sequence[PushRow]) -> Mapping[str, str]:
        ids = list({push.shopper_id for push in pushes})
        rows = await connection.fetch(SQL["load_records"], pushes[0].retailer_id, ids)
        records = {row["shopper_id"]: unpack_record(row["state"]) for row in rows}
        now_us = clock.now_us()
        reasons = {push.push_id: why_not(push, records.get(push.shopper_id), now_us) for push in pushes}
        return {push_id: reason for push_id, reason in reasons.items() if reason is not None}

    return ask


def why_not(push: PushRow, kept: Kept | None, now_us: int) -> str | None:
    """The reason for which a push is not to be sent, by its shopper's newest state; None: it is."""
    if kept is None or not all(kept.record.shopper.permits(p, now_us) for p in ("push", "nearby_offers")):
        return "no_consent"
    return None if push.store in kept.stores or _is_coming(push, kept, now_us) else "left"


def _is_coming(push: PushRow, kept: Kept, now_us: int) -> bool:
    """Whether the offer was made as she came near, just now: she need not be there yet."""
    contacts = kept.record.shopper.contacts
    made = next((one for one in contacts if one.decision_id == push.decision_id), None)
    return made is not None and made.ahead and now_us - made.at_us <= STALE_AFTER_US
