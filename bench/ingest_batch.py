"""Requests of 50 fixes, as phones send that gather them: otherwise as `ingest_single`."""

from collections.abc import Iterator
from typing import Any

from bench._ingest import compared
from bench._run import each


def run() -> Iterator[dict[str, Any]]:
    """The rate in fixes, its ratio to the bare handler's, and the latencies at half of it."""
    yield from each(lambda: compared("ingest_batch", 50))
