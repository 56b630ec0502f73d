"""The ways in which the stand-in FCM fails, drawn from a seed or ordered one by one."""

import hashlib
from collections import deque
from collections.abc import Mapping
from typing import Literal, get_args

from msgspec import Struct

FaultKind = Literal[
    "unregistered",  # 404: the app is gone
    "invalid_address",  # 400 with FcmError alone
    "bad_request",  # 400 with field violations
    "too_big",  # 400 "Android message is too big", FcmError alone
    "sender_id_mismatch",  # 403
    "quota_exceeded",  # 429
    "unavailable",  # 503
    "delivered_unavailable",  # 503, though delivered
    "internal",  # 500
    "third_party_auth_error",  # 401, of APNs
    "unauthenticated",  # 401, of the sender's token
    "permission_denied",  # 403, the account may not send
    "unspecified",  # 500 with UNSPECIFIED_ERROR
    "bad_gateway",  # 502 with a page instead of JSON
    "hang",  # no answer, not delivered
    "delivered_hang",  # no answer, though delivered
    "delivered_reset",  # the connection breaks, though delivered
]
FAULT_KINDS: frozenset[str] = frozenset(get_args(FaultKind))


class Fault(Struct, frozen=True, kw_only=True, gc=False):
    """One failure to come."""

    kind: FaultKind
    #: Sent as Retry-After, where the kind is one that may carry it.
    retry_after_s: int | None = None

    @property
    def delivers(self) -> bool:
        """Whether the push reaches the phone all the same."""
        return self.kind.startswith("delivered_")


class FaultPlan:
    """Decides for each request whether it fails, and how.

    Ordered faults come first, in their order. Else each kind has its share of the requests, drawn from the
    seed and the number of the request: the same plan and the same order of requests fail alike.
    """

    def __init__(self, shares: Mapping[FaultKind, float] | None = None, *, seed: int = 0) -> None:
        self._shares = dict(shares or {})
        self._seed = seed
        self._ordered: deque[Fault] = deque()
        unknown = set(self._shares) - FAULT_KINDS
        if unknown or any(share < 0 for share in self._shares.values()) or sum(self._shares.values()) > 1:
            raise ValueError(f"not a plan of faults: {self._shares}")

    def order(self, fault: Fault, *, times: int = 1) -> None:
        """Lets the next `times` requests fail by `fault`, after those already ordered."""
        self._ordered.extend([fault] * times)

    def next(self, request_number: int) -> Fault | None:
        """The fault of this request, or None: it is answered as FCM would."""
        if self._ordered:
            return self._ordered.popleft()
        draw = _draw(self._seed, request_number)
        for kind, share in self._shares.items():
            if draw < share:
                return Fault(kind=kind)
            draw -= share
        return None


def _draw(seed: int, number: int) -> float:
    return int.from_bytes(hashlib.sha256(f"{seed}.{number}".encode()).digest()[:8]) / 2**64
