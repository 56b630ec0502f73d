"""How many pings safe regions save: recorded phones, 60 stores of one retailer.

The stores are a seeded sample of the 5,232 places of `safe_region_5232`, each with a circle of 50 m.
"""

from collections.abc import Iterator
from typing import Any

from bench._phones import circles, figures, places, sample


def run() -> Iterator[dict[str, Any]]:
    """Runs all of it; takes about half a minute."""
    yield from figures("safe_region_60", circles(sample(places(), 60)))
