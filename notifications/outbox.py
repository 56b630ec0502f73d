"""The life of a push in the outbox: its states, and what each outcome of an attempt leads to. Pure.

    pending ──claim──> leased ──Accepted──────────────────────> sent
       ▲                 ├── RetryLater, Ambiguous, Misconfigured ──> pending, or expired where too late
       └─────retry───────┤── AddressGone, InboxOnly ──────────> inbox_only
                         ├── PushInvalid ─────────────────────> failed
                         └── refused by the last check ───────> withdrawn, expired, inbox_only

A newer offer for the same device makes what waits for a retry `superseded`. Of a push that must go out at
most once, whatever may have been sent is `failed` instead of pending.

Every push ends: a retry that would fall past the offer's end is not made, and the offer ends.
"""

import hashlib
from collections.abc import Mapping
from typing import Literal, assert_never

from msgspec import Struct

from notifications.push import (
    Accepted,
    AddressGone,
    Ambiguous,
    InboxOnly,
    Misconfigured,
    Outcome,
    Push,
    PushAddress,
    PushInvalid,
    PushKind,
    RetryLater,
)

State = Literal["pending", "leased", "sent", "expired", "withdrawn", "superseded", "failed", "inbox_only"]

#: States that a push never leaves.
TERMINAL: frozenset[State] = frozenset({"sent", "expired", "withdrawn", "superseded", "failed", "inbox_only"})

#: The state that each outcome leads to; "pending" becomes "expired" where the retry would come too late.
NEXT_STATE: Mapping[type[Outcome], State] = {
    Accepted: "sent",
    AddressGone: "inbox_only",
    InboxOnly: "inbox_only",
    PushInvalid: "failed",
    RetryLater: "pending",
    Ambiguous: "pending",
    Misconfigured: "pending",
}

#: FCM: "first wait at least 10 s".
FIRST_WAIT_S = 10.0
#: The longest wait of our own choosing; an offer is over before a longer one is.
LONGEST_WAIT_S = 160.0
#: How long an operator's mistake is left alone before it is tried again.
MISCONFIGURED_WAIT_S = 60.0
#: A provider that says "retry after 0 s" is not hammered.
SHORTEST_WAIT_S = 1.0
#: Waits are stretched by up to this share, so that pushes refused together do not come back together.
JITTER = 0.5
#: A wait that the provider named is honoured in full and stretched less.
NAMED_JITTER = 0.1

#: The deadline ledger: what a push goes through, each stage to the beginning of the next.
STAGES = ("received_to_decided", "decided_to_journaled", "journaled_to_claimed", "claimed_to_accepted")

_MICROSECONDS = 1_000_000


class PushRow(Struct, frozen=True, kw_only=True):
    """A push as a relay claimed it from the outbox."""

    retailer_id: str
    push_id: str
    decision_id: str
    shopper_id: str
    device_id: str
    store: str
    item: dict[str, str]
    #: Claims so far, this one included.
    attempts: int
    #: Names this claim: a result counts only while the row still carries it.
    fencing: int
    received_at_us: int
    decided_at_us: int
    #: When the decision was in the journal; None for a push of a version that did not note it.
    journaled_at_us: int | None = None
    #: The first claim.
    claimed_at_us: int
    leased_until_us: int
    expires_at_us: int
    #: None: the device has told us no address, or it was forgotten.
    address: PushAddress | None
    kind: PushKind = "offer"
    #: Rather not sent than perhaps sent twice.
    at_most_once: bool = False
    #: Whether an earlier claim ran out without a result: it may have been sent.
    in_doubt: bool = False

    def __repr__(self) -> str:
        return f"PushRow(push_id={self.push_id!r}, attempts={self.attempts}, fencing={self.fencing})"


class Settlement(Struct, frozen=True, kw_only=True, gc=False):
    """What an attempt, or the check before it, made of a push."""

    state: State
    reason: str | None = None
    #: When it may be claimed again; set for "pending" alone.
    due_at_us: int | None = None
    accepted_at_us: int | None = None
    provider_id: str | None = None
    #: The address to delete, if it is still the device's.
    forget: PushAddress | None = None


