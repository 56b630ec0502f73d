"""Changes of a fence that may do better: other sizes, an outline around its visitors, another dwell time.

Which of them helps shows when the traces are replayed with each (`examine`).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import shapely
from msgspec.structs import replace

from geo.coordinates import MIN_AREA_M2
from geo.distance import FloatArray
from geo.fence import Circle, Fence
from geo.geojson import FenceRejected, feature_from_fence, fence_from_feature
from server.doctor.case import Case
from server.doctor.findings import DEPTH_PER_ACCURACY, Finding
from server.doctor.ground import Ground
from server.doctor.outline import Outline
from server.doctor.stops import COARSE_M
from server.doctor.visits import Spans, Visit

Change: TypeAlias = Literal["radius", "outline", "polygon", "dwell"]

#: Sizes that are tried: times the radius, or the depth of an area.
SMALLER, LARGER = (0.5, 0.65, 0.8), (1.25, 1.5, 2.0)
#: Radii are proposed in steps of this.
STEP_M = 5.0
#: An outline is drawn around visitors when so many visits of so many devices dwelled: fewer would show where
#: single people were.
LEAST_DWELLS, LEAST_DWELLERS = 5, 3
#: Of the fixes of these visits the farthest are left out; around the others is a margin as wide as they are
#: accurate, within limits, and wide enough for a polygon that an import takes.
KEPT_SHARE = 0.9
LEAST_MARGIN_M, MOST_MARGIN_M = 10.0, 30.0
LEAST_AREA_M2 = 1.01 * MIN_AREA_M2
#: Proposed dwell times are rounded up, or down, to this. None is longer than `MOST_DWELL_S`: who waits longer
#: for an offer is about to leave.
DWELL_STEP_S, MOST_DWELL_S = 30.0, 300.0

#: Findings that call for a smaller fence, a larger one or another dwell time, and the measures it may lower.
_TRY_SMALLER = frozenset({"false_enters", "flapping", "drive_bys", "dwells_in_passing"})
_TRY_LARGER = frozenset({"too_small", "false_enters", "flapping", "missed_visits"})
_TRY_DWELL = frozenset({"dwells_in_passing", "dwell_too_long"})
_SMALLER = frozenset({"false_enters", "re_enters", "drive_bys", "dwells_in_passing"})
_LARGER = frozenset({"false_enters", "re_enters", "missed_visits"})
_DWELL = frozenset({"dwells_in_passing", "cut_short"})


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A fence as it might be."""

    change: Change
    told: str  #: what is changed: `radius 50 → 75 m`
    against: frozenset[str]  #: the measures it is meant to lower
    fence: Fence


def candidates(ground: Ground, case: Case, findings: Sequence[Finding]) -> Iterator[Candidate]:
    """The changes worth trying, the smaller before the larger of a kind. None where nothing is wrong."""
    codes = {finding.code for finding in findings}
    if codes & _TRY_DWELL:
        yield from _dwells(case, codes)
    depths_m = _depths_m(case, codes)
    if depths_m:
        yield from filter(_is_possible, _sizes(case, depths_m))
        yield from filter(_is_possible, _around_visitors(ground, case))


def _is_possible(candidate: Candidate) -> bool:
    """Whether an import would take it."""
    try:
        fence_from_feature(feature_from_fence(candidate.fence))
    except FenceRejected:
        return False
    return True


def _depths_m(case: Case, codes: set[str]) -> list[float]:
    """How deep the fence may be made, the smallest change first."""
    depth_m, accuracy_m = case.outline.depth_m, case.measures.accuracy_m
    sizes = (SMALLER if codes & _TRY_SMALLER else ()) + (LARGER if codes & _TRY_LARGER else ())
    wanted_m = [size * depth_m for size in sizes]
    if "too_small" in codes and accuracy_m is not None:
        wanted_m.append(DEPTH_PER_ACCURACY * accuracy_m)
    rounded_m = {STEP_M * round(wanted / STEP_M) for wanted in wanted_m} - {0.0, depth_m}
    return sorted(rounded_m, key=lambda wanted: abs(math.log(wanted / depth_m)))


def _sizes(case: Case, depths_m: Sequence[float]) -> Iterator[Candidate]:
    fence = case.fence
    for depth_m in depths_m:
        if isinstance(fence.shape, Circle):
            yield _circle(fence, fence.shape, depth_m)
        else:
            yield from _moved(fence, case.outline, depth_m - case.outline.depth_m)


