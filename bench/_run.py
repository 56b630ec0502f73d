"""Runs an asynchronous measurement on uvloop."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import uvloop


def each(measure: Callable[[], AsyncIterator[dict[str, Any]]]) -> list[dict[str, Any]]:
    """All figures that it yields."""

    async def gather() -> list[dict[str, Any]]:
        return [figure async for figure in measure()]

    return uvloop.run(gather())