def stages_s(row: PushRow, accepted_at_us: int) -> dict[str, float]:
    """How many seconds each stage of an accepted push took, from the fix to the provider's acceptance."""
    journaled_at_us = row.decided_at_us if row.journaled_at_us is None else row.journaled_at_us
    ends = (row.received_at_us, row.decided_at_us, journaled_at_us, row.claimed_at_us, accepted_at_us)
    spans = zip(STAGES, ends, ends[1:], strict=False)
    return {stage: (end - start) / _MICROSECONDS for stage, start, end in spans}


def push_of(row: PushRow, address: PushAddress) -> Push:
    """The push that `row` stands for. It collapses with itself alone: a copy, or its recall, replaces it."""
    return Push(
        push_id=row.push_id,
        item=row.item,
        address=address,
        expires_at_us=row.expires_at_us,
        collapse=row.item.get("recalls", row.push_id),
        kind=row.kind,
    )


def check(row: PushRow, refusals: Mapping[str, str], *, now_us: int, late_us: int) -> Settlement | None:
    """The last check before an attempt: why `row` must not be sent, or None where it may.

    `refusals` gives the reason for each push that is not wanted any more. A push is late when more than
    `late_us` after the fix it is claimed for the first time; a retry has the offer's whole life.
    """
    if now_us >= row.expires_at_us:
        return Settlement(state="expired", reason="expired")
    refusal = refusals.get(row.push_id) if row.kind == "offer" else None
    if refusal is not None:
        return Settlement(state="withdrawn", reason=refusal)
    if row.at_most_once and row.in_doubt:
        return Settlement(state="failed", reason="maybe_sent:lease_lost")
    if row.kind == "offer" and row.attempts == 1 and now_us - row.received_at_us > late_us:
        return Settlement(state="inbox_only", reason="late")
    if row.address is None:
        return Settlement(state="inbox_only", reason="no_address")
    return None


def settle(row: PushRow, outcome: Outcome, *, now_us: int) -> Settlement:
    """What `outcome` makes of the push; `now_us` is when the outcome was known."""
    state = NEXT_STATE[type(outcome)]
    match outcome:
        case Accepted():
            return Settlement(state=state, accepted_at_us=now_us, provider_id=outcome.provider_id)
        case AddressGone():
            return Settlement(state=state, reason=outcome.reason, forget=row.address)
        case InboxOnly() | PushInvalid():
            return Settlement(state=state, reason=outcome.reason)
        case Ambiguous() | RetryLater(maybe_sent=True) if row.at_most_once:
            return Settlement(state="failed", reason=f"maybe_sent:{outcome.reason}")
        case RetryLater() | Ambiguous() | Misconfigured():
            due_at_us = now_us + round(wait_s(row.push_id, row.attempts, outcome) * _MICROSECONDS)
            if due_at_us >= row.expires_at_us:
                return Settlement(state="expired", reason=outcome.reason)
            return Settlement(state=state, reason=outcome.reason, due_at_us=due_at_us)
        case _:
            assert_never(outcome)


def wait_s(push_id: str, attempt: int, outcome: RetryLater | Ambiguous | Misconfigured) -> float:
    """Seconds until attempt `attempt + 1`, by FCM's guidance for sending at scale.

    A wait that the provider named is honoured in full; else 10 s that double with each attempt. The jitter
    comes from the push and the attempt: the same failure always waits the same time.
    """
    if isinstance(outcome, RetryLater) and outcome.after_s is not None:
        return max(outcome.after_s, SHORTEST_WAIT_S) * (1 + NAMED_JITTER * _share(push_id, attempt))
    if isinstance(outcome, Misconfigured):
        return MISCONFIGURED_WAIT_S * (1 + JITTER * _share(push_id, attempt))
    doublings = min(attempt - 1, 16)
    return min(FIRST_WAIT_S * 2.0**doublings, LONGEST_WAIT_S) * (1 + JITTER * _share(push_id, attempt))


def _share(push_id: str, attempt: int) -> float:
    """A number from 0 to 1 that is always the same for a push and an attempt, and else evenly spread."""
    digest = hashlib.sha256(f"{push_id}.{attempt}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
