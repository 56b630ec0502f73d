"""What share of an oracle's gain the learning policy has in a simulated town, beside simpler policies.

Four towns of 20,000 moments (BENCH_SHORT: two of 4,000). Worlds 0 and 1 served for choosing priors;
2 and 3 were never looked at. The town and the policy were written by the same hands: docs/decisions.md."""

from collections.abc import Iterator
from typing import Any

from bench._capture import WORLDS, told, world
from bench._learning import side_by_side


def run() -> Iterator[dict[str, Any]]:
    """The mean over the worlds, and each world."""
    yield from told(side_by_side(world, range(WORLDS)))
