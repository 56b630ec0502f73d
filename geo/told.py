"""What a batch or a timer brought about, in columns, and as transitions where somebody asks for them."""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from geo.accuracy import probabilities_beyond
from geo.crossing import Crossings
from geo.distance import FloatArray, IndexArray
from geo.fleet import Fleet
from geo.rows import Records, known
from geo.speeds import speeds_of
from geo.transition import Kind, Rules, Sensed, Transition
from geo.walk import MOST_SURE

Integers = npt.NDArray[np.int64]

KINDS: tuple[Kind, ...] = ("enter", "dwell", "exit", "pass_by")
ENTER, DWELL, EXIT, PASS_BY = range(4)


class Part(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Transitions of one kind, of many devices; all columns are equally long."""

    kind: int
    visits: Records  #: as in the fleet …
    which: Integers | None  #: … and which of these it is about; None: all
    at_us: Integers
    row: Integers  #: of the sighting with which it was told
    before: bool = False  #: whether it happened before that: the device was seen last at the one before
    confidence: float | None = None  #: how sure; None: as sure as the visit's beginning, …
    outside_sigma: FloatArray | None = None  #: … or as the fix lies so many sigma outside the fence

    def __len__(self) -> int:
        return len(self.row)


class Told:
    """The transitions of some devices. They must be read before the fleet senses anything else.

    What was judged for many devices at once lies in columns; where and how fast a device was is looked up
    only for those who ask.
    """

    def __init__(self, fleet: Fleet, rules: Rules) -> None:
        self.parts: list[Part] = []  #: of devices that were judged together
        #: slots and numbers of fences that devices passed without a visit, and how
        self.passes: list[tuple[Integers, IndexArray, Crossings]] = []
        self.values: list[tuple[int, Sensed]] = []  #: of devices that were judged one by one
        self._fleet, self._rules = fleet, rules

    def __len__(self) -> int:
        together = sum(map(len, self.parts)) + sum(len(passes) for _, _, passes in self.passes)
        return together + sum(len(sensed.transitions) for _, sensed in self.values)

    def transitions(self) -> Iterator[tuple[int, Transition]]:
        """Slot and transition, each."""
        for part in self.parts:
            visit = part.visits if part.which is None else self._fleet.visits.pick(part.visits, part.which)
            sightings, row = self._fleet.sightings, part.row
            told_us = sightings.data["at_us"][row]
            row = sightings.data["previous"][row] if part.before else row
            sighting = sightings.take(row)
            columns = (
                *(visit[name] for name in ("slot", "number", "entered_at_us")),
                *(part.at_us, _confidence(part, visit)),
                *(sighting[name] for name in ("lat_deg", "lon_deg", "accuracy_m")),
                speeds_of(self._fleet, row, part.at_us, told_us, self._rules),
            )
            for slot, number, *rest in zip(*(column.tolist() for column in columns), strict=True):
                yield slot, _transition(part.kind, self._fleet.roll.name(number), rest, self._rules)
        for passes in self.passes:
            yield from _passes(self._fleet, *passes)
        for slot, sensed in self.values:
            for transition in sensed.transitions:
                yield slot, transition

    def by_slot(self) -> dict[int, list[Transition]]:
        """The transitions of each device that has some, in order of time."""
        found: dict[int, list[Transition]] = {}
        for slot, transition in self.transitions():
            found.setdefault(slot, []).append(transition)
        for told in found.values():
            told.sort(key=lambda one: (one.at_us, one.geofence))
        return found

    def retracted(self) -> Iterator[tuple[int, Transition]]:
        """What was told earlier and is now known to be wrong: a late fix says so."""
        for slot, sensed in self.values:
            for transition in sensed.retracted:
                yield slot, transition


def _confidence(part: Part, visit: Records) -> FloatArray:
    if part.outside_sigma is not None:
        return np.asarray(1 - probabilities_beyond(part.outside_sigma, 1.0))
    if part.confidence is not None:
        return np.full(len(part), part.confidence)
    return np.asarray(visit["confidence"], np.float64)


def _transition(kind: int, name: tuple[str, str], figures: list[Any], rules: Rules) -> Transition:
    entered_at_us, at_us, confidence, lat_deg, lon_deg, accuracy_m, speed_mps = figures
    return Transition(
        kind=KINDS[kind],
        geofence=name[0],
        store=name[1],
        at_us=at_us,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        entered_at_us=entered_at_us,
        speed_mps=known(speed_mps),
        accuracy_m=known(accuracy_m),
        confidence=confidence if rules.mode == "exact" else min(confidence, MOST_SURE),
    )


def _passes(
    fleet: Fleet, slots: Integers, numbers: IndexArray, passes: Crossings
) -> Iterator[tuple[int, Transition]]:
    columns = (
        slots,
        numbers,
        passes.at_us,
        passes.lat_deg,
        passes.lon_deg,
        passes.speed_mps,
        passes.confidence,
    )
    for slot, number, at_us, lat_deg, lon_deg, speed_mps, confidence in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        geofence, store = fleet.roll.name(number)
        yield (
            slot,
            Transition(
                kind="pass_by",
                geofence=geofence,
                store=store,
                at_us=at_us,
                lat_deg=lat_deg,
                lon_deg=lon_deg,
                entered_at_us=at_us,
                speed_mps=speed_mps,
                confidence=min(confidence, MOST_SURE),
            ),
        )
