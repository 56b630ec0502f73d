"""The reports as one page for a browser. It loads nothing, runs nothing, and shows no position of a phone."""

from collections.abc import Sequence
from html import escape

from server.doctor.examine import Report
from server.doctor.findings import REMEDIES
from server.doctor.overlaps import How, Overlap
from server.doctor.plots import accuracies, distances, outlines, troubles
from server.doctor.report import by_need, effects, size
from server.doctor.words import duration, metres, percent

#: As many fences get plots; all are in the table.
SHOWN = 200
#: As many overlaps of a fence are listed, the largest first.
OVERLAPS_SHOWN = 12
_HOW: dict[How, str] = {
    "nested": "holds this one",
    "holds": "within this one",
    "same": "the same",
    "crosses": "in part",
}

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --dim: #5c6675; --paper: #fff; --line: #d7dce3;
  --before: #5b7fb4; --after: #2f9e62; --other: #c3cedd; --mark: #c2452d; --warn: #96600a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --dim: #9aa5b5; --paper: #14181f;
  --line: #333c49; --before: #7ba0d8; --after: #4cc287; --other: #46536a; --mark: #ef7a62;
  --warn: #e2b04a; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1460px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .4rem; border-top: 1px solid var(--line); padding-top: 1rem; }
h2 small { font-weight: normal; color: var(--dim); }
a { color: inherit; }
.scroll { overflow: auto; max-height: 70vh; border-block: 1px solid var(--line); }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .5rem; text-align: right; white-space: nowrap; }
tr { border-bottom: 1px solid var(--line); }
th { white-space: normal; vertical-align: bottom; color: var(--dim); font-weight: 600;
  position: sticky; top: 0; background: var(--paper); }
th:first-child, td:first-child, td:last-child, th:last-child { text-align: left; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1rem; margin: .5rem 0; }
dt { font-family: ui-monospace, monospace; font-size: .9em; color: var(--warn); }
dt.plain { color: var(--dim); }
dt.proposal, b.proposal { color: var(--after); }
dd { margin: 0; max-width: 60rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 1rem; }
svg { width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--dim); }
svg .title { font-weight: 600; fill: var(--ink); font-size: 12px; }
.before { fill: var(--before); } .after { fill: var(--after); } .other { fill: var(--other); }
.axis { stroke: var(--dim); fill: none; } .mark { stroke: var(--mark); stroke-width: 1.5; fill: none; }
.outline-before { fill: var(--before); fill-opacity: .25; stroke: var(--before); stroke-width: 1.5; }
.outline-after { fill: none; stroke: var(--after); stroke-width: 2; stroke-dasharray: 5 3; }
.key span { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 0; }
.key { display: flex; flex-wrap: wrap; gap: .3em 1.5em; } .key b { font-weight: normal; }
"""

_COLUMNS = (
    "geofence",
    "size",
    "devices",
    "fixes",
    "accuracy",
    "unsure",
    "visits",
    "length",
    "dwelled",
    "to dwell",
    "missed",
    "false",
    "again",
    "passing",
    "cut short",
    "driven",
    "only exact",
    "only accurate",
    "findings",
)

_WORDS = {
    "devices, fixes": "those in the geofence or within 100 m of it.",
    "accuracy": "median of what these fixes state.",
    "unsure": "share of these fixes that are nearer to the boundary than they are accurate.",
    "length": "median length of the visits that ended.",
    "to dwell": "median time from enter to dwell.",
    "missed": "stops of a minute or more, inside or outside by no more than the fixes are accurate, that "
    "made no visit.",
    "false": "visits that ended without a dwell, of whose fixes none lay deeper inside than it was accurate.",
    "again": "visits that began within 5 minutes of the same phone's exit.",
    "passing": "visits that dwelled without a stop, on a straight way through at 0.8 m/s or more.",
    "cut short": "visits with a stop inside that ended before they dwelled.",
    "driven": "visits on a straight way through at 5 m/s or more, and crossings between two fixes.",
    "only exact, only accurate": "visits that one mode has and the other has not.",
    "wrong in all": "visits that are any of these, and missed visits.",
}

_KEY = """<p class="key"><b><span style="background: var(--before)"></span>during visits, or as it is</b>
<b><span style="background: var(--other)"></span>at other times</b>
<b><span style="background: var(--after)"></span>with the proposal</b></p>"""


def page(reports: Sequence[Report], told: str) -> str:
    """One page of HTML; `told` says what was examined."""
    ordered = by_need(list(reports))
    rows = "".join(_row(number, report) for number, report in enumerate(ordered))
    words = "".join(f"<dt>{word}</dt><dd>{escape(meaning)}</dd>" for word, meaning in _WORDS.items())
    heads = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    remedies = "".join(f"<dt>{code}</dt><dd>{escape(remedy)}</dd>" for code, remedy in REMEDIES.items())
    sections = "".join(
        _section(number, report) for number, report in enumerate(ordered[:SHOWN]) if report.findings
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Geofences, examined</title>
<style>{_STYLE}</style>
<h1>Geofences, examined</h1>
<p>{escape(told)}</p>
<div class="scroll"><table><tr>{heads}</tr>{rows}</table></div>
{_KEY}
{sections}
<h2>What helps</h2>
<dl>{remedies}</dl>
<h2>What the words mean</h2>
<dl class="words">{words}</dl>
</html>
"""


def _row(number: int, report: Report) -> str:
    measures, fence = report.case.measures, report.case.fence
    codes = [finding.code for finding in report.findings] + ["proposal"] * (report.proposal is not None)
    cells = (
        size(report),
        f"{measures.devices}",
        f"{measures.fixes:,}",
        metres(measures.accuracy_m),
        percent(measures.unsure),
        f"{measures.visits}",
        duration(measures.visit_s),
        f"{measures.dwelled}",
        duration(measures.to_dwell_s),
        f"{measures.missed_visits}",
        f"{measures.false_enters}",
        f"{measures.re_enters}",
        f"{measures.dwells_in_passing}",
        f"{measures.cut_short}",
        f"{measures.drive_bys + measures.crossings}",
        f"{measures.only_exact}",
        f"{measures.only_accurate}",
        ", ".join(codes),
    )
    name = escape(fence.external_id)
    link = f'<a href="#fence-{number}">{name}</a>' if report.findings and number < SHOWN else name
    return f"<tr><td>{link}</td>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _section(number: int, report: Report) -> str:
    fence = report.case.fence
    words = [f"<dt>{finding.code}</dt><dd>{escape(finding.sentence)}</dd>" for finding in report.findings]
    if report.proposal is not None:
        changes = ", ".join(f"{name} {before} → {after}" for name, before, after in effects(report))
        told = f'<b class="proposal">{escape(report.proposal.candidate.told)}</b>: {changes}'
        words.append(f'<dt class="proposal">proposal</dt><dd>{told}</dd>')
    if report.overlaps:
        told = escape(_overlaps(report.overlaps))
        words.append(f'<dt class="plain">lies over</dt><dd>{told}</dd>')
    plots = ""
    if report.case.measures.devices:
        plots = distances(report) + accuracies(report) + troubles(report) + outlines(report)
    return (
        f'<h2 id="fence-{number}">{escape(fence.external_id)} <small>{escape(fence.name)}</small></h2>'
        f'<dl>{"".join(words)}</dl><div class="plots">{plots}</div>'
    )


def _overlaps(overlaps: Sequence[Overlap]) -> str:
    told = [f"{one.fence} ({percent(one.share)}, {_HOW[one.how]})" for one in overlaps[:OVERLAPS_SHOWN]]
    more = len(overlaps) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")
