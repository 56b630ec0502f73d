"""How many pings safe regions save: recorded phones, a fence of 50 m around each of 5,232 places."""

from collections.abc import Iterator
from typing import Any

from bench._phones import circles, figures, places


def run() -> Iterator[dict[str, Any]]:
    """Runs all of it; takes about a minute."""
    yield from figures("safe_region_5232", circles(places()))
