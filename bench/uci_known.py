"""The nightly model on shoppers whom it knows: UCI coupon, five folds of rows."""

from collections.abc import Iterator
from typing import Any

from bench._uci_folds import figures


def run() -> Iterator[dict[str, Any]]:
    """AUC beside the best other model."""
    yield from figures("uci_known", by_shopper=False)
