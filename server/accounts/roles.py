"""Roles of people: kinds of callers, beside app, device, server and till. A route lists who may call it."""

from typing import Final, Literal, TypeAlias

Role: TypeAlias = Literal["admin", "manager", "marketer", "analyst", "privacy"]

#: What each may do, in words.
ROLES: Final[dict[str, str]] = {
    "admin": "everything but shoppers' records: stores, geofences, offers, settings, accounts",
    "manager": "geofences and what happens, of the stores listed",
    "marketer": "offers and what becomes of them; no geofences, no shoppers",
    "analyst": "reports in counts; nothing is changed",
    "privacy": "a shopper's record, with a reason, and the audit log; sensitive places",
}
