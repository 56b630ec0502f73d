"""The same as `capture` with nothing believed beforehand of any feature: rates alone."""

from collections.abc import Iterator
from typing import Any

from bench._learning import side_by_side
from bench.capture import WORLDS, flat, told, world


def run() -> Iterator[dict[str, Any]]:
    """The mean over the worlds, and each world."""
    yield from told(side_by_side(of_world, range(WORLDS)))


def of_world(seed: int) -> dict[str, dict[str, Any]]:
    return world(seed, {"capture_flat": flat})
