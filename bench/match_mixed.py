"""The same as `match` with a fifth of the fences polygons of 12 to 500 corners, judged by accuracy."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from bench._town import SEED, circles, with_areas
from bench._walkers import compare


def run() -> Iterator[dict[str, Any]]:
    """Runs it; takes some half a minute."""
    random = np.random.default_rng(SEED)
    fences = with_areas(random, circles(random), 0.2, (12, 500))
    yield from compare("match_mixed", fences, "accurate", random)
