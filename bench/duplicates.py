"""How many pushes a phone shows twice when a fifth of FCM's answers do not say what was done.

The outbox's rules, the messages as they are built, the stand-in's validation and its phones, without sockets
or a database, so that a hundred thousand moments take a minute; `tests/integration/test_relay.py` has a
hundred with both. Of the answers some are lost, or say 503, though the push was delivered; some say 500, and
it was not.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from bench._town import figure
from notifications.fcm_message import fcm_message
from notifications.outbox import TERMINAL, PushRow, push_of, settle
from notifications.push import Accepted, Ambiguous, Outcome, PushAddress, PushInvalid, RetryLater
from server.standin.faults import FaultPlan
from server.standin.phone import Delivery, Phone
from server.standin.validation import ValidMessage, validate

MOMENTS = 100_000
PLAN = {"delivered_unavailable": 0.1, "delivered_reset": 0.1, "internal": 0.05}
BEGAN_US = 1_800_000_000_000_000
LIFE_US = 900_000_000


def run() -> Iterator[dict[str, Any]]:
    """Yields the notifications beyond the first that phones showed, and the copies that reached them."""
    shown, copies, ended = shown_twice(MOMENTS)
    assert sum(ended.values()) == MOMENTS
    yield figure("duplicates", shown, f"shown twice in {MOMENTS} moments, 20 % ambiguous")
    yield figure("duplicates_sent", copies, "copies that reached a phone and were not shown")


def shown_twice(moments: int, *, at_most_once: bool = False) -> tuple[int, int, dict[str, int]]:
    """Duplicates that were shown, copies that arrived, and how many pushes ended in which state."""
    plan, requests = FaultPlan(PLAN, seed=7), 0  # type: ignore[arg-type]
    shown = copies = 0
    ended: dict[str, int] = {}
    for number in range(moments):
        row, now_us, phone = _push(number, at_most_once=at_most_once), BEGAN_US, Phone(f"phone-{number}")
        while True:
            requests += 1
            outcome = _take(row, phone, plan.next(requests), now_us)
            settlement = settle(row, outcome, now_us=now_us)
            if settlement.state in TERMINAL:
                break
            assert settlement.due_at_us is not None
            now_us = settlement.due_at_us
            row = msgspec.structs.replace(row, attempts=row.attempts + 1, fencing=row.fencing + 1)
        ended[settlement.state] = ended.get(settlement.state, 0) + 1
        shown += max(0, len(phone.appeared) - 1)
        copies += max(0, len(phone.accepted) - 1)
    return shown, copies, ended


def _take(row: PushRow, phone: Phone, fault: Any, now_us: int) -> Outcome:
    """What FCM does with a push, and what it says."""
    assert row.address is not None
    body = fcm_message(push_of(row, row.address), now_us=now_us)
    assert not isinstance(body, PushInvalid)
    message = validate(body)
    assert isinstance(message, ValidMessage), message
    if fault is None or fault.delivers:
        delivery = Delivery(
            message_name="m",
            accepted_at_us=now_us,
            expires_at_us=now_us + message.ttl_s * 1_000_000,
            title=message.title,
            body=message.body,
            data=message.data,
            tag=message.tag,
            collapse_key=message.collapse_key,
        )
        phone.accept(delivery)
    if fault is None:
        return Accepted(provider_id="m")
    if fault.kind == "delivered_reset":
        return Ambiguous(reason="connection_lost")
    return RetryLater(reason=fault.kind, maybe_sent=True)


def _push(number: int, *, at_most_once: bool) -> PushRow:
    name = f"{number:026}"
    return PushRow(
        retailer_id="ret_bench",
        push_id=f"psh_{name}",
        decision_id=f"dec_{name}",
        shopper_id=f"shp_{name}",
        device_id=f"dev_{name}",
        store="shop",
        item={"id": f"psh_{name}", "title": "15% off", "body": "at 40 m", "code": "7K3MQ9-0V2XWA-T5RBC4"},
        attempts=1,
        fencing=1,
        received_at_us=BEGAN_US,
        decided_at_us=BEGAN_US,
        claimed_at_us=BEGAN_US,
        leased_until_us=BEGAN_US + 30_000_000,
        expires_at_us=BEGAN_US + LIFE_US,
        address=PushAddress(kind="fcm_token", value=f"phone-{number}", platform="android"),
        at_most_once=at_most_once,
    )
