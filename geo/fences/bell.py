"""How probable it is that the true position lies in the fence in which a fix lies.

The true position is taken for normally distributed around the fix, alike in all directions. For a set that
contains the fix, the probability is the mean over all directions of 1 - exp(-ρ²/2σ²), ρ being the way to the
boundary in that direction: the bell's radius is Rayleigh distributed.

Over a disc that mean depends on two numbers only, so it is looked up in a table, which the engine's
arithmetic for one fix and that for thousands read alike. Over an area it is taken along the edges, where it
is Owen's T (1956).
"""

import math
from functools import reduce

import numpy as np

from geo.distance import FloatArray
from geo.fences.outlines import Edges, Singles

#: What lies further than this many sigma is left out: exp(-4²/2) is 0.0003.
REACH_SIGMA = 4.0


class DiscTable:
    """P(inside) for fixes inside discs, within 0.0005.

    Rows are equally spaced in σ/(σ + r), and a multiple of 5 so that one is where r is 4 σ. Columns are
    equally spaced in the way to the boundary, as a share of the furthest that matters: 4 σ, or r if less.
    """

    ROWS, COLUMNS = 120, 64

    def __init__(self) -> None:
        nodes, weights = np.polynomial.legendre.leggauss(24)
        # The directions of half a turn (a disc is symmetric), its quarters apart, for at the edge of a disc
        # the way to the boundary jumps between them.
        cosine = np.cos(np.concatenate([nodes + 1, nodes + 3]) * np.pi / 4)
        wide = np.clip(np.arange(self.ROWS + 1) / self.ROWS, 1e-6, 1 - 1e-6)[:, None, None]
        radius = 1 / wide - 1  # in σ
        gap = np.arange(self.COLUMNS + 1)[:, None] / self.COLUMNS * np.minimum(REACH_SIGMA, radius)
        off = radius - gap
        to_boundary = np.sqrt(radius**2 - off**2 * (1 - cosine**2)) - off * cosine
        beyond = (np.exp(-0.5 * to_boundary**2) * np.concatenate([weights, weights])).sum(axis=2) / 4
        self._values = np.ascontiguousarray(1 - beyond).ravel()
        self._list: list[float] = self._values.tolist()

    def probability(self, share: FloatArray, radius_m: FloatArray, sigma_m: FloatArray) -> FloatArray:
        """For fixes that lie `share` of the radius off the centre."""
        gap = (1.0 - share) * radius_m / sigma_m
        found = np.ones(len(gap))
        near = (gap < REACH_SIGMA).nonzero()[0]
        gap, radius_m, sigma_m = gap.take(near), radius_m.take(near), sigma_m.take(near)
        furthest = np.minimum(radius_m / sigma_m, REACH_SIGMA)
        column = np.minimum(np.maximum(gap / furthest, 0.0), 1.0) * self.COLUMNS
        row = sigma_m / (sigma_m + radius_m) * self.ROWS
        left = np.minimum(column.astype(np.int64), self.COLUMNS - 1)
        low = np.minimum(row.astype(np.int64), self.ROWS - 1)
        column -= left
        row -= low
        low *= self.COLUMNS + 1
        low += left
        values = self._values
        below = values[low] * (1.0 - column) + values[low + 1] * column
        low += self.COLUMNS + 1
        above = values[low] * (1.0 - column) + values[low + 1] * column
        found[near] = below * (1.0 - row) + above * row
        return found

    def probability_one(self, share: float, radius_m: float, sigma_m: float) -> float:
        """The same for one fix, to the last bit."""
        gap = (1.0 - share) * radius_m / sigma_m
        if not gap < REACH_SIGMA:
            return 1.0
        column = min(max(gap / min(radius_m / sigma_m, REACH_SIGMA), 0.0), 1.0) * self.COLUMNS
        row = sigma_m / (sigma_m + radius_m) * self.ROWS
        left, low = min(int(column), self.COLUMNS - 1), min(int(row), self.ROWS - 1)
        column -= left
        row -= low
        values, at = self._list, low * (self.COLUMNS + 1) + left
        below = values[at] * (1.0 - column) + values[at + 1] * column
        at += self.COLUMNS + 1
        above = values[at] * (1.0 - column) + values[at + 1] * column
        return below * (1.0 - row) + above * row


