"""Recorded traces sent to a server, as the phones that recorded them would have."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
import numpy as np

from server.clock import from_us
from server.replay_client import Client
from server.traces.columns import Trace

#: Most fixes in one ping.
BATCH_FIXES = 500


class Sent(msgspec.Struct, frozen=True, kw_only=True, tag="sent", tag_field="event"):
    """What became of one device's fixes."""

    device: str  #: its name in the trace
    device_id: str  #: its id on the server
    accepted: int
    rejected: dict[str, int]  #: how many, by reason code


class Received(msgspec.Struct, frozen=True, kw_only=True, tag="inbox", tag_field="event"):
    """One item of a device's inbox."""

    device: str
    item: dict[str, Any]  #: as the server gave it


async def send(
    trace: Trace,
    client: Client,
    *,
    shift_us: int,
    on_fixes: Callable[[int], None] = lambda _count: None,
) -> AsyncIterator[Sent | Received]:
    """Registers one device for each of the trace, posts its fixes `shift_us` later than recorded, by time.

    Gives what became of each device's fixes, then every device's inbox. Raises SendingFailed.
    """
    phones = []
    for index, name in enumerate(trace.devices):
        phone = await client.register()
        phones.append((name, phone))
        accepted = 0
        rejected: Counter[str] = Counter()
        for start, fixes in _batches(trace, index, shift_us):
            reply = await phone.ping(fixes)
            accepted += reply.accepted
            rejected.update(refusal.reason for refusal in reply.rejected)
            on_fixes(start + len(fixes))
        yield Sent(device=name, device_id=phone.device_id, accepted=accepted, rejected=dict(rejected))
    for name, phone in phones:
        for item in await phone.inbox():
            yield Received(device=name, item=item)


def _batches(trace: Trace, device: int, shift_us: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """The fixes of one device in pings, each with the place of its first fix in the trace."""
    first, end = trace.rows_of(device)
    for start in range(first, end, BATCH_FIXES):
        stop = min(start + BATCH_FIXES, end)
        yield start, [_fix(trace, row, shift_us) for row in range(start, stop)]


def _fix(trace: Trace, row: int, shift_us: int) -> dict[str, Any]:
    """One fix in the shape of `POST /v1/pings`."""
    fix: dict[str, Any] = {
        "lat": float(trace.lat_deg[row]),
        "lon": float(trace.lon_deg[row]),
        "fixed_at": from_us(int(trace.fixed_at_us[row]) + shift_us),
    }
    for name, column in (("accuracy_m", trace.accuracy_m), ("speed_mps", trace.speed_mps)):
        if not np.isnan(column[row]):
            fix[name] = float(column[row])
    return fix
