"""How well visits are told: MobilityNet's diary against the visits of all its phones and runs.

A *stay* is 60 s or more in a place, as the diary tells it: from arriving at a place until leaving it for
another one. A *visit* is 60 s or more from enter to exit. They match, one to one, where they overlap or miss
each other by at most 60 s; all else would say more of the diary's clock than of the engine (people left a
place's polygon a minute or two after the diary says so). Recall is told of the stays that could be told of:
those in which the phone had a fix that is not coarse and lies in the place, or outside it by no more than it
is accurate. The others are counted (`visits_blind`): the phone was off, or slept, or had nothing but cell
towers.

`visits_odd_runs` are half of them. `visits_30_min` waits half an hour for a silent phone
in place of half a day: these phones sleep where they lie, and no server asks them for a heartbeat.

`visits_legs` holds the same visits against the diary's words alone: legs at a place, those less than 300 s
apart joined. They leave out most of the time that people spent there (before the first leg, between the
trips, after the last one), so that not even the stays themselves would have a good precision: that is the
baseline.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec

from bench._mobilitynet import Span, follow, places, recorded, run_of, visits
from bench._together import TRIPS, Phone, phones
from geo.fix import SECOND_US, Fix
from geo.transition import Rules

SHORTEST_S, WITHIN_S, JOINED_S = 60.0, 60.0, 300.0
ACCURATE = Rules()
RULES = {"exact": Rules(mode="exact"), "accurate": ACCURATE, "30 min": Rules(presence_timeout_s=1800.0)}


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How many there were of one phone at one place on one run, or of many."""

    stays: int = 0
    told_of: int = 0  #: stays that the phone's fixes could tell of
    visits: int = 0
    matched: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            stays=self.stays + other.stays,
            told_of=self.told_of + other.told_of,
            visits=self.visits + other.visits,
            matched=self.matched + other.matched,
        )


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One phone at one place on one run."""

    phone: Phone
    run: int
    stays: list[Span]
    told_of: list[Span]  #: of those, the ones that the phone's fixes could tell of
    legs: list[Span]
    told: dict[str, list[Span]]  #: visits, by the rules that they were told with


def run() -> Iterator[dict[str, Any]]:
    """The figures: all phones, those of odd runs, the diary's words, and every role."""
    cases = [case for trip in TRIPS for phone in phones(trip) for case in cases_of(phone)]
    yield from _figures("visits", cases)
    yield from _figures("visits_odd_runs", [case for case in cases if case.run % 2])
    yield from _figures("visits_30_min", cases, "30 min")
    whole = total(cases, "accurate")
    yield _figure("visits_blind", whole.stays - whole.told_of, whole.stays)
    yield _figure("visits_of_all_stays_recall", whole.matched, whole.stays, ("told of", whole.told_of))
    yield from _of_legs(cases)
    by_role = sorted(cases, key=_role)
    for role, of_role in groupby(by_role, _role):
        yield from _figures(f"visits {role}", list(of_role))


def _figures(name: str, cases: Sequence[Case], rules: str = "accurate") -> Iterator[dict[str, Any]]:
    score, baseline = total(cases, rules), total(cases, "exact")
    yield _figure(f"{name}_recall", score.matched, score.told_of, ("exact", baseline.matched))
    yield _figure(
        f"{name}_precision", score.matched, score.visits, ("exact", baseline.matched), of=baseline.visits
    )


def _of_legs(cases: Sequence[Case]) -> Iterator[dict[str, Any]]:
    """Against the diary's words alone; the baseline are the stays themselves, had each been told exactly."""
    told = ideal = legs = ideal_visits = told_visits = 0
    for case in cases:
        seen = [leg for leg in case.legs if any(leg.meets(stay, WITHIN_S) for stay in case.told_of)]
        legs += len(seen)
        told += matched(seen, case.told["accurate"])
        ideal += matched(seen, case.told_of)
        told_visits += len(case.told["accurate"])
        ideal_visits += len(case.told_of)
    yield _figure("visits_legs_recall", told, legs, ("ideal", ideal))
    yield _figure("visits_legs_precision", told, told_visits, ("ideal", ideal), of=ideal_visits)


def _figure(
    name: str, part: int, whole: int, baseline: tuple[str, int] | None = None, *, of: int | None = None
) -> dict[str, Any]:
    """A share, and its baseline's share of `of` (None: of the same)."""
    told: dict[str, Any] = {"name": name, "value": _share(part, whole), "unit": f"of {whole}"}
    if baseline is not None and baseline[1]:
        told["baseline"] = {"name": baseline[0], "value": _share(baseline[1], whole if of is None else of)}
    return told


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0


def _role(case: Case) -> str:
    return f"{case.phone.os} {case.phone.role}"


def total(cases: Iterable[Case], rules: str) -> Score:
    """The counts of many cases, by some rules."""
    score = Score()
    for case in cases:
        score += Score(
            stays=len(case.stays),
            told_of=len(case.told_of),
            visits=len(case.told[rules]),
            matched=matched(case.stays, case.told[rules]),
        )
    return score


def cases_of(phone: Phone) -> Iterator[Case]:
    """All places of a phone's trip."""
    of_run, fences, fixes = run_of(phone), places(phone.trip), recorded(phone)
    until_us = max(of_run.period.end_us, fixes[-1].fixed_at_us)
    told = {name: visits(follow(fixes, fences, rules), until_us) for name, rules in RULES.items()}
    for fence in fences.by_id.values():
        stays = _long(of_run.stays.get(fence.external_id, []))
        yield Case(
            phone=phone,
            run=of_run.number,
            stays=stays,
            told_of=[stay for stay in stays if _can_be_told(stay, fence.distance_m, fixes)],
            legs=_long(_joined(of_run.legs.get(fence.external_id, []))),
            told={name: _long(by_place.get(fence.external_id, [])) for name, by_place in told.items()},
        )


def _can_be_told(stay: Span, distance_m: Callable[[float, float], float], fixes: Iterable[Fix]) -> bool:
    return any(
        (fix.accuracy_m or 0.0) <= ACCURATE.coarse_m
        and distance_m(fix.lat_deg, fix.lon_deg) <= (fix.accuracy_m or ACCURATE.default_accuracy_m)
        for fix in fixes
        if stay.meets(Span(begin_us=fix.fixed_at_us, end_us=fix.fixed_at_us), WITHIN_S)
    )


def _joined(spans: Iterable[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in spans:
        if kept and span.begin_us - kept[-1].end_us < JOINED_S * SECOND_US:
            kept[-1] = Span(begin_us=kept[-1].begin_us, end_us=span.end_us)
        else:
            kept.append(span)
    return kept


def _long(spans: Iterable[Span]) -> list[Span]:
    return [span for span in spans if span.lasts_s >= SHORTEST_S]


def matched(stays: Sequence[Span], told: Sequence[Span]) -> int:
    """How many pairs can be made at most.

    Both are in order of time and do not overlap among themselves: taking the first that fits is then best.
    """
    count = place = 0
    for stay in stays:
        while place < len(told) and told[place].end_us + WITHIN_S * SECOND_US < stay.begin_us:
            place += 1
        if place < len(told) and stay.meets(told[place], WITHIN_S):
            count, place = count + 1, place + 1
    return count
