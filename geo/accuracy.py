"""How probable it is that a device is inside a fence, given how accurate its fix is.

Phones report the radius that holds the true position with 68 %. The true position is taken for normally
distributed around the fix, alike in all directions: 68 % of such a bell lie within 1.5096 sigma.

For a set that contains the fix, the probability is the mean over all directions of 1 - exp(-ρ²/2σ²), ρ being
the way to the boundary in that direction: the bell's radius is Rayleigh distributed. Both functions below are
that mean: over the directions for a disc, along the edges for an area (there it is Owen's T, 1956).
"""

import math

import numpy as np

from geo.distance import FloatArray, IndexArray
from geo.edges import Edges, squared_distance

SIGMA_PER_ACCURACY = 1 / math.sqrt(-2 * math.log(1 - 0.68))  #: 1 / 1.5096
#: What lies further than this many sigma is left out: exp(-4.5²/2) is 0.00004.
REACH_SIGMA = 4.5

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
#: Directions and their weights: half a turn (a disc is symmetric), its quarters apart, for at the edge of a
#: disc the way to the boundary jumps between them.
_COS = np.cos(np.concatenate([_NODES + 1, _NODES + 3]) * np.pi / 4)
_SHARES = np.concatenate([_WEIGHTS, _WEIGHTS]) / 4


def probability_in_disc(off_centre_m: FloatArray, radius_m: FloatArray, sigma_m: FloatArray) -> FloatArray:
    """P(inside) for fixes inside discs, `off_centre_m` from the centre; within 0.002 of the exact value."""
    probability = np.ones_like(off_centre_m)
    doubtful = radius_m - off_centre_m < REACH_SIGMA * sigma_m
    off, radius, sigma = (
        np.minimum(off_centre_m, radius_m)[doubtful, None],
        radius_m[doubtful, None],
        sigma_m[doubtful, None],
    )
    to_boundary = np.sqrt(radius * radius - off * off * (1 - _COS * _COS)) - off * _COS
    probability[doubtful] = 1 - (np.exp(-0.5 * (to_boundary / sigma) ** 2) * _SHARES).sum(axis=1)
    return probability


def probability_in_area(
    edges: Edges, lat_deg: FloatArray, lon_deg: FloatArray, area: IndexArray, sigma_m: FloatArray
) -> FloatArray:
    """P(inside) for fixes inside areas: fix i lies in `area[i]`, holes and all."""
    if not len(area):
        return np.empty(0)
    begins, x0, y0, x1, y1 = edges.seen_from(lat_deg, lon_deg, area)
    fix = np.repeat(np.arange(len(area)), np.diff(begins))
    sigma = sigma_m[fix]
    close = squared_distance(x0, y0, x1, y1) < (REACH_SIGMA * sigma) ** 2
    x0, y0, x1, y1 = (ends[close] / sigma[close] for ends in (x0, y0, x1, y1))
    outside = np.bincount(fix[close], weights=_weight_beyond(x0, y0, x1, y1), minlength=len(area))
    return np.clip(1 - outside, 0.0, 1.0)


def _weight_beyond(x0: FloatArray, y0: FloatArray, x1: FloatArray, y1: FloatArray) -> FloatArray:
    """The weight of the unit bell at the origin beyond each segment, in the angle that the segment fills.

    Positive when the origin is on the segment's left. Coordinates are in sigma.
    """
    dx, dy = x1 - x0, y1 - y0
    length = np.hypot(dx, dy)
    length = np.where(length > 0, length, 1.0)
    height = (x0 * dy - y0 * dx) / length
    begin = np.arctan2((x0 * dx + y0 * dy) / length, np.abs(height))
    end = np.arctan2((x1 * dx + y1 * dy) / length, np.abs(height))
    half = (end - begin) / 2
    angle = (begin + end)[:, None] / 2 + half[:, None] * _NODES
    cos2 = np.maximum(np.cos(angle) ** 2, 1e-12)
    integral = (np.exp(-0.5 * height[:, None] ** 2 / cos2) * _WEIGHTS).sum(axis=1) * half
    return np.asarray(np.copysign(integral, height) / (2 * np.pi))


def probability_beyond(distance_m: float, sigma_m: float) -> float:
    """At most this probably is a fix `distance_m` outside a fence's boundary truly inside.

    The fence is taken for the whole half-plane beyond its nearest point. For a convex fence that is an upper
    bound, so that an exit is never told too early.
    """
    return 0.5 * math.erfc(distance_m / sigma_m / math.sqrt(2))
