"""Examines fences by recorded traces, and looks for changes that would have done better on them."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import msgspec
from msgspec.structs import replace

from geo.fence import Fence
from geo.index import FenceSet
from geo.transition import Rules
from server.doctor.case import Case, Told
from server.doctor.findings import Finding, enough, findings_of, strangers
from server.doctor.ground import Ground
from server.doctor.outline import Outline
from server.doctor.overlaps import Overlap, Overlaps
from server.doctor.proposals import Candidate, candidates
from server.doctor.spread import Spread, spread_of
from server.doctor.visits import passages_of
from server.replay_traces import replay
from server.traces.columns import Trace

Mode = Literal["exact", "accurate"]

#: A change is proposed when so many visits are right that were wrong, and so large a share of the wrong ones.
LEAST_GAIN, GAIN_SHARE = 3, 0.2
#: So many visits are right with the change, and of those that were right before at least this share.
LEAST_SOUND, SOUND_SHARE = 3, 0.9

#: What goes on, how much of it is done, and how much it is in all.
Progress = Callable[[str, int, int], None]


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a fence, and what the same traces say of it then."""

    candidate: Candidate
    case: Case
    overlaps: tuple[Overlap, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the doctor has to say about one fence."""

    case: Case
    overlaps: tuple[Overlap, ...]
    findings: tuple[Finding, ...]
    spread: Spread
    proposal: Proposal | None = None


def examine(
    trace: Trace,
    fences: Sequence[Fence],
    rules: Rules,
    *,
    wanted: Sequence[Fence],
    progress: Progress,
    around_visitors: bool = True,
) -> list[Report]:
    """A report on each of the fences `wanted`, in their order. They are enabled ones of `fences`. Without
    `around_visitors` no outline is proposed that shows where visitors stood.

    They are judged in the mode of `rules`; the other mode is replayed for comparison.
    """
    enabled = [fence for fence in fences if fence.enabled]
    progress("looking for stops", 0, 1)
    ground = Ground.of(trace, enabled, rules)
    overlaps = Overlaps(enabled, [Outline.of(fence.shape) for fence in enabled])
    told = _told(trace, wanted, rules, progress, "judging")
    reports = []
    for done, fence in enumerate(wanted):
        progress("examining", done, len(wanted))
        reports.append(_report(ground, Case.of(ground, fence, told, rules.mode), overlaps))
    tried = [
        (place, candidate)
        for place, report in enumerate(reports)
        if enough(report.case.measures)
        for candidate in candidates(ground, report.case, report.findings)
        if around_visitors or candidate.change != "polygon"
    ]
    return _with_proposals(ground, reports, tried, overlaps, rules, progress)


def _report(ground: Ground, case: Case, overlaps: Overlaps) -> Report:
    found = overlaps.of(case.fence, case.outline)
    share = overlaps.share(case.outline, strangers(case.fence, found))
    findings = findings_of(case.fence, case.outline, case.measures, found, share)
    return Report(case=case, overlaps=found, findings=findings, spread=spread_of(ground, case))


def _told(trace: Trace, fences: Sequence[Fence], rules: Rules, progress: Progress, what: str) -> Told:
    """Replays the traces in both modes."""
    fence_set = FenceSet.build(fences)
    modes = get_args(Mode)
    told = {}
    for number, mode in enumerate(modes):
        before = number * len(trace)

        def advance(fixes: int, before: int = before) -> None:
            progress(what, before + fixes, len(modes) * len(trace))

        transitions = replay(trace, fence_set, replace(rules, mode=mode), on_fixes=advance)
        told[mode] = passages_of(trace, transitions)
    return told


def _with_proposals(  # noqa: PLR0917 - all that was found
    ground: Ground,
    reports: Sequence[Report],
    tried: Sequence[tuple[int, Candidate]],
    overlaps: Overlaps,
    rules: Rules,
    progress: Progress,
) -> list[Report]:
    """The reports, each with the change that does best on the traces, where one helps.

    All changes of all fences are replayed at once, each as a fence of its own: what a device does at one
    fence does not depend on others.
    """
    if not tried:
        return list(reports)
    stand_ins = [
        replace(candidate.fence, external_id=str(number)) for number, (_, candidate) in enumerate(tried)
    ]
    told = _told(ground.trace, stand_ins, rules, progress, "trying changes")
    best: dict[int, Proposal] = {}
    for number, (place, candidate) in enumerate(tried):
        progress("comparing changes", number, len(tried))
        report = reports[place]
        case = Case.of(ground, stand_ins[number], told, rules.mode, at=report.case.at)
        case = replace(case, fence=candidate.fence)
        proposal = Proposal(
            candidate=candidate, case=case, overlaps=overlaps.of(candidate.fence, case.outline)
        )
        if _helps(report, proposal) and _is_better(proposal, best.get(place)):
            best[place] = proposal
    return [replace(report, proposal=best.get(place)) for place, report in enumerate(reports)]


def _helps(report: Report, proposal: Proposal) -> bool:
    """Whether a change is worth proposing: clearly fewer visits wrong, by what it is for, and none lost."""
    before, after = report.case.measures, proposal.case.measures
    gain = before.wrong - after.wrong
    meant = sum(getattr(before, name) - getattr(after, name) for name in proposal.candidate.against)
    return (
        min(gain, meant) >= LEAST_GAIN
        and gain >= GAIN_SHARE * before.wrong
        and after.missed_visits <= before.missed_visits
        and after.sound >= max(LEAST_SOUND, SOUND_SHARE * before.sound)
        and not _new_strangers(report, proposal)
    )


def _new_strangers(report: Report, proposal: Proposal) -> set[str]:
    """Fences of other stores that the fence overlaps only as proposed."""
    fence = report.case.fence
    known = {overlap.fence for overlap in report.overlaps}
    return {overlap.fence for overlap in strangers(fence, proposal.overlaps)} - known


def _is_better(proposal: Proposal, best: Proposal | None) -> bool:
    """Of changes that leave equally many wrong the first is taken: the smaller one."""
    return best is None or proposal.case.measures.wrong < best.case.measures.wrong
