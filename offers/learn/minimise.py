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
    left = np.asarray(allowed & (arms.depth >= minimum_depth))
    few = np.flatnonzero(left)
    if len(few) < 2:
        return left
    stores: dict[str, int] = {}
    if len(set(arms.stores)) > 1:
        store = np.array([stores.setdefault(arms.stores[index], len(stores)) for index in few.tolist()])
        group = store * len(arms.kinds) + arms.kind[few]
    else:
        group = arms.kind[few]
    order = np.lexsort((arms.depth[few], group))  # by group, the shallowest first, else as they were given
    few, group = few[order], group[order]
    # The best score until then within the group: by ranks, to which a group can be added without rounding.
    scores = np.sort(score[few])
    rank = np.searchsorted(scores, score[few])
    same = group[1:] == group[:-1]
    number = np.zeros(len(few), dtype=np.intp)
    np.cumsum(~same, out=number[1:])
    best = np.maximum.accumulate(rank + number * len(few))
    bar = scores[best[:-1] - number[:-1] * len(few)]
    left[few[1:][same & (score[few[1:]] <= bar + indifference)]] = False
    return left