def _circle(fence: Fence, circle: Circle, radius_m: float) -> Candidate:
    return Candidate(
        change="radius",
        told=f"radius {circle.radius_m:g} → {radius_m:g} m",
        against=_SMALLER if radius_m < circle.radius_m else _LARGER,
        fence=replace(fence, shape=replace(circle, radius_m=radius_m)),
    )


def _moved(fence: Fence, outline: Outline, by_m: float) -> Iterator[Candidate]:
    shape = outline.shape.simplify(0.5).buffer(by_m, quad_segs=2)
    if shape.is_empty:
        return
    yield Candidate(
        change="outline",
        told=f"outline moved {abs(by_m):.0f} m {'outward' if by_m > 0 else 'inward'}",
        against=_SMALLER if by_m < 0 else _LARGER,
        fence=replace(fence, shape=outline.area_from(shape)),
    )


def _around_visitors(ground: Ground, case: Case) -> Iterator[Candidate]:
    dwelled = [visit for visit in case.visits if visit.dwelled]
    if len(dwelled) < LEAST_DWELLS or len({visit.device for visit in dwelled}) < LEAST_DWELLERS:
        return
    outline = case.outline
    at_m, accuracy_m = _stayed(ground, case, dwelled)
    if not len(at_m):  # they were all too coarse to draw by
        return
    off_m = np.hypot(*(at_m - np.median(at_m, axis=0)).T)
    kept = at_m[off_m <= np.percentile(off_m, 100 * KEPT_SHARE)]
    hull = shapely.multipoints(kept).convex_hull.simplify(2.0)
    margins_m = np.arange(min(max(accuracy_m, LEAST_MARGIN_M), MOST_MARGIN_M), MOST_MARGIN_M + 1)
    drawn = (hull.buffer(margin_m, quad_segs=2) for margin_m in margins_m.tolist())
    shape = next(shape for shape in drawn if shape.area >= LEAST_AREA_M2)
    yield Candidate(
        change="polygon",
        told=f"a polygon of {shape.area:,.0f} m² around where its visitors stayed, in place of "
        f"{'a circle' if outline.is_circle else 'one'} of {outline.area_m2:,.0f} m²",
        against=_SMALLER | _LARGER,
        fence=replace(case.fence, shape=outline.area_from(shape)),
    )


def _stayed(ground: Ground, case: Case, dwelled: Sequence[Visit]) -> tuple[FloatArray, float]:
    """Where the fixes of visits and the stops at a fence lie on its plane, and how accurate the fixes are."""
    trace, rows = ground.trace, case.sight.rows
    spans = Spans.of(dwelled)
    columns = (trace.device[rows], trace.fixed_at_us[rows], ground.accuracy_m[rows])
    steps = zip(*(column.tolist() for column in columns), strict=True)
    during = [spans.touch(device, at, at) and accuracy <= COARSE_M for device, at, accuracy in steps]
    fixes, stops = rows[during], case.at.place
    at_m = case.outline.metres(
        np.concatenate([trace.lat_deg[fixes], ground.stops.lat_deg[stops]]),
        np.concatenate([trace.lon_deg[fixes], ground.stops.lon_deg[stops]]),
    )
    return at_m, float(np.median(np.append(ground.accuracy_m[fixes], LEAST_MARGIN_M)))


def _dwells(case: Case, codes: set[str]) -> Iterator[Candidate]:
    """Longer than most take to pass through; shorter than most of those who stopped stayed."""
    pairs = list(zip(case.visits, case.judged, strict=True))
    wanted_s: list[float] = []
    if "dwells_in_passing" in codes:
        passing_s = [visit.lasts_s for visit, judged in pairs if judged.in_passing]
        wanted_s += [DWELL_STEP_S * math.ceil(np.percentile(passing_s, p) / DWELL_STEP_S) for p in (50, 90)]
    if "dwell_too_long" in codes:
        cut_s = [visit.lasts_s for visit, judged in pairs if judged.cut_short]
        wanted_s += [DWELL_STEP_S * math.floor(np.percentile(cut_s, p) / DWELL_STEP_S) for p in (50, 10)]
    for dwell_s in dict.fromkeys(min(wanted, MOST_DWELL_S) for wanted in wanted_s):
        if dwell_s > 0 and dwell_s != case.fence.dwell_s:
            yield Candidate(
                change="dwell",
                told=f"dwell after {case.fence.dwell_s:g} → {dwell_s:g} s",
                against=_DWELL,
                fence=replace(case.fence, dwell_s=float(dwell_s)),
            )
