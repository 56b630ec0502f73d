"""A lane that waits for its next input ends when it is told to, whatever arrives at that moment."""

import asyncio

import pytest

from server.waiting import set_within

LONG_S = 60.0


async def yields(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


@pytest.mark.parametrize("timeout_s", [None, LONG_S])
@pytest.mark.parametrize("turns", range(5))
async def test_no_arrival_swallows_a_cancellation(timeout_s: float | None, turns: int) -> None:
    event, rounds = asyncio.Event(), 0

    async def lane() -> None:
        nonlocal rounds
        while True:
            await set_within(event, timeout_s)
            event.clear()
            rounds += 1

    running = asyncio.create_task(lane())
    await yields(3)
    event.set()
    await yields(turns)
    running.cancel()

    await asyncio.wait({running}, timeout=1.0)
    assert running.cancelled()
    assert rounds <= 1


async def test_an_arrival_is_not_waited_for_longer_than_asked() -> None:
    await set_within(asyncio.Event(), 0.01)


async def test_what_has_arrived_is_not_waited_for() -> None:
    event = asyncio.Event()
    event.set()
    async with asyncio.timeout(LONG_S / 2):
        await set_within(event, None)
