"""Charts as SVG files that stand by themselves: bars side by side, and values with their intervals."""

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from pathlib import Path

import msgspec

from server.errors import BadUse

_STYLE = """
svg { color-scheme: light dark; --ink: #1d2430; --dim: #5c6675; --paper: #fff; --line: #d7dce3;
  --first: #5b7fb4; --second: #2f9e62; background: var(--paper); }
@media (prefers-color-scheme: dark) { svg { --ink: #e4e8ee; --dim: #9aa5b5; --paper: #14181f;
  --line: #333c49; --first: #7ba0d8; --second: #4cc287; } }
text { font: 12px system-ui, sans-serif; fill: var(--dim); }
.title { font-weight: 600; fill: var(--ink); font-size: 14px; }
.first { fill: var(--first); } .second { fill: var(--second); } .axis { stroke: var(--line); fill: none; }
.span { stroke: var(--first); stroke-width: 2; fill: none; } .zero { stroke: var(--ink); fill: none; }
"""
_LABEL, _BAR, _RIGHT, _ROW = 190, 330, 90, 24
_WIDTH = _LABEL + _BAR + _RIGHT


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one or two bars each."""

    title: str
    series: tuple[str, ...]  #: their names, one or two
    rows: Sequence[tuple[str, Sequence[float]]]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A value and the interval around it."""

    name: str
    value: float
    low: float
    high: float


def bars(*charts: Bars) -> str:
    """Charts of horizontal bars, one below the other."""
    parts, top = [], 0
    for chart in charts:
        inside = [_key(chart.series)] if len(chart.series) > 1 else []
        most = max((value for _, values in chart.rows for value in values), default=0) or 1
        for number, (name, values) in enumerate(chart.rows):
            inside.append(_row(44 + number * _ROW, name, values, most))
        height = 56 + len(chart.rows) * _ROW
        parts.append(f'<g transform="translate(0 {top})">{_title(chart.title)}{"".join(inside)}</g>')
        top += height
    return _picture(top, charts[0].title if charts else "", parts)


def spans(title: str, rows: Sequence[Span], unit: str) -> str:
    """Values with intervals on one axis, with a line at nothing where that is in sight."""
    low, high = min(row.low for row in rows), max(row.high for row in rows)
    low, high = min(low, 0.0), max(high, 0.0)
    step = _round((high - low) / 5 or 1.0)
    low, high = floor(low / step) * step, ceil(high / step) * step or step
    foot = 40 + len(rows) * _ROW

    def place(value: float) -> float:
        return _LABEL + _BAR * (value - low) / (high - low)

    parts = [_title(title)]
    count = round((high - low) / step)
    for number in range(count + 1):
        x, value = place(low + number * step), low + number * step
        kind = "zero" if abs(value) < step / 2 else "axis"
        parts.append(f'<path class="{kind}" d="M{x:.1f} 30V{foot}"/>')
        parts.append(f'<text x="{x:.1f}" y="{foot + 15}" text-anchor="middle">{value:.6g}</text>')
    for number, row in enumerate(rows):
        y = 44 + number * _ROW
        parts.append(f'<text x="{_LABEL - 8}" y="{y + 4}" text-anchor="end">{escape(row.name)}</text>')
        ends = f"M{place(row.low):.1f} {y}H{place(row.high):.1f}"
        parts.append(f'<path class="span" d="{ends}"/>')
        parts.append(f'<circle class="first" cx="{place(row.value):.1f}" cy="{y}" r="4"/>')
        parts.append(f'<text x="{_LABEL + _BAR + 8}" y="{y + 4}">{row.value:.4g}</text>')
    parts.append(f'<text x="{_LABEL + _BAR}" y="{foot + 32}" text-anchor="end">{escape(unit)}</text>')
    return _picture(foot + 44, title, parts)


def write(path: Path, svg: str) -> None:
    """Raises BadUse where it cannot be written."""
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise BadUse(f"{path}: it cannot be written ({error.strerror})") from error


def _row(y: int, name: str, values: Sequence[float], most: float) -> str:
    parts = [f'<text x="{_LABEL - 8}" y="{y + 4}" text-anchor="end">{escape(name)}</text>']
    high = 16 / len(values)
    for place, (value, style) in enumerate(zip(values, ("first", "second"), strict=False)):
        parts.append(
            f'<rect class="{style}" x="{_LABEL}" y="{y - 8 + place * high:.1f}" '
            f'width="{_BAR * value / most:.1f}" height="{high - 1:.1f}"/>'
        )
    told = " → ".join(f"{value:,.6g}" for value in values)
    longest = _BAR * max(values) / most
    parts.append(f'<text x="{_LABEL + longest + 6:.1f}" y="{y + 4}">{told}</text>')
    return "".join(parts)


def _key(series: Sequence[str]) -> str:
    parts, x = [], _LABEL
    for name, style in zip(series, ("first", "second"), strict=False):
        parts.append(f'<rect class="{style}" x="{x}" y="22" width="10" height="10"/>')
        parts.append(f'<text x="{x + 15}" y="31">{escape(name)}</text>')
        x += 90
    return "".join(parts)


def _title(text: str) -> str:
    return f'<text class="title" x="12" y="18">{escape(text)}</text>'


def _picture(height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'role="img" aria-label="{escape(title)}"><style>{_STYLE}</style>{"".join(parts)}</svg>\n'
    )


def _round(about: float) -> float:
    """1, 2 or 5 times a power of ten, not below."""
    power = 10.0 ** floor(log10(about))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= about)
