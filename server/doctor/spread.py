"""How the fixes near a fence spread: counts by distance and by accuracy, without a position."""

import msgspec
import numpy as np

from geo.distance import FloatArray
from server.doctor.case import Case
from server.doctor.ground import NEAR_M, Ground

#: Bins are so wide, the narrowest that make no more than `_MOST_BINS`.
_WIDTHS_M = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
_MOST_BINS = 30


class Histogram(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Counts in bins: bin i lies between edge i and edge i + 1."""

    edges_m: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]  #: one or more series, to be stacked


class Spread(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Two histograms of the fixes in a fence and within 100 m of it."""

    distance: Histogram  #: to the boundary, negative inside: fixes during visits, and the others
    accuracy: Histogram | None  #: of those that state it; what is beyond the last edge is in the last bin


def spread_of(ground: Ground, case: Case) -> Spread:
    """The spread of the fixes near a fence."""
    sight = case.sight
    during = np.zeros(len(sight.rows) + 1, np.int64)
    for visit in case.visits:
        rows = ground.rows_between(visit.device, visit.entered_at_us, visit.left_at_us)
        first, last = np.searchsorted(sight.rows, rows)
        during[first] += 1
        during[last] -= 1
    visiting = np.cumsum(during)[:-1] > 0
    edges_m = _edges_m(-case.outline.depth_m, NEAR_M)
    stated_m = ground.trace.accuracy_m[sight.rows]
    return Spread(
        distance=Histogram(
            edges_m=tuple(edges_m.tolist()),
            counts=tuple(_counts(sight.outside_m[which], edges_m) for which in (visiting, ~visiting)),
        ),
        accuracy=_accuracy(stated_m[~np.isnan(stated_m)], case.outline.depth_m),
    )


def _accuracy(stated_m: FloatArray, depth_m: float) -> Histogram | None:
    if not len(stated_m):
        return None
    edges_m = _edges_m(0.0, max(1.5 * depth_m, float(np.percentile(stated_m, 90))))
    counts = _counts(np.minimum(stated_m, edges_m[-1]), edges_m)
    return Histogram(edges_m=tuple(edges_m.tolist()), counts=(counts,))


def _edges_m(least_m: float, most_m: float) -> FloatArray:
    """Round edges from `least_m` or below to `most_m` or above, 0 among them."""
    width_m = next((width for width in _WIDTHS_M if (most_m - least_m) / width <= _MOST_BINS), _WIDTHS_M[-1])
    return np.arange(np.floor(least_m / width_m), np.ceil(most_m / width_m) + 1) * width_m


def _counts(values_m: FloatArray, edges_m: FloatArray) -> tuple[int, ...]:
    return tuple(np.histogram(values_m, edges_m)[0].tolist())
