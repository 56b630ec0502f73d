"""New shoppers, of whom the online head learns one outcome after the other: UCI coupon, five folds."""

from collections.abc import Iterator
from typing import Any

from bench._uci_online import figures


def run() -> Iterator[dict[str, Any]]:
    """AUC by how many outcomes of hers were known; calibration over all."""
    yield from figures()
