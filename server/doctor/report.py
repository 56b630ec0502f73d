"""The report on a fence as programs read it, and the words that all its forms share."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from geo.fence import Circle, Fence
from geo.geojson import feature_from_fence
from geo.transition import Rules
from server.doctor.examine import Report
from server.doctor.findings import Finding
from server.doctor.measures import Measures
from server.doctor.overlaps import Overlap
from server.doctor.proposals import Change
from server.doctor.words import count, percent
from server.traces.columns import Trace

#: The measures that a change is meant to change, in plain words, in the order they are told.
EFFECTS: dict[str, str] = {
    "visits": "visits",
    "dwelled": "dwelled",
    "missed_visits": "missed visits",
    "false_enters": "false enters",
    "re_enters": "re-enters",
    "dwells_in_passing": "dwells in passing",
    "cut_short": "cut short",
    "drive_bys": "drive-bys",
    "wrong": "wrong in all",
}


class ProposalLine(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal as JSON."""

    change: Change
    told: str
    feature: dict[str, Any]  #: the fence with the change, as GeoJSON


class ReportLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of JSON. It holds no position of a phone."""

    fence: str
    store: str
    measures: Measures
    overlaps: tuple[Overlap, ...]
    findings: tuple[Finding, ...]
    proposal: ProposalLine | None
    effect: Measures | None  #: the measures with the proposal


def line(report: Report) -> bytes:
    """The JSON of one report, with its newline."""
    proposal, fence = report.proposal, report.case.fence
    shown = ReportLine(
        fence=fence.external_id,
        store=fence.store,
        measures=report.case.measures,
        overlaps=report.overlaps,
        findings=report.findings,
        proposal=None
        if proposal is None
        else ProposalLine(
            change=proposal.candidate.change,
            told=proposal.candidate.told,
            feature=feature_from_fence(proposal.candidate.fence),
        ),
        effect=None if proposal is None else proposal.case.measures,
    )
    return msgspec.json.encode(shown) + b"\n"


def heading(trace: Trace, reports: Sequence[Report], rules: Rules) -> str:
    """What was examined, by what."""
    what, by = count(len(reports), "geofence"), count(len(trace.devices), "device")
    told = f"{what}, judged in {rules.mode} mode by {count(len(trace), 'fix', 'fixes')} of {by}."
    unknown = np.isnan(trace.accuracy_m)
    if not unknown.any():
        return told
    which = "No fix states" if unknown.all() else f"{percent(unknown.mean())} of the fixes do not state"
    return f"{told} {which} an accuracy; {rules.default_accuracy_m:g} m is assumed."


def effects(report: Report) -> list[tuple[str, int, int]]:
    """What a report's proposal changes: in words, before, after. Empty without a proposal."""
    if report.proposal is None:
        return []
    before, after = report.case.measures, report.proposal.case.measures
    changes = [(words, getattr(before, name), getattr(after, name)) for name, words in EFFECTS.items()]
    return [(words, old, new) for words, old, new in changes if old != new]


def size(report: Report) -> str:
    """A circle's radius or an area's area."""
    shape = report.case.fence.shape
    if isinstance(shape, Circle):
        return f"{shape.radius_m:g} m"
    return f"{report.case.outline.area_m2:,.0f} m²"


def by_need(reports: list[Report]) -> list[Report]:
    """Reports in the order to read them: proposals first, then what else can be judged, the worst first."""

    def need(report: Report) -> tuple[bool, bool, int]:
        too_little = any(finding.code == "too_little" for finding in report.findings)
        return report.proposal is None, too_little, -report.case.measures.wrong

    return sorted(reports, key=need)


def proposed(fences: list[Fence], reports: list[Report]) -> bytes:
    """All fences as GeoJSON, those with a proposal as proposed: a file to import, or to examine again."""
    changed = {
        report.case.fence.external_id: report.proposal.candidate.fence
        for report in reports
        if report.proposal
    }
    features = [feature_from_fence(changed.get(fence.external_id, fence)) for fence in fences]
    return (
        msgspec.json.format(msgspec.json.encode({"type": "FeatureCollection", "features": features})) + b"\n"
    )
