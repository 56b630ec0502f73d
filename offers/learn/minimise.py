"""The discount minimiser: the smallest discount that is believed to change as much, a reminder before any.

An arm gives way to a shallower one of the same store and category whose score is not lower by more than
`indifference`. What is shallower than the shopper's own minimum is not considered for her; a reminder
promises nothing, and so is below any minimum."""

import numpy as np

from geo.compiled import compiled
from offers.learn.arms import Arms, Mask, Places
from offers.learn.blr import Floats


def minimised(
    arms: Arms,
    score: Floats,
    allowed: Mask,
    *,
    minimum_depth: float = 0.0,
    indifference: float = 0.0,
) -> Mask:
    """Which arms are left of those `allowed`, shape (n,)."""
    depth = arms.column("depth")
    left = allowed & (depth >= minimum_depth)
    group = arms.store * len(arms.kinds) + arms.kind
    best = np.full(len(arms.stores) * len(arms.kinds), -np.inf)
    _give_way(np.argsort(depth, kind="stable"), group, score, indifference, best, left)
    return left


@compiled
def _give_way(  # noqa: PLR0917 - columns of the arms
    order: Places, group: Places, score: Floats, indifference: float, best: Floats, left: Mask
) -> None:
    """`best` becomes the best score of each group, `left` what is left; `order` has the shallowest first."""
    for arm in order:
        if left[arm]:
            left[arm] = score[arm] > best[group[arm]] + indifference
            best[group[arm]] = max(best[group[arm]], score[arm])
