"""Phones that were carried together: what each told, and what the others know of where it was.

MobilityNet's control phones lay in one bag on scripted trips, each with its own settings. Where one of them
had exact fixes in close succession, its way is the truth for the others (theirs, not its own, so that no
phone is its own judge). `../shared/data/trajectories/mobilitynet` must be there.
"""

import csv
import gzip
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from bench._town import figure
from geo.fix import SECOND_US
from geo.plane import Plane
from geo.transition import Sighting

FOLDER = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
TRIPS = ("car_scooter_brex_san_jose", "unimodal_trip_car_bike_mtv_la")
STATIONARY = "sfba_med_freq_calibration_stationary_only"

#: A way is known where fixes at least so exact follow one another within this time.
EXACT_M, CLOSE_S = 12.0, 4.0
#: A way of a shorter time is of no use.
SHORTEST_S = 20.0

Array = npt.NDArray[np.float64]


class Phone(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One phone on one run."""

    trip: str
    name: str
    os: str
    role: str  #: how it was set: two controls (all it can, next to nothing) and two settings to compare
    run: str  #: when its recording began and ended, in seconds since the epoch: `begin_end`
    seen: list[Sighting]  #: by time; of several with one time the most accurate
    at_s: Array  #: their times


class Way(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A known way: metres east and north of a place over time."""

    phone: Phone
    at_s: Array
    east_m: Array
    north_m: Array

    def covers(self, begin_s: float, end_s: float) -> bool:
        """Whether the way is known all that time."""
        return bool(self.at_s[0] <= begin_s and end_s <= self.at_s[-1])

    def places(self, at_s: Array | float) -> tuple[Array, Array]:
        """Metres east and north at some times."""
        return np.interp(at_s, self.at_s, self.east_m), np.interp(at_s, self.at_s, self.north_m)


def data(*parts: str) -> Path:
    """A file of the data beside the checkout."""
    path = FOLDER.joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(f"this benchmark reads ../shared/data/{'/'.join(parts)}, which is not there")
    return path


@cache
def phones(trip: str) -> tuple[Phone, ...]:
    """All phones and runs of a trip, as raw fixes."""
    rows: dict[tuple[str, str, str, str], dict[int, Sighting]] = {}
    path = data("trajectories", "mobilitynet", f"{trip}.raw_location.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            one = _sighting(row)
            of_run = rows.setdefault((row["phone"], row["os"], row["run"], row["role"]), {})
            known = of_run.get(one.at_us)
            if known is None or (one.accuracy_m or 1e9) < (known.accuracy_m or 1e9):
                of_run[one.at_us] = one
    return tuple(
        Phone(
            trip=trip,
            name=name,
            os=os,
            role=role,
            run=run,
            seen=[seen[at_us] for at_us in sorted(seen)],
            at_s=np.array(sorted(seen)) / SECOND_US,
        )
        for (name, os, run, role), seen in sorted(rows.items())
    )


def _sighting(row: dict[str, Any]) -> Sighting:
    accuracy_m, speed_mps = (float(row[name] or -1) for name in ("accuracy_m", "sensed_speed_mps"))
    return Sighting(
        at_us=round(float(row["ts"]) * SECOND_US),
        lat_deg=float(row["latitude"]),
        lon_deg=float(row["longitude"]),
        accuracy_m=accuracy_m if accuracy_m > 0 else None,
        speed_mps=speed_mps if speed_mps >= 0 else None,
    )


@cache
def plane(trip: str) -> Plane:
    """The map of a trip."""
    first = phones(trip)[0].seen[0]
    return Plane.at(first.lat_deg, first.lon_deg)


@cache
def ways(trip: str) -> tuple[Way, ...]:
    """The known ways of a trip."""
    found = []
    for phone in phones(trip):
        exact = [one for one in phone.seen if (one.accuracy_m or 1e9) <= EXACT_M]
        at_s = np.array([one.at_us for one in exact]) / SECOND_US
        metres = np.array([plane(trip).metres(one.lat_deg, one.lon_deg) for one in exact]).reshape(-1, 2)
        for part in np.split(np.arange(len(exact)), np.flatnonzero(np.diff(at_s) > CLOSE_S) + 1):
            if len(part) and at_s[part[-1]] - at_s[part[0]] >= SHORTEST_S:
                east_m, north_m = metres[part].T
                found.append(Way(phone=phone, at_s=at_s[part], east_m=east_m, north_m=north_m))
    return tuple(found)


def way_of_another(phone: Phone, begin_s: float, end_s: float) -> Way | None:
    """A way that another phone knows, over all of a time."""
    others = (way for way in ways(phone.trip) if way.phone is not phone and way.covers(begin_s, end_s))
    return next(others, None)


def thinned(phone: Phone, every_s: float) -> list[Sighting]:
    """The sightings of a phone that reports so rarely."""
    kept: list[Sighting] = []
    for one in phone.seen:
        if not kept or one.at_us - kept[-1].at_us >= every_s * SECOND_US:
            kept.append(one)
    return kept


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the people did for some time."""

    type: str
    leg: str
    begin_s: float
    end_s: float


@cache
def diary(trip: str, kind: str) -> tuple[Entry, ...]:
    """The entries of a trip's diary of a kind: `PERIOD` (recording), `TRIP` or `SECTION` of one."""
    path = data("trajectories", "mobilitynet", f"{trip}.ground_truth_sections.csv")
    with path.open(encoding="utf-8") as file:
        return tuple(
            Entry(
                type=row["leg_type"],
                leg=row["leg_id"],
                begin_s=float(row["start_ts"]),
                end_s=float(row["end_ts"]),
            )
            for row in csv.DictReader(file)
            if row["kind"] == kind
        )


def ratio(name: str, part: float, whole: float) -> dict[str, Any]:
    """The figure of a share; its unit says of how many."""
    return figure(name, part / whole if whole else 0.0, f"of {whole:.0f}")
