"""The life of an offer from its draft to its end, and who has to agree to it. Pure.

    draft ──approve──> approved ──start──> live ──pause──> paused ──resume──> live
      ▲                                     └────────────────┴──end──> ended
      └── every change of what was approved

An approval is of the offer as it stands: of a hash of its body without its status.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

import msgspec

Status: TypeAlias = Literal["draft", "approved", "live", "paused", "ended"]
Action: TypeAlias = Literal["approve", "start", "pause", "resume", "end"]

STATUSES: tuple[str, ...] = get_args(Status)
ACTIONS: tuple[str, ...] = get_args(Action)
#: What an offer may be published as without anybody's approval, where approvals are asked for.
UNAPPROVED = frozenset({"draft", "ended"})

#: action -> the states from which it may be taken, and the state that it leads to.
MOVES: Mapping[str, tuple[frozenset[str], str]] = {
    "approve": (frozenset({"draft"}), "approved"),
    "start": (frozenset({"approved"}), "live"),
    "pause": (frozenset({"live"}), "paused"),
    "resume": (frozenset({"paused"}), "live"),
    "end": (frozenset({"draft", "approved", "live", "paused"}), "ended"),
}


def status_of(body: Mapping[str, Any]) -> str:
    """The status of a published body."""
    return str(body.get("status", "live"))


def with_status(body: Mapping[str, Any], status: str) -> dict[str, Any]:
    """The body with another status, in its normal form: a live one does not say so."""
    rest = {field: value for field, value in body.items() if field != "status"}
    return rest if status == "live" else {**rest, "status": status}


def body_hash(body: Mapping[str, Any]) -> bytes:
    """What an approval is of."""
    return hashlib.sha256(msgspec.json.encode(with_status(body, "live"), order="sorted")).digest()


def approvals_needed(audience: int, approval_above: int | None) -> int:
    """How many different people have to approve an offer that may reach so many shoppers."""
    return 2 if approval_above is not None and audience > approval_above else 1


def audience(body: Mapping[str, Any], shoppers: int) -> int:
    """How many shoppers an offer may reach: all, or as many as there are coupons."""
    issued = (body.get("budget") or {}).get("issued")
    return shoppers if issued is None else min(shoppers, int(issued))
