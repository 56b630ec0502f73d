"""What a batch or a timer brought about, in columns, and as transitions where somebody asks for them."""

from collections.abc import Iterator
from typing import Any

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


class Told:
    """The transitions of some devices. They must be read before the fleet senses anything else.

    What was judged for many devices at once lies in columns; where and how fast a device was is looked up
    only for those who ask.
    """

    def __init__(self, fleet: Fleet, rules: Rules) -> None:
        self.parts: list[Records] = []  #: as `geo.layout.TOLD`, of devices that were judged together
        #: slots and numbers of fences that devices passed without a visit, and how
        self.passes: list[tuple[IndexArray, IndexArray, Crossings]] = []
        self.values: list[tuple[int, Sensed]] = []  #: of devices that were judged one by one
        self._fleet, self._rules = fleet, rules

    def __len__(self) -> int:
        together = sum(map(len, self.parts)) + sum(len(passes) for _, _, passes in self.passes)
        return together + sum(len(sensed.transitions) for _, sensed in self.values)

    def transitions(self) -> Iterator[tuple[int, Transition]]:
        """Slot and transition, each."""
        for part in self.parts:
            sightings, row = self._fleet.sightings, part["row"]
            told_us = sightings.data["at_us"][row]
            row = np.where(part["before"], sightings.data["previous"][row], row)
            sighting = sightings.take(row)
            columns = (
                *(part[name] for name in ("slot", "number", "kind", "entered_at_us", "at_us")),
                _confidence(part),
                *(sighting[name] for name in ("lat_deg", "lon_deg", "accuracy_m")),
                speeds_of(self._fleet, row, part["at_us"], told_us, self._rules),
            )
            for slot, number, kind, *rest in zip(*(column.tolist() for column in columns), strict=True):
                yield slot, _transition(kind, self._fleet.roll.name(number), rest, self._rules)
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


def _confidence(told: Records) -> FloatArray:
    confidence = np.array(told["confidence"], np.float64)
    outside = (~np.isnan(told["outside_sigma"])).nonzero()[0]
    confidence[outside] = 1 - probabilities_beyond(told["outside_sigma"][outside], 1.0)
    return confidence


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
    fleet: Fleet, slots: IndexArray, numbers: IndexArray, passes: Crossings
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
