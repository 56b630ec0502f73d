"""How the fleet's tables are laid out, and the values that go in and out of them."""

from collections.abc import Iterable
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from geo.distance import IndexArray
from geo.fences.roll import Roll
from geo.index import FenceSet
from geo.rows import Records, Rows, known
from geo.transition import Presence, Sighting

NEVER = -1  #: in place of a time
FOREVER = 2**63 - 1
NOWHERE = -1  #: in place of a row, or of a slot: the row is dead
#: The signature of no set of fences: the device has to be looked at.
UNSTEADY = -(2**63)

DEVICE = {
    "newest_us": "i8",  # time of the newest sighting; -1: never seen
    "sealed_us": "i8",  # time of the sealed sighting; -1: none yet
    "middle_us": "i8",
    "clock_us": "i8",  # when a timer of this device fired last
    "due_us": "i8",  # no timer of this device is due before
    "signature": "i8",  # of the set of fences it is in: the sum of their marks; 0 where it is in none
    "head": "i4",  # row of the newest sighting
    "believed": "i4",  # row of the newest sighting that is not doubted
    "before": "i4",  # sightings from the sealed one to the middle
    "since": "i4",  # sightings after the middle
    "visits": "i4",  # row of the first open visit
    "visit_count": "i2",
    "doubts": "u1",  # how many of the newest sightings are doubted
    "steady": "u1",  # whether the newest sighting supports all the visits; their rows do not say so then
    "base": "i4",  # row in `past` of the first visit that was open at the sealed sighting
    "middle": "i4",  # and at the middle: the same rows, where nothing has changed since
    "base_count": "i2",
    "middle_count": "i2",
}
SIGHTING = {
    "at_us": "i8",
    "lat_deg": "f8",
    "lon_deg": "f8",
    "accuracy_m": "f4",  # NaN: unknown
    "speed_mps": "f4",
    "slot": "i4",
    "previous": "i4",  # row of the device's sighting before
    "pairs": "i4",  # row of the first fence it lies in
    "pair_count": "i4",
}
PAIR = {"number": "i4", "probability": "f4"}
VISIT = {
    "entered_at_us": "i8",
    "entered_lat_deg": "f8",
    "entered_lon_deg": "f8",
    "supported_at_us": "i8",
    "dwelled_at_us": "i8",  # -1: not yet
    "doubted_at_us": "i8",  # -1: not in doubt
    "due_us": "i8",  # when its dwell is due, by the fences in use; FOREVER once it has dwelled
    "number": "i4",
    "confidence": "f4",
    "slot": "i4",
    "unused": "i4",  # makes the record a multiple of 8 bytes; see `geo.rounds`
}
VISIT_DTYPE = np.dtype(list(VISIT.items()))
ENTER, DWELL, EXIT, PASS_BY = range(4)
#: What happened between a device and a fence.
TOLD = {
    "at_us": "i8",
    "entered_at_us": "i8",
    "entered_lat_deg": "f8",
    "entered_lon_deg": "f8",
    "confidence": "f8",  # how sure, …
    "outside_sigma": "f8",  # … unless the fix lies so many sigma outside the fence; NaN: it does not
    "slot": "i4",
    "number": "i4",
    "row": "i4",  # of the sighting with which it was told
    "kind": "i2",
    "before": "u1",  # whether it happened before that: the device was seen last at the one before
    "brief": "u1",  # whether a fix ended a visit that had not dwelled, and may have driven through
}
#: A device never seen.
UNSEEN = (
    dict.fromkeys(DEVICE, 0)
    | dict.fromkeys(("newest_us", "sealed_us", "middle_us", "clock_us", "head", "believed", "visits"), -1)
    | {"due_us": FOREVER}
)


class Marks:
    """A mark for each number of a roll; different sets of numbers have different sums (mod 2^64)."""

    def __init__(self, roll: Roll) -> None:
        self._roll = roll
        self._marks = np.zeros(0, np.int64)

    def __call__(self) -> npt.NDArray[np.int64]:
        """The marks by number: the mixing function of splitmix64."""
        known = len(self._marks)
        if known < len(self._roll):
            mixed = np.arange(known + 1, 2 * len(self._roll) + 1, dtype=np.uint64) * np.uint64(
                0x9E3779B97F4A7C15
            )
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed ^= mixed >> np.uint64(31)
            self._marks = np.concatenate([self._marks, mixed.view(np.int64)])
        return self._marks


def sighting_of(  # noqa: PLR0917 - the columns, in their order
    at_us: int,
    lat_deg: float,
    lon_deg: float,
    accuracy_m: float,
    speed_mps: float,
    inside: tuple[tuple[str, str, float], ...] = (),
) -> Sighting:
    """A sighting as columns have it: NaN for what is not known."""
    return Sighting(
        at_us=at_us,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        accuracy_m=known(accuracy_m),
        speed_mps=known(speed_mps),
        inside=inside,
    )


def presences(roll: Roll, visits: Rows, first: int, count: int) -> tuple[Presence, ...]:
    """So many visits as values, by geofence."""
    found = [_presence(roll, visits.values(row)) for row in range(first, first + count)]
    return tuple(sorted(found, key=attrgetter("geofence")))


def _presence(roll: Roll, one: tuple[Any, ...]) -> Presence:
    (
        entered_at_us,
        lat_deg,
        lon_deg,
        supported_at_us,
        dwelled_at_us,
        doubted_at_us,
        _,
        number,
        confidence,
        *_,
    ) = one
    geofence, store = roll.name(number)
    return Presence(
        geofence=geofence,
        store=store,
        entered_at_us=entered_at_us,
        entered_lat_deg=lat_deg,
        entered_lon_deg=lon_deg,
        supported_at_us=supported_at_us,
        confidence=confidence,
        dwelled_at_us=None if dwelled_at_us == NEVER else dwelled_at_us,
        doubted_at_us=None if doubted_at_us == NEVER else doubted_at_us,
    )


def visit_rows(roll: Roll, slot: int, present: Iterable[Presence], fences: FenceSet | None) -> Records:
    """Visits of a device as rows, by the numbers of their fences; `fences` are those in use."""
    rows = [
        (
            visit.entered_at_us,
            visit.entered_lat_deg,
            visit.entered_lon_deg,
            visit.supported_at_us,
            NEVER if visit.dwelled_at_us is None else visit.dwelled_at_us,
            NEVER if visit.doubted_at_us is None else visit.doubted_at_us,
            _due_us(visit, number, fences),
            number,
            visit.confidence,
            slot,
            0,
        )
        for visit, number in ((visit, roll.number(visit.geofence, visit.store)) for visit in present)
    ]
    rows.sort(key=itemgetter(list(VISIT).index("number")))
    return np.array(rows, VISIT_DTYPE)


def _due_us(visit: Presence, number: int, fences: FenceSet | None) -> int:
    place = NOWHERE if fences is None or visit.dwelled else fences.place_of_one(number)
    return FOREVER if fences is None or place < 0 else visit.entered_at_us + int(fences.dwell_us[place])


def dwells_due_us(visits: Records, place: IndexArray, fences: FenceSet) -> npt.NDArray[np.int64]:
    """When the dwells of visits to the fences at these places (-1: gone) are due."""
    due_us = np.full(len(visits), FOREVER)
    waiting = ((place >= 0) & (visits["dwelled_at_us"] == NEVER)).nonzero()[0]
    due_us[waiting] = visits["entered_at_us"][waiting] + fences.dwell_us[place[waiting]]
    return due_us
