"""Walk tests: timed fixes in, transitions out.

A walk is written as text, one fix after the other: `"09:00 out, 09:01:30 in 5"` is a fix far outside at nine
and one at the centre of the circle 90 s later, accurate to 5 m. `40` in place of `in` or `out` is a fix 40 m
north of the centre.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from geo.engine import FixBatch, Fleet, sense
from geo.engine import wake as wake_fleet
from geo.engine import wake_at_us as wake_fleet_at_us
from geo.fence import Circle, Fence
from geo.fix import SECOND_US, Fix
from geo.index import FenceSet
from geo.told import Told
from geo.transition import DeviceState, Rules, Sensed, Transition

LAT, LON = 60.17, 24.94
METRES_PER_DEGREE = 111_412.0  #: of latitude, there
SHOP = Fence(external_id="shop", store="kamppi", shape=Circle(lat_deg=LAT, lon_deg=LON, radius_m=50.0))
FENCES = FenceSet.build([SHOP])
EXACT = Rules(mode="exact")


def time_us(text: str) -> int:
    """Microseconds from midnight: of `09:01` or `09:01:30`."""
    hours, minutes, *seconds = text.split(":")
    return (int(hours) * 3600 + int(minutes) * 60 + int(seconds[0] if seconds else 0)) * SECOND_US


def fixes(walk: str) -> list[Fix]:
    """The fixes of a walk, as written."""
    return [_fix(*part.split()) for part in walk.split(",") if part.strip()]


def _fix(time: str, where: str, accuracy: str | None = None) -> Fix:
    north_m = {"in": 0.0, "out": 500.0}.get(where)
    return Fix(
        lat_deg=LAT + (float(where) if north_m is None else north_m) / METRES_PER_DEGREE,
        lon_deg=LON,
        fixed_at_us=time_us(time),
        accuracy_m=None if accuracy is None else float(accuracy),
    )


def step(
    state: DeviceState, arrived: Iterable[Fix], rules: Rules = EXACT, fences: FenceSet = FENCES
) -> Sensed:
    """One batch of one device."""
    fleet = Fleet(fences.roll)
    slot = fleet.add("phone", state)
    told = sense(fleet, FixBatch.of((slot, fix) for fix in arrived), fences, rules)
    return sensed(fleet, slot, told)


def wake(state: DeviceState, now_us: int, fences: FenceSet = FENCES, rules: Rules = EXACT) -> Sensed:
    """A timer of one device."""
    fleet = Fleet(fences.roll)
    slot = fleet.add("phone", state)
    return sensed(fleet, slot, wake_fleet(fleet, [slot], now_us, fences, rules))


def wake_at_us(state: DeviceState, fences: FenceSet = FENCES, rules: Rules = EXACT) -> int | None:
    """When a timer of one device is due."""
    fleet = Fleet(fences.roll)
    return wake_fleet_at_us(fleet, fleet.add("phone", state), fences, rules)


def sensed(fleet: Fleet, slot: int, told: Told) -> Sensed:
    """What was told of one device, and what it left."""
    return Sensed(
        state=fleet.state(slot),
        transitions=tuple(told.by_slot().get(slot, ())),
        retracted=tuple(transition for _, transition in told.retracted()),
        doubted=tuple(reason for of, one in told.values if of == slot for reason in one.doubted),
    )


def told(transitions: Sequence[Transition]) -> list[str]:
    """`enter 09:01:30`, and so on."""
    return [f"{transition.kind} {clock(transition.at_us)}" for transition in transitions]


def clock(at_us: int) -> str:
    """`09:01:30`."""
    seconds = at_us // SECOND_US
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def walk(
    text: str, rules: Rules = EXACT, *, until: str | None = None, fences: FenceSet = FENCES
) -> list[str]:
    """What is told of a walk whose fixes arrive one by one; `until` is when a timer looks last."""
    state, heard = DeviceState(), []
    for fix in fixes(text):
        sensed = step(state, [fix], rules, fences)
        state = sensed.state
        heard += sensed.transitions
    if until is not None:
        heard += wake(state, time_us(until), fences, rules).transitions
    return told(heard)


def visits(
    transitions: Iterable[Transition], retracted: Iterable[Transition] = ()
) -> set[tuple[object, ...]]:
    """What is known in the end: all that was told and not taken back."""
    known: set[tuple[object, ...]] = set()
    for transition in transitions:
        assert transition.identity not in known
        known.add(transition.identity)
    for transition in retracted:
        known.remove(transition.identity)
    return known


def columns(points: Iterable[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes and longitudes of points."""
    array = np.array(list(points), np.float64).reshape(-1, 2)
    return array[:, 0].copy(), array[:, 1].copy()
