"""Puts the holdout under the caps of those who are spoken to, so that the two can be compared.

Somebody who has had her offers of the day has no more of them; a ghost is no offer, so somebody in the
holdout has ghosts all day long. Compared moment by moment, the holdout would be made more of those who come
often. So of each shopper only the moments count that would have been left her had every counted one been an
offer. For those spoken to that changes nothing but what was refused after it was chosen.
"""

import numpy as np
from numpy.typing import NDArray

DAY_US = 86_400_000_000


def within_caps(
    shopper: NDArray[np.int64], at_us: NDArray[np.int64], *, per_day: int, per_week: int
) -> NDArray[np.bool_]:
    """Which of the moments (in the order of time) count: at most so many a shopper in 24 hours and 7 days."""
    counted = np.zeros(len(shopper), dtype=np.bool_)
    recent: dict[int, list[int]] = {}
    for place, (who, now_us) in enumerate(zip(shopper.tolist(), at_us.tolist(), strict=True)):
        hers = [at for at in recent.get(who, ()) if at > now_us - 7 * DAY_US]
        today = sum(1 for at in hers if at > now_us - DAY_US)
        if len(hers) < per_week and today < per_day:
            counted[place] = True
            hers.append(now_us)
        recent[who] = hers
    return counted
