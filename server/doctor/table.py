"""The reports in a terminal: one table, and below it what was found and what would help."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from server.doctor.examine import Report
from server.doctor.findings import REMEDIES
from server.doctor.report import by_need, effects, size
from server.doctor.words import duration, metres, percent

#: As many fences as a person reads; more of them are in the JSON.
SHOWN = 100
#: Lines are as wide as this where they do not go to a terminal.
WIDTH = 120

_COLUMNS = (
    ("geofence", "left"),
    ("size", "right"),
    ("devices", "right"),
    ("visits", "right"),
    ("length", "right"),
    ("dwelled", "right"),
    ("missed", "right"),
    ("false", "right"),
    ("again", "right"),
    ("passing", "right"),
    ("driven", "right"),
    ("accuracy", "right"),
    ("unsure", "right"),
)

_KEY = (
    "length: median of the visits; missed: stops at it without a visit; false, again, passing, driven: "
    "visits that were perhaps never inside, began anew within 5 minutes, dwelled without a stop, at "
    "driving speed"
)


def show(reports: Sequence[Report], console: Console) -> None:
    """Prints reports, those with most to do first."""
    ordered = by_need(list(reports))
    console.print(_table(ordered[:SHOWN]))
    console.print(Padding(Text(_KEY, "dim"), (0, 0, 1, 1), expand=False))
    told = [report for report in ordered[:SHOWN] if report.findings]
    for report in told:
        console.print(_title(report))
        console.print(Padding(_details(report), (0, 0, 1, 2), expand=False))
    if told:
        console.print(Text("What helps", "bold"))
        console.print(Padding(_remedies(told), (0, 0, 1, 2), expand=False))
    if len(ordered) > SHOWN:
        console.print(f"… and {len(ordered) - SHOWN} more geofences; --json tells all.")


def _table(reports: Iterable[Report]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, side in _COLUMNS:
        table.add_column(name, justify="right" if side == "right" else "left", overflow="fold")
    for report in reports:
        table.add_row(_plain(report.case.fence.external_id), *_cells(report))
    return table


def _cells(report: Report) -> tuple[str, ...]:
    measures = report.case.measures
    return (
        size(report),
        f"{measures.devices}",
        f"{measures.visits}",
        duration(measures.visit_s),
        f"{measures.dwelled}",
        f"{measures.missed_visits}",
        f"{measures.false_enters}",
        f"{measures.re_enters}",
        f"{measures.dwells_in_passing}",
        f"{measures.drive_bys + measures.crossings}",
        metres(measures.accuracy_m),
        percent(measures.unsure),
    )


def _title(report: Report) -> Text:
    fence = report.case.fence
    name = f" {fence.name}" if fence.name else ""
    return _plain(fence.external_id, "bold") + _plain(name)


def _details(report: Report) -> RenderableType:
    grid = _grid()
    for finding in report.findings:
        grid.add_row(Text(finding.code, "yellow"), _plain(finding.sentence))
    if report.proposal is not None:
        changes = ", ".join(f"{words} {before} → {after}" for words, before, after in effects(report))
        told = Text(report.proposal.candidate.told, "bold green")
        grid.add_row(Text("proposal", "green"), told + Text(f": {changes}"))
    return grid


def _remedies(reports: Sequence[Report]) -> RenderableType:
    """Each remedy once."""
    remedies = {finding.code: finding.remedy for report in reports for finding in report.findings}
    grid = _grid()
    for code in REMEDIES:
        if code in remedies:
            grid.add_row(Text(code, "yellow"), remedies[code])
    return grid


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    return grid


def _plain(text: str, style: str = "") -> Text:
    """Without what a terminal would obey: the text is a stranger's."""
    return Text("".join(letter if letter.isprintable() else "�" for letter in text), style)
