"""The nightly model on shoppers whom it never met: UCI coupon, five folds of respondents."""

from collections.abc import Iterator
from typing import Any

from bench._uci_folds import figures


def run() -> Iterator[dict[str, Any]]:
    """AUC beside the best other model."""
    yield from figures("uci_new", by_shopper=True)
