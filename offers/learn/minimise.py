"""The discount minimiser: the smallest discount that is believed to change as much, a reminder before any.

An arm gives way to a shallower one of the same store and category whose score is not lower by more than
`indifference`. What is shallower than the shopper's own minimum is not considered for her; a reminder
promises nothing, and so is below any minimum."""

import numpy as np
from numpy.typing import NDArray

from offers.learn.arms import Arms
from offers.learn.blr import Floats


def minimised(
    arms: Arms,
    score: Floats,
    allowed: NDArray[np.bool_],
    *,
    minimum_depth: float = 0.0,
    indifference: float = 0.0,
) -> NDArray[np.bool_]:
    """Which arms are left of those `allowed`, shape (n,)."""
    left = allowed & (arms.depth >= minimum_depth)
    groups: dict[tuple[str, str], list[int]] = {}
    for index in np.flatnonzero(left).tolist():
        groups.setdefault((arms.stores[index], arms.categories[index]), []).append(index)
    for group in groups.values():
        shallowest_first = sorted(group, key=lambda index: (arms.depth[index], arms.names[index]))
        bar = -np.inf
        for index in shallowest_first:
            if score[index] <= bar + indifference:
                left[index] = False
            bar = max(bar, float(score[index]))
    return left
