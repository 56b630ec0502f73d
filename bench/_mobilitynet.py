"""MobilityNet's places and stays, and what the engine makes of a phone's fixes."""

import csv
import json
from collections.abc import Iterable, Sequence
from functools import cache

import msgspec
import shapely

from bench._together import Phone, data
from geo.engine import FixBatch, Fleet, sense, wake
from geo.fence import Area, Fence
from geo.fix import SECOND_US, Fix
from geo.index import FenceSet
from geo.transition import Rules, Transition

#: A fix from so long before its phone's recording began is one that the phone remembered.
REMEMBERED_S = 60.0


class Span(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A time at a place: a stay as the diary tells it, or a visit as the engine does."""

    begin_us: int
    end_us: int

    @property
    def lasts_s(self) -> float:
        return (self.end_us - self.begin_us) / SECOND_US

    def meets(self, other: "Span", within_s: float) -> bool:
        """Whether the two overlap, or miss each other by so little."""
        slack_us = within_s * SECOND_US
        return self.begin_us <= other.end_us + slack_us and other.begin_us <= self.end_us + slack_us


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a trip, and where the people were, as their diary tells it."""

    number: int
    period: Span
    legs: dict[str, list[Span]]  #: by place: the legs that are noted as spent there
    stays: dict[str, list[Span]]  #: by place: those, and all time in between that was not under way


def recorded(phone: Phone) -> list[Fix]:
    """The fixes of a phone's recording, by time."""
    begin_us = round((float(phone.run.partition("_")[0]) - REMEMBERED_S) * SECOND_US)
    return [
        Fix(
            lat_deg=one.lat_deg,
            lon_deg=one.lon_deg,
            fixed_at_us=one.at_us,
            accuracy_m=one.accuracy_m,
            speed_mps=one.speed_mps,
        )
        for one in phone.seen
        if one.at_us >= begin_us
    ]


def follow(fixes: Sequence[Fix], fences: FenceSet, rules: Rules, *, until_us: int = 0) -> list[Transition]:
    """All transitions of a device by its fixes, and on to a time."""
    fleet = Fleet(fences.roll)
    slot = fleet.add("phone")
    told = sense(fleet, FixBatch.of((slot, fix) for fix in fixes), fences, rules)
    by_fixes = [transition for _, transition in told.transitions()]
    by_time = [transition for _, transition in wake(fleet, [slot], until_us, fences, rules).transitions()]
    return sorted([*by_fixes, *by_time], key=lambda one: one.at_us)


def visits(transitions: Iterable[Transition], until_us: int) -> dict[str, list[Span]]:
    """The visits by geofence; one that is open lasts until the given time."""
    ends: dict[tuple[str, int], int] = {}
    for one in transitions:
        if one.kind in ("enter", "exit"):
            ends[one.geofence, one.entered_at_us] = until_us if one.kind == "enter" else one.at_us
    found: dict[str, list[Span]] = {}
    for (geofence, begin_us), end_us in sorted(ends.items()):
        found.setdefault(geofence, []).append(Span(begin_us=begin_us, end_us=end_us))
    return found


@cache
def places(trip: str) -> FenceSet:
    """The places of a trip, as the people who recorded it drew them."""
    path = data("trajectories", "mobilitynet", f"{trip}.ground_truth_places.geojson")
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    return FenceSet.build(
        Fence(
            external_id=feature["id"],
            store=feature["id"],
            shape=Area(geometry=shapely.geometry.shape(feature["geometry"])),
        )
        for feature in features
    )


@cache
def runs(trip: str) -> tuple[Run, ...]:
    """The runs of a trip."""
    path = data("trajectories", "mobilitynet", f"{trip}.ground_truth_sections.csv")
    rows: dict[int, list[dict[str, str]]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.setdefault(int(row["run"]), []).append(row)
    return tuple(_run(number, of_run) for number, of_run in sorted(rows.items()))


def run_of(phone: Phone) -> Run:
    """The run that a phone's recording is of."""
    begin_s, end_s = map(float, phone.run.split("_"))
    middle_us = round((begin_s + end_s) / 2 * SECOND_US)
    return next(run for run in runs(phone.trip) if run.period.begin_us < middle_us < run.period.end_us)


def _run(number: int, rows: Sequence[dict[str, str]]) -> Run:
    period = next(_span(row) for row in rows if row["kind"] == "PERIOD")
    legs = sorted((row for row in rows if row["kind"] == "SECTION"), key=_span)
    noted: dict[str, list[Span]] = {}
    stays: dict[str, list[Span]] = {}
    place, since_us = legs[0]["loc_place_id"] or legs[0]["start_place_id"], period.begin_us
    for leg in legs:
        span = _span(leg)
        if leg["loc_place_id"]:
            noted.setdefault(leg["loc_place_id"], []).append(span)
        else:
            stays.setdefault(place, []).append(Span(begin_us=since_us, end_us=span.begin_us))
            place, since_us = leg["end_place_id"], span.end_us
    stays.setdefault(place, []).append(Span(begin_us=since_us, end_us=period.end_us))
    return Run(number=number, period=period, legs=noted, stays=stays)


def _span(row: dict[str, str]) -> Span:
    begin_s, end_s = float(row["start_ts"]), float(row["end_ts"])
    return Span(begin_us=round(begin_s * SECOND_US), end_us=round(end_s * SECOND_US))
