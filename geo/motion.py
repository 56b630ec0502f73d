"""Which sightings of a device to doubt.

Phones and trackers now and then tell of places where they are not. Two such errors show in the sequence of
sightings (`accurate` mode alone; `exact` mode believes everything):

- `impossible_jump`: nothing on the ground gets from the last believed sighting to this one in the time.
- `frozen`: the position repeats the last believed one to the last digit, while the phone measures a speed
  that must have taken it elsewhere.

A doubted sighting says nothing about any fence, and the next one is not judged by it. At most
`MOST_DOUBTED` in a row are doubted, so that a wrong sighting that was believed makes the device dumb for two
fixes and no longer. Judged by the order of the sightings alone, not by when they arrived.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from geo.distance import LONGEST_DEGREE_M, FloatArray, distance_m
from geo.fix import SECOND_US
from geo.speed import FASTEST_MPS
from geo.steps import LongArray, Steps, turn
from geo.transition import Rules, Sighting

Doubt: TypeAlias = Literal["impossible_jump", "frozen"]

#: The times of fixes are this far off: phones date positions that they have from elsewhere, or send old ones.
TIME_SLACK_US = 15 * SECOND_US
#: The accuracy of a vaguer fix says little: such fixes lay kilometres off. They cast no doubt on better ones.
VAGUE_M = 200.0
#: The next sighting after so many doubted ones is believed.
MOST_DOUBTED = 2
#: A frozen position has not moved though it should have by this far, and by twice its accuracy.
FROZEN_M = 25.0
#: A measured speed says how far the phone got for so long.
FROZEN_US = 30 * SECOND_US
#: What an unknown accuracy is taken for.
UNKNOWN_M = Rules().default_accuracy_m


def doubt(
    last_believed: Sighting | None,
    doubted_in_a_row: int,
    sighting: Sighting,
    *,
    unknown_m: float = UNKNOWN_M,
) -> Doubt | None:
    """The reason code for which a sighting is doubted; None where it is believed.

    `doubted_in_a_row` is how many have been doubted since the last believed one, `unknown_m` what an unknown
    accuracy is taken for.
    """
    if last_believed is None or doubted_in_a_row >= MOST_DOUBTED:
        return None
    if sighting.lat_deg == last_believed.lat_deg and sighting.lon_deg == last_believed.lon_deg:
        return "frozen" if _is_frozen(last_believed.at_us, sighting, unknown_m) else None
    return "impossible_jump" if _jumps(last_believed, sighting, unknown_m) else None


def doubts(
    sightings: Iterable[Sighting],
    last_believed: Sighting | None = None,
    doubted_in_a_row: int = 0,
    *,
    unknown_m: float = UNKNOWN_M,
) -> list[Doubt | None]:
    """`doubt` of each of some sightings, in order of time, the earlier ones being as given."""
    found: list[Doubt | None] = []
    for sighting in sightings:
        reason = doubt(last_believed, doubted_in_a_row, sighting, unknown_m=unknown_m)
        if reason is None:
            last_believed, doubted_in_a_row = sighting, 0
        else:
            doubted_in_a_row += 1
        found.append(reason)
    return found


def doubtful(steps: Steps, speed_mps: FloatArray, *, unknown_m: float = UNKNOWN_M) -> npt.NDArray[np.bool_]:
    """Whether the later sighting of step i is doubted after its earlier, the last believed one.

    Element by element the same as `doubt` where none was doubted in between. Unknown speeds are NaN; so is
    the position that a step comes from where nothing was believed before.
    """
    north_deg = steps.lat_deg - steps.from_lat_deg
    # No way over the ground is longer than in a plane where every degree has the greatest length.
    most_m = LONGEST_DEGREE_M * np.hypot(north_deg, turn(steps.lon_deg - steps.from_lon_deg))
    jumps = most_m > FASTEST_MPS * (steps.at_us - steps.from_us + TIME_SLACK_US) / SECOND_US
    repeats = (north_deg == 0) & (speed_mps > 0)
    suspect = np.flatnonzero(jumps | repeats)
    unknown = np.full(len(speed_mps), np.nan)
    last = steps.from_us, steps.from_lat_deg, steps.from_lon_deg, steps.from_accuracy_m, unknown
    seen = steps.at_us, steps.lat_deg, steps.lon_deg, steps.accuracy_m, speed_mps
    pairs = zip(_rows(last, suspect), _rows(seen, suspect), strict=True)
    found = np.zeros(len(speed_mps), bool)
    found[suspect] = [doubt(one, 0, other, unknown_m=unknown_m) is not None for one, other in pairs]
    return found


def _is_frozen(last_at_us: int, sighting: Sighting, unknown_m: float) -> bool:
    passed_s = min(sighting.at_us - last_at_us, FROZEN_US) / SECOND_US
    moved_m = (sighting.speed_mps or 0.0) * passed_s
    return moved_m >= FROZEN_M and moved_m > 2 * _accuracy_m(sighting, unknown_m)


def _jumps(last: Sighting, sighting: Sighting, unknown_m: float) -> bool:
    last_m, here_m = _accuracy_m(last, unknown_m), _accuracy_m(sighting, unknown_m)
    if last_m > VAGUE_M and last_m > here_m:
        return False
    reach_m = FASTEST_MPS * (sighting.at_us - last.at_us + TIME_SLACK_US) / SECOND_US
    # No way over the ground is longer than in a plane where every degree has the greatest length.
    north_deg, east_deg = sighting.lat_deg - last.lat_deg, abs(sighting.lon_deg - last.lon_deg)
    if LONGEST_DEGREE_M * math.hypot(north_deg, min(east_deg, 360.0 - east_deg)) <= reach_m:
        return False
    return _way_m(last, sighting) - last_m - here_m > reach_m


def _way_m(one: Sighting, other: Sighting) -> float:
    return distance_m(one.lat_deg, one.lon_deg, other.lat_deg, other.lon_deg)


def _accuracy_m(sighting: Sighting, unknown_m: float) -> float:
    return unknown_m if sighting.accuracy_m is None else sighting.accuracy_m


def _rows(
    columns: tuple[LongArray, FloatArray, FloatArray, FloatArray, FloatArray], places: npt.NDArray[np.intp]
) -> Iterator[Sighting]:
    """Some rows of times, latitudes, longitudes, accuracies and speeds."""
    rows = zip(*(column[places].tolist() for column in columns), strict=True)
    for at_us, lat_deg, lon_deg, accuracy_m, speed_mps in rows:
        yield Sighting(
            at_us=at_us,
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            accuracy_m=_known(accuracy_m),
            speed_mps=_known(speed_mps),
        )


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
