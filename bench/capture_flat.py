"""The same as `capture` with no sign believed of any feature: only rates, and what a message does."""

from collections.abc import Iterator
from typing import Any

from bench._capture import WORLDS, flat, told
from bench._learning import side_by_side


def run() -> Iterator[dict[str, Any]]:
    """The mean over the worlds, and each world."""
    yield from told(side_by_side(flat, range(WORLDS)))
