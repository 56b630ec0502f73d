"""Small plots of one report, as SVG that stands by itself in a page. None of them shows where a phone was."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import shapely

from server.doctor.examine import Report
from server.doctor.report import EFFECTS
from server.doctor.spread import Histogram

WIDTH, HEIGHT = 340, 190
#: What is left of the picture for the plot itself: the rest is for its title and labels.
_LEFT, _TOP, _RIGHT, _BOTTOM = 14, 26, 326, 150
_ROW = 17  #: height of a row of bars
_SERIES = ("before", "other")  #: styles of what is stacked, from below


def distances(report: Report) -> str:
    """Fixes by their distance to the boundary, those during visits below the others."""
    marks = [(0.0, "boundary")]
    return _histogram(
        "Fixes by distance to the boundary", report.spread.distance, marks, "m (inside is negative)"
    )


def accuracies(report: Report) -> str:
    """Fixes by accuracy, with how deep the fence is."""
    if report.spread.accuracy is None:
        return _picture(
            "Fixes by accuracy", f'<text x="{_LEFT}" y="{_TOP + 20}">No fix states its accuracy.</text>'
        )
    outline = report.case.outline
    marks = [(outline.depth_m, "radius" if outline.is_circle else "depth")]
    return _histogram("Fixes by accuracy", report.spread.accuracy, marks, "m (last bar: and more)")


def troubles(report: Report) -> str:
    """The measures that matter, and what they are with the proposal."""
    before = report.case.measures
    after = None if report.proposal is None else report.proposal.case.measures
    rows = [
        (words, getattr(before, name), None if after is None else getattr(after, name))
        for name, words in EFFECTS.items()
    ]
    most = max(max(old, new or 0) for _, old, new in rows) or 1
    parts = []
    for number, (words, old, new) in enumerate(rows):
        y = _TOP + 4 + number * _ROW
        parts.append(f'<text x="{_LEFT + 104}" y="{y + 10}" text-anchor="end">{words}</text>')
        bars = [(old, "before")] if new is None else [(old, "before"), (new, "after")]
        for place, (count, style) in enumerate(bars):
            high = 11 / len(bars)
            width = 150 * count / most
            parts.append(
                f'<rect class="{style}" x="{_LEFT + 110}" y="{y + place * high + 1:.1f}" '
                f'width="{width:.1f}" height="{high - 1:.1f}"/>'
            )
        told = f"{old}" if new is None or new == old else f"{old} → {new}"
        longest = 150 * max(old, new or 0) / most
        parts.append(f'<text x="{_LEFT + 114 + longest:.1f}" y="{y + 10}">{told}</text>')
    return _picture("As it is" if after is None else "Before and after", "".join(parts))


def outlines(report: Report) -> str:
    """The fence, and what is proposed instead of it."""
    outline = report.case.outline
    shapes = [(outline.shape, "outline-before")]
    if report.proposal is not None:
        other = report.proposal.case.outline
        shapes.append((other.seen_from(outline), "outline-after"))
    bounds = np.array([shape.bounds for shape, _ in shapes])
    west, south = bounds[:, :2].min(axis=0)
    east, north = bounds[:, 2:].max(axis=0)
    scale = min((_RIGHT - _LEFT) / (east - west), (_BOTTOM - _TOP) / (north - south))
    left = (_LEFT + _RIGHT - scale * (east - west)) / 2
    paths = [
        f'<path class="{style}" fill-rule="evenodd" d="{_path(shape, west, north, left, scale)}"/>'
        for shape, style in shapes
    ]
    return _picture("Outline, north up", "".join(paths) + _scale_bar(scale))


def _path(shape: shapely.Geometry, west: float, north: float, left: float, scale: float) -> str:
    rings = shapely.get_rings(shapely.get_parts(shape))
    return "".join("M" + "L".join(_corners(ring, west, north, left, scale)) + "Z" for ring in rings)


def _corners(ring: shapely.Geometry, west: float, north: float, left: float, scale: float) -> Iterator[str]:
    for x, y in shapely.get_coordinates(ring)[:-1]:
        yield f"{left + (x - west) * scale:.1f} {_TOP + (north - y) * scale:.1f}"


def _scale_bar(scale: float) -> str:
    """A bar of a round length, a fifth of the picture or somewhat more."""
    about_m = 60 / scale
    power = 10 ** math.floor(math.log10(about_m))
    length_m = next(power * step for step in (1, 2, 5, 10) if power * step >= about_m)
    y = HEIGHT - 22
    return (
        f'<path class="axis" d="M{_LEFT} {y - 4}V{y}H{_LEFT + length_m * scale:.1f}V{y - 4}"/>'
        f'<text x="{_LEFT}" y="{y + 14}">{length_m:g} m</text>'
    )


def _histogram(title: str, histogram: Histogram, marks: Sequence[tuple[float, str]], unit: str) -> str:
    edges = histogram.edges_m
    scale = (_RIGHT - _LEFT) / (edges[-1] - edges[0])
    most = max(sum(stack) for stack in zip(*histogram.counts, strict=True)) or 1
    parts = []
    for place, stack in enumerate(zip(*histogram.counts, strict=True)):
        x, width = _LEFT + (edges[place] - edges[0]) * scale, (edges[place + 1] - edges[place]) * scale
        foot = float(_BOTTOM)
        for count, style in zip(stack, _SERIES, strict=False):
            high = (_BOTTOM - _TOP - 14) * count / most
            foot -= high
            parts.append(
                f'<rect class="{style}" x="{x + 0.5:.1f}" y="{foot:.1f}" '
                f'width="{width - 1:.1f}" height="{high:.1f}"/>'
            )
    for value, words in marks:
        x = _LEFT + (value - edges[0]) * scale
        parts.append(f'<path class="mark" d="M{x:.1f} {_TOP + 10}V{_BOTTOM}"/>')
        parts.append(f'<text x="{x:.1f}" y="{_TOP + 6}" text-anchor="middle">{words}</text>')
    return _picture(title, "".join(parts) + _axis(edges, scale, unit))


def _axis(edges: Sequence[float], scale: float, unit: str) -> str:
    every = math.ceil(len(edges) / 6)
    labels = [edge for place, edge in enumerate(edges) if (round(edge / (edges[1] - edges[0]))) % every == 0]
    parts = [f'<path class="axis" d="M{_LEFT} {_BOTTOM}H{_RIGHT}"/>']
    for edge in labels:
        x = _LEFT + (edge - edges[0]) * scale
        parts.append(f'<text x="{x:.1f}" y="{_BOTTOM + 14}" text-anchor="middle">{edge:g}</text>')
    parts.append(f'<text x="{_RIGHT}" y="{_BOTTOM + 30}" text-anchor="end">{unit}</text>')
    return "".join(parts)


def _picture(title: str, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
        f'<text class="title" x="{_LEFT}" y="14">{title}</text>{content}</svg>'
    )
