"""What the measures of a fence mean: findings with a code, a sentence in plain words and a remedy."""

from collections.abc import Iterator, Sequence

import msgspec

from geo.fence import Fence
from server.doctor.ground import NEAR_M
from server.doctor.measures import Measures
from server.doctor.outline import Outline
from server.doctor.overlaps import Overlap
from server.doctor.words import count, percent

#: Fewer devices, or fewer passages (visits and missed visits), are too little to judge a fence by.
LEAST_DEVICES, LEAST_PASSAGES = 3, 5
#: A trouble is told when it befell so many, and so large a share, of those it could befall.
LEAST_TROUBLES, TROUBLE_SHARE = 3, 0.2
#: Drive-bys are common beside a street; they are told from this share on.
DRIVE_BY_SHARE = 0.5
#: Overlaps with other stores are told from this share of the fence's area on.
OVERLAP_SHARE = 0.2
#: A fence so many times as deep as its fixes are accurate holds 92 % of the bell around a fix at its middle.
DEPTH_PER_ACCURACY = 1.5

#: What helps against each finding, by its code.
REMEDIES: dict[str, str] = {
    "too_little": f"Give traces in which {LEAST_DEVICES} devices make {LEAST_PASSAGES} visits, or more.",
    "too_small": f"Make it {DEPTH_PER_ACCURACY:g} times as deep as the fixes are accurate, or have the app "
    "ask for the precise location.",
    "missed_visits": "Widen it to where these phones stood, unless they were next door.",
    "false_enters": "Move the boundary away from where people pass.",
    "flapping": "Draw the boundary where nobody stands, as far out as the fixes are inaccurate.",
    "dwells_in_passing": "Make `dwell_s` longer than the way through takes, or the fence smaller.",
    "sparse_fixes": "Have the app report more often near fences (`watch` is for that), or make `dwell_s` "
    "longer.",
    "dwell_too_long": "Make `dwell_s` shorter than people stay.",
    "drive_bys": "Keep the boundary off the road. Drive-bys make no offer, but they cost pings.",
    "overlaps": "Let each fence end where the other begins, or nest one in the other where the stores do.",
}

