"""Freeing much, so that nothing is held up: to free 50,000 bodies at once takes the interpreter 40 ms."""

import asyncio
from typing import Any

AT_ONCE = 1_000


async def let_go(things: dict[Any, Any]) -> None:
    """Empties a dict; others have their turn after every `AT_ONCE`."""
    while things:
        for _ in range(min(AT_ONCE, len(things))):
            things.popitem()
        await asyncio.sleep(0)
