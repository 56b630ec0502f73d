"""How probable it is that a device is inside a fence, given how accurate its fix is.

Phones report the radius that holds the true position with 68 %. The true position is taken for normally
distributed around the fix, alike in all directions: 68 % of such a bell lie within 1.5096 sigma. Taken at
its word a phone's accuracy is wrong both ways: small radii are too small (of fixes that claim 3 m, 68 % are
within 7 m) and large ones too large (of those that claim 65 m, 68 % are within 35 m). `sigma_m` corrects
that.

For a fix inside a fence `geo.fences.bell` says how much of the bell lies inside; for one outside the fence is
taken for a half-plane here.
"""

import math
from functools import cache
from statistics import NormalDist

import numpy as np

from geo.compiled import compiled
from geo.distance import FloatArray

SIGMA_PER_ACCURACY = 1 / math.sqrt(-2 * math.log(1 - 0.68))  #: 1 / 1.5096, as phones mean it
#: The sigma of a fix as measured: this share of the accuracy that the phone tells, and never less than so
#: many metres. Fitted to fixes of phones carried beside a reference phone (docs/judgement.md).
SIGMA_SHARE, SIGMA_LEAST_M = 0.4, 4.0
#: What lies further than this many sigma is left out: exp(-4.5²/2) is 0.00004.
REACH_SIGMA = 4.5


def sigma_one_m(accuracy_m: float | None, unknown_m: float) -> float:
    """The spread of the true position around a fix, along each axis; None: taken for `unknown_m`."""
    known_m = SIGMA_SHARE * (unknown_m if accuracy_m is None else accuracy_m)
    return math.sqrt(known_m * known_m + SIGMA_LEAST_M * SIGMA_LEAST_M)


@compiled
def sigmas_m(accuracy_m: FloatArray, unknown_m: float, found: FloatArray) -> None:
    """The same for many, to the last bit, into `found`. Unknown accuracies are NaN."""
    for i in range(len(accuracy_m)):
        known_m = SIGMA_SHARE * (unknown_m if math.isnan(accuracy_m[i]) else accuracy_m[i])
        found[i] = math.sqrt(known_m * known_m + SIGMA_LEAST_M * SIGMA_LEAST_M)


def probability_beyond(distance_m: float, sigma_m: float) -> float:
    """At most this probably is a fix `distance_m` outside a fence's boundary truly inside.

    The fence is taken for the whole half-plane beyond its nearest point. For a convex fence that is an upper
    bound, so that an exit is never told too early.
    """
    return 0.5 * math.erfc(distance_m / sigma_m / math.sqrt(2))


#: The same for many, to the last bit.
probabilities_beyond = np.vectorize(probability_beyond, otypes=[np.float64])


@cache
def sigmas_beyond(probability: float) -> float:
    """How many sigma outside `probability_beyond` falls to a probability.

    Thresholds are compared as distances, which arrays do without an error function.
    """
    return -NormalDist().inv_cdf(probability)
