"""A decision's row as it is told: whole as a receipt, or in brief for lists and the live view."""

from typing import Any

import asyncpg

from server.clock import to_us
from server.wire import rfc3339

#: The stages of a push after its decision, each with the column of its end.
STAGES = (
    ("decided_to_journaled", "queued_at", "journaled_at"),
    ("journaled_to_claimed", "journaled_at", "claimed_at"),
    ("decided_to_claimed", "queued_at", "claimed_at"),
    ("claimed_to_accepted", "claimed_at", "accepted_at"),
)
#: Who it was about: nothing that people in the console are told.
_WHO = frozenset({"shopper", "device"})


def receipt_of(row: asyncpg.Record) -> dict[str, Any]:
    """The stored receipt, with when it was decided and how its push went on since."""
    receipt: dict[str, Any] = dict(row["receipt"])
    receipt |= {"device": row["device_id"], "decided_at": rfc3339(to_us(row["decided_at"]))}
    return receipt | _push_of(row, receipt)


def without_who(receipt: dict[str, Any]) -> dict[str, Any]:
    """The receipt as people see it: neither the shopper nor her device is named."""
    moment = {name: value for name, value in receipt["moment"].items() if name not in _WHO}
    return {name: value for name, value in receipt.items() if name not in _WHO} | {"moment": moment}


def brief_of(row: asyncpg.Record) -> dict[str, Any]:
    """A line about a moment: what, where, why, and how fast. Nothing of who."""
    receipt = row["receipt"]
    moment = receipt["moment"]
    brief = {
        "id": row["decision_id"],
        "decided_at": rfc3339(to_us(row["decided_at"])),
        "store": moment["store"],
        "geofence": moment["geofence"],
        "kind": moment["kind"],
        "trigger": moment["trigger"],
        "intent": moment["intent"],
        "outcome": receipt["outcome"],
        "offer": receipt.get("offer"),
        "reasons": receipt["reasons"],
        "timings_ms": receipt["timings_ms"],
        "push": None,
    }
    return brief | _push_of(row, receipt)


def _push_of(row: asyncpg.Record, receipt: dict[str, Any]) -> dict[str, Any]:
    if row["state"] is None:
        return {}
    timings = dict(receipt["timings_ms"])
    for name, start, end in STAGES:
        if row[start] is not None and row[end] is not None:
            timings[name] = (row[end] - row[start]).total_seconds() * 1000
    if row["accepted_at"] is not None:
        timings["received_to_accepted"] = (row["accepted_at"] - row["received_at"]).total_seconds() * 1000
    return {"push": {"state": row["state"], "reason": row["reason"]}, "timings_ms": timings}
