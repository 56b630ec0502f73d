"""Single-fix requests: authenticated, judged by 10,000 fences, durable (`synchronous_commit=on`), answered.

Against a bare aiohttp, uvloop and msgspec handler that decodes the same bodies, in the same run. The load
generator, both servers and PostgreSQL share the machine. Of 1,000 phones four fifths lie still, the others
walk at 1.4 m/s through a region of 100 km by 100 km; each has the time between two of its turns behind it.
"""

from collections.abc import Iterator
from typing import Any

from bench._ingest import compared
from bench._run import each


def run() -> Iterator[dict[str, Any]]:
    """The rate, its ratio to the bare handler's, and the latencies at half of it."""
    yield from each(lambda: compared("ingest_single", 1))