#: What each says, without numbers that could be about somebody; `too_little` is told by there being none.
IN_SHORT: dict[str, str] = {
    "too_small": "Phones near it are less accurate than it is wide: in its very middle one may seem outside.",
    "missed_visits": "People stop at it who make no visit.",
    "false_enters": "Many visits are of phones that were perhaps never in it.",
    "flapping": "One stay is often told as several visits.",
    "dwells_in_passing": "Many dwell who go straight through.",
    "sparse_fixes": "Phones report so seldom near it that one fix inside counts as a dwell.",
    "dwell_too_long": "Many who stop inside leave before the dwell.",
    "drive_bys": "Most pass through at driving speed.",
    "overlaps": "It shares much of its area with fences of other stores.",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing about a fence that its owner should know."""

    code: str
    sentence: str  #: what was found
    remedy: str  #: what to do about it


def findings_of(
    fence: Fence, outline: Outline, measures: Measures, overlaps: Sequence[Overlap], overlap_share: float
) -> tuple[Finding, ...]:
    """All findings about a fence. With too little data: that, and what its shape alone says."""
    found: list[Finding] = []
    if enough(measures):
        found += _too_small(outline, measures)
        found += _missed_visits(measures)
        found += _of_enters(measures)
        found += _of_dwells(fence, measures)
        found += _drive_bys(measures)
    else:
        found.append(_too_little(measures))
    found += _overlaps(fence, overlaps, overlap_share)
    return tuple(found)


def enough(measures: Measures) -> bool:
    """Whether a fence was seen often enough to be judged."""
    passages = measures.visits + measures.missed_visits
    return measures.devices >= LEAST_DEVICES and passages >= LEAST_PASSAGES


def strangers(fence: Fence, overlaps: Sequence[Overlap]) -> list[Overlap]:
    """The overlaps with other stores, without those of a shop within a mall."""
    return [one for one in overlaps if one.store != fence.store and one.how in {"crosses", "same"}]


def _finding(code: str, sentence: str) -> Finding:
    return Finding(code=code, sentence=sentence, remedy=REMEDIES[code])


def _is_told(count: int, of: int) -> bool:
    return count >= LEAST_TROUBLES and count >= TROUBLE_SHARE * of


def _too_little(measures: Measures) -> Finding:
    if not measures.devices:
        return _finding("too_little", f"No device came within {NEAR_M:.0f} m of it.")
    seen = [count(measures.visits, "visit")]
    seen += [count(measures.missed_visits, "missed visit")] if measures.missed_visits else []
    devices, nearby = count(measures.devices, "device"), count(measures.stops_nearby, "stop")
    sentence = f"Seen by {devices} in {' and '.join(seen)}: too little to judge."
    if measures.stops_nearby >= LEAST_PASSAGES:
        sentence += f" {nearby} within {NEAR_M:.0f} m of it lie in no geofence: is it in the right place?"
    return _finding("too_little", sentence)


def _too_small(outline: Outline, measures: Measures) -> Iterator[Finding]:
    accuracy_m = measures.accuracy_m
    if accuracy_m is not None and accuracy_m >= outline.depth_m:
        size = "its radius is" if outline.is_circle else "its middle is no farther from its boundary than"
        yield _finding(
            "too_small",
            f"Fixes near it are typically accurate to {accuracy_m:.0f} m, and {size} "
            f"{outline.depth_m:.0f} m: even a phone in its very middle may well be measured outside.",
        )


def _missed_visits(measures: Measures) -> Iterator[Finding]:
    if not _is_told(measures.missed_visits, measures.stops):
        return
    outside, parts = measures.missed_outside, []
    if outside:
        parts.append(f"{outside} outside its boundary, by no more than their fixes were accurate")
    if measures.missed_visits > outside:
        parts.append(f"{measures.missed_visits - outside} inside, but not surely enough to enter")
    yield _finding(
        "missed_visits",
        f"{measures.missed_visits} of {count(measures.stops, 'stop')} at it made no visit: "
        f"{' and '.join(parts)}.",
    )


def _of_enters(measures: Measures) -> Iterator[Finding]:
    visits = count(measures.visits, "visit")
    if _is_told(measures.false_enters, measures.visits):
        yield _finding(
            "false_enters",
            f"{measures.false_enters} of {visits} ended before the dwell, and none of their fixes lay deeper "
            "inside than it was accurate: these phones were perhaps never in it.",
        )
    if _is_told(measures.re_enters, measures.visits):
        yield _finding(
            "flapping",
            f"{measures.re_enters} of {visits} began within 5 minutes of the same phone's exit: one stay is "
            "told as several.",
        )


def _of_dwells(fence: Fence, measures: Measures) -> Iterator[Finding]:
    dwell = f"{fence.dwell_s:g} s"
    if _is_told(measures.dwells_in_passing, measures.dwelled):
        yield _finding(
            "dwells_in_passing",
            f"{measures.dwells_in_passing} of {count(measures.dwelled, 'dwell')} came of phones that went "
            f"straight through without a stop: the way through takes longer than {dwell}.",
        )
    if measures.every_s is not None and 0 < fence.dwell_s <= measures.every_s:
        yield _finding(
            "sparse_fixes",
            f"Phones on the move near it have a fix every {measures.every_s:.0f} s. One fix inside is then a "
            f"visit until the next, and dwells after {dwell}.",
        )
    if _is_told(measures.cut_short, measures.visits):
        yield _finding(
            "dwell_too_long",
            f"{measures.cut_short} of {count(measures.visits, 'visit')} had a stop inside and ended before "
            f"the dwell, which takes {dwell}.",
        )


def _drive_bys(measures: Measures) -> Iterator[Finding]:
    driven = measures.drive_bys + measures.crossings
    if driven >= LEAST_TROUBLES and (measures.drive_by_share or 0.0) >= DRIVE_BY_SHARE:
        passages = count(measures.visits + measures.crossings, "passage")
        yield _finding("drive_bys", f"{driven} of {passages} went through at driving speed.")


def _overlaps(fence: Fence, overlaps: Sequence[Overlap], share: float) -> Iterator[Finding]:
    others = strangers(fence, overlaps)
    if not others or share < OVERLAP_SHARE:
        return
    which = f"fence {others[0].fence} of store {others[0].store}"
    if len(others) > 1:
        which = f"{len(others)} fences of other stores, most with {which} ({percent(others[0].share)})"
    yield _finding(
        "overlaps",
        f"Shares {percent(share)} of its area with {which}: a phone there is in several at once.",
    )
