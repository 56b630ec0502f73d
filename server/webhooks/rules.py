"""The rules of webhooks, without I/O: types of events, secrets, and when a message is tried again.

The form is that of https://www.standardwebhooks.com: three headers, HMAC-SHA256 over id, time and body.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import msgspec

State: TypeAlias = Literal["pending", "delivered", "failed"]

#: Every type of event, as the triggers of the migration name them.
TYPES = (
    *(f"transition.{kind}" for kind in ("enter", "dwell", "exit", "pass_by")),
    *(f"decision.{outcome}" for outcome in ("offer", "silence")),
    *(
        f"push.{state}"
        for state in (*("sent", "expired", "withdrawn", "superseded"), *("failed", "inbox_only"))
    ),
    "coupon.redeemed",
    "coupon.reversed",
)

SECOND_US = 1_000_000
#: Messages are tried for so long after they were put into the queue.
LIFE_US = 24 * 3600 * SECOND_US
#: Seconds until the next try, after the first, second … failure; the last of them from then on.
WAITS_S = (5, 30, 120, 600, 1800, 3600, 7200, 14400)
#: A wait is longer by up to this share, so that what failed together does not come back together.
JITTER = 0.2
#: No wait that a receiver asks for is longer.
LONGEST_WAIT_S = 4 * 3600
#: A rotated secret signs beside its successor for so long.
OVERLAP_US = 24 * 3600 * SECOND_US

_GONE = 410
_OK = range(200, 300)


class Attempt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How one attempt ended."""

    status: int | None = None  #: of the answer; None: there was none
    reason: str | None = None  #: why there was none
    after_s: float | None = None  #: what the receiver's Retry-After asks for


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an attempt makes of a message."""

    state: State
    reason: str | None = None
    due_at_us: int | None = None  #: of a pending one: when it is tried again
    disables: bool = False  #: the receiver wants nothing any more


def expanded(wanted: Iterable[str]) -> list[str] | None:
    """The types that are wanted: by name, by group (`push.*`) or all (`*`). None where one is unknown."""
    found: set[str] = set()
    for pattern in wanted:
        group = pattern.removesuffix("*")
        named = [name for name in TYPES if name == pattern or (group != pattern and name.startswith(group))]
        if not named or (group != pattern and group and not group.endswith(".")):
            return None
        found.update(named)
    return [name for name in TYPES if name in found]


def secret_of(retailer_secret: bytes, endpoint_id: str, generation: int) -> str:
    """An endpoint's signing secret: 256 bits that follow from the retailer's, so that none is stored."""
    text = f"webhook {endpoint_id} {generation}".encode()
    key = hmac.digest(retailer_secret, text, hashlib.sha256)
    return "whsec_" + base64.b64encode(key).decode()


def verdict(message_id: str, attempts: int, queued_at_us: int, attempt: Attempt, *, now_us: int) -> Verdict:
    """What becomes of a message after its attempt number `attempts`."""
    if attempt.status in _OK:
        return Verdict(state="delivered")
    reason = attempt.reason or f"http_{attempt.status}"
    if attempt.status == _GONE:
        return Verdict(state="failed", reason=reason, disables=True)
    due_at_us = now_us + round(wait_s(message_id, attempts, attempt.after_s) * SECOND_US)
    if due_at_us >= queued_at_us + LIFE_US:
        return Verdict(state="failed", reason=reason)
    return Verdict(state="pending", reason=reason, due_at_us=due_at_us)


def wait_s(message_id: str, attempts: int, after_s: float | None) -> float:
    """Seconds until the next attempt; the jitter follows from the message and the attempt."""
    digest = hashlib.sha256(f"{message_id} {attempts}".encode()).digest()
    share = int.from_bytes(digest[:8]) / 2**64
    planned = _wait(WAITS_S, attempts) * (1 + JITTER * share)
    return planned if after_s is None else max(planned, min(after_s, LONGEST_WAIT_S))


def _wait(waits_s: Sequence[int], attempts: int) -> int:
    return waits_s[min(attempts, len(waits_s)) - 1]