DISC_TABLE = DiscTable()

#: Edges whose middle is further away than so many times their length are summed up by two nodes, the others,
#: and those longer than a sigma, by eight.
_FAR = 2.5
_TWO_NODES = np.float32(0.5 / math.sqrt(3))
_NODES, _WEIGHTS = (values.astype(np.float32) for values in np.polynomial.legendre.leggauss(8))
_NODES, _WEIGHTS = _NODES[:, None], _WEIGHTS[:, None]
_ON_EDGE = np.float32(2e-6)  #: nearer to an edge than this, a fix counts as just inside of it
_LEAST = np.float32(1e-9)  #: keeps divisors from zero


def probability_in_areas(edges: Edges, fixes: int) -> FloatArray:
    """P(inside) for fixes inside areas, from all edges within 4 sigma of each, in sigma; within 0.001.

    Along an edge at the distance h, the weight beyond it is ∫ h·exp(-ρ²/2)/ρ² dt / 2π, ρ² being h² + t².
    """
    x0, y0, x1, y1 = edges.x[:-1], edges.y[:-1], edges.x[1:], edges.y[1:]
    dx, dy, x, y = x1 - x0, y1 - y0, x1 + x0, y1 + y0
    length2 = dx * dx + dy * dy
    close = x * x + y * y < np.float32(4 * _FAR * _FAR) * length2
    close |= length2 > 1
    close[edges.ends[:-1]] = False
    x *= np.float32(0.5)
    y *= np.float32(0.5)
    dx *= _TWO_NODES
    dy *= _TWO_NODES
    weight = _falling((x - dx) ** 2 + (y - dy) ** 2)
    weight += _falling((x + dx) ** 2 + (y + dy) ** 2)
    weight *= x0 * y1 - x1 * y0
    weight *= np.float32(0.25 / math.pi)
    near = np.flatnonzero(close)
    weight[near] = _weight_beyond(x0[near], y0[near], x1[near], y1[near])
    weight[edges.ends[:-1]] = 0.0
    outside = np.bincount(edges.point[:-1], weights=weight, minlength=fixes)
    return np.clip(1.0 - outside, 0.0, 1.0)


def _falling(distance2: Singles) -> Singles:
    """exp(-ρ²/2)/ρ² of ρ²."""
    falling = np.exp(distance2 * np.float32(-0.5))
    falling /= np.maximum(distance2, _LEAST)
    return np.asarray(falling)


def _weight_beyond(x0: Singles, y0: Singles, x1: Singles, y1: Singles) -> Singles:
    """The weight of the unit bell at the origin beyond each edge; positive if the origin is on its left.

    It is what the edge's angle would hold if it reached out for ever, less what lies before the edge, whose
    integrand (1 - exp(-ρ²/2))/ρ² is smooth even at the origin. Further out than 5 sigma nothing is left.
    """
    dx, dy = x1 - x0, y1 - y0
    length = np.maximum(np.sqrt(dx * dx + dy * dy), _LEAST)
    height = (x0 * dy - y0 * dx) / length
    height[np.abs(height) < _ON_EDGE] = _ON_EDGE
    begin = np.clip((x0 * dx + y0 * dy) / length, -5, 5)
    end = np.clip((x1 * dx + y1 * dy) / length, -5, 5)
    half = (end - begin) / 2
    along = (begin + end) / 2 + half * _NODES
    height2 = height * height
    distance2 = along * along
    distance2 += height2
    before = 1 - np.exp(distance2 * np.float32(-0.5))
    before /= np.maximum(distance2, _LEAST)
    before *= _WEIGHTS
    # Added up in this order, whether there is one edge or a thousand.
    inner = reduce(np.add, before)
    angle = np.arctan2(height * (end - begin), height2 + begin * end)
    return np.asarray((angle - height * half * inner) / np.float32(2 * math.pi))
