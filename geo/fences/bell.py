"""How probable it is that the true position lies in the fence in which a fix lies.

The true position is taken for normally distributed around the fix, alike in all directions. For a set that
contains the fix, the probability is the mean over all directions of 1 - exp(-ρ²/2σ²), ρ being the way to the
boundary in that direction: the bell's radius is Rayleigh distributed.

Over a disc that mean depends on two numbers only, so it is looked up in a table. Over an area it is taken
along the edges, where it is Owen's T (1956).
"""

import math

import numpy as np

from geo.compiled import compiled

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
        self.values = np.ascontiguousarray(1 - beyond).ravel()  #: row by row


DISC_TABLE = DiscTable()

#: Edges whose middle is further away than so many times their length are summed up by two nodes, the others,
#: and those longer than a sigma, by eight.
_FAR = 2.5
_TWO_NODES = 0.5 / math.sqrt(3)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_ON_EDGE = 2e-6  #: nearer to an edge than this, a fix counts as just inside of it
_LEAST = 1e-9  #: keeps divisors from zero


@compiled
def weight_beyond(x0: float, y0: float, x1: float, y1: float) -> float:
    """The weight of the unit bell at the origin beyond an edge; positive if the origin is on its left.

    At the distance h it is ∫ h·exp(-ρ²/2)/ρ² dt / 2π along the edge, ρ² being h² + t².
    """
    dx, dy, x, y = x1 - x0, y1 - y0, (x1 + x0) / 2, (y1 + y0) / 2
    length2 = dx * dx + dy * dy
    if length2 > 1 or x * x + y * y < _FAR * _FAR * length2:
        return _weight_near(x0, y0, x1, y1)
    dx *= _TWO_NODES
    dy *= _TWO_NODES
    falling = _falling((x - dx) ** 2 + (y - dy) ** 2) + _falling((x + dx) ** 2 + (y + dy) ** 2)
    return falling * (x0 * y1 - x1 * y0) * (0.25 / math.pi)


@compiled
def _falling(distance2: float) -> float:
    """exp(-ρ²/2)/ρ² of ρ²."""
    return math.exp(distance2 * -0.5) / max(distance2, _LEAST)


@compiled
def _weight_near(x0: float, y0: float, x1: float, y1: float) -> float:
    """The same for an edge that is near or long.

    It is what the edge's angle would hold if it reached out for ever, less what lies before the edge, whose
    integrand (1 - exp(-ρ²/2))/ρ² is smooth even at the origin. Further out than 5 sigma nothing is left.
    """
    dx, dy = x1 - x0, y1 - y0
    length = max(math.sqrt(dx * dx + dy * dy), _LEAST)
    height = (x0 * dy - y0 * dx) / length
    height = _ON_EDGE if abs(height) < _ON_EDGE else height
    begin = min(max((x0 * dx + y0 * dy) / length, -5.0), 5.0)
    end = min(max((x1 * dx + y1 * dy) / length, -5.0), 5.0)
    half, height2, inner = (end - begin) / 2, height * height, 0.0
    for node in range(len(_NODES)):
        along = (begin + end) / 2 + half * _NODES[node]
        distance2 = along * along + height2
        inner += (1 - math.exp(distance2 * -0.5)) / max(distance2, _LEAST) * _WEIGHTS[node]
    angle = math.atan2(height * (end - begin), height2 + begin * end)
    return (angle - height * half * inner) / (2 * math.pi)
