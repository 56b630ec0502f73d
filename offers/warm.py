"""`python -m offers.warm`: compiles what is to be (`geo.compiled`) before a decision waits for it."""

import numpy as np

from geo.compiled import note_kept
from offers.learn.arms import Scene, arms_of
from offers.learn.learner import Learner
from offers.learn.minimise import minimised
from offers.learn.objective import total


def warm() -> float:
    """Judges a moment; the score of the best arm."""
    arms = arms_of(["reminder", "offer"], ["store"] * 2, ["shoes"] * 2, depth=np.array([0.0, 0.2]))
    judged = Learner().decide(Scene(moment_id="mom", shopper="shp", hour=12.0), arms)
    left = minimised(arms, judged.worth.score, np.ones(2, dtype=np.bool_))
    return max(total(judged.worth.terms(index), 1.0) for index in np.flatnonzero(left).tolist())


if __name__ == "__main__":
    warm()
    note_kept("offers")
