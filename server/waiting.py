"""Waiting for an event, no longer than so long."""

import asyncio
from contextlib import suppress


async def set_within(event: asyncio.Event, timeout_s: float | None) -> None:
    """Returns when the event is set, or after so long. Unlike Python 3.11's `wait_for` it never swallows a
    cancellation that comes at the same moment: a loop that missed it would keep its server from stopping.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
