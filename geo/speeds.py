"""How fast devices moved at what was told of them, for many transitions at once.

The same rule as `geo.speed.speed_at`, which does it for one.
"""

import numpy as np
import numpy.typing as npt

from geo.accuracy import SIGMA_PER_ACCURACY
from geo.distance import FloatArray, distances_m, earth_centred
from geo.fix import SECOND_US
from geo.fleet import Fleet
from geo.layout import NOWHERE
from geo.rows import Records
from geo.speed import LONGEST_SPEED_US, NOISE_MPS, NOISE_SHARE, SHORTEST_SPEED_US
from geo.transition import Rules
from geo.window import kept_us

Integers = npt.NDArray[np.int64]


def speeds_of(fleet: Fleet, row: Integers, at_us: Integers, told_us: Integers, rules: Rules) -> FloatArray:
    """The speeds in m/s that devices had at times no later than sightings of theirs; NaN where not known.

    `told_us` are the times of the fixes with which it is asked. Sightings older than all that is remembered
    for sure by then do not count, as in `geo.walk.with_speeds`.
    """
    since_us = told_us - kept_us(rules)
    row = _back(fleet, row.astype(np.int64), at_us, since_us)
    speed = np.full(len(row), np.nan)
    found = np.flatnonzero(row != NOWHERE)
    speed[found] = fleet.sightings.data["speed_mps"][row[found]]
    derive = found[~(speed[found] > 0)]  # 0 counts as not measured
    derived = _derived(fleet, row[derive], since_us[derive], rules)
    speed[derive] = np.where(np.isnan(derived), speed[derive], derived)
    return speed


def _back(fleet: Fleet, row: Integers, at_us: Integers, since_us: Integers) -> Integers:
    """The newest of each row and its predecessors that is no newer than a time; -1 where none is."""
    data = fleet.sightings.data
    row[data["at_us"][row] < since_us] = NOWHERE
    later = np.flatnonzero((row != NOWHERE) & (data["at_us"][row] > at_us))
    while len(later):
        row[later] = data["previous"][row[later]]
        later = later[row[later] != NOWHERE]
        too_old = data["at_us"][row[later]] < since_us[later]
        row[later[too_old]] = NOWHERE
        later = later[~too_old]
        later = later[data["at_us"][row[later]] > at_us[later]]
    return row


def _derived(fleet: Fleet, row: Integers, since_us: Integers, rules: Rules) -> FloatArray:
    """The mean speed to these sightings from the newest earlier one that is fit; NaN where none is."""
    data = fleet.sightings.data
    one = data[row]
    here = np.stack(earth_centred(one["lat_deg"], one["lon_deg"]))
    noise_m = _noise_m(one, rules)
    speed = np.full(len(row), np.nan)
    earlier, seek = row.copy(), np.arange(len(row))
    while len(seek):
        earlier[seek] = data["previous"][earlier[seek]]
        seek = seek[earlier[seek] != NOWHERE]
        other = data[earlier[seek]]
        apart_us = one["at_us"][seek] - other["at_us"]
        near = (apart_us <= LONGEST_SPEED_US) & (other["at_us"] >= since_us[seek])
        fit = np.flatnonzero(near & (apart_us >= SHORTEST_SPEED_US))
        apart_s = apart_us[fit] / SECOND_US
        there = np.stack(earth_centred(other["lat_deg"][fit], other["lon_deg"][fit]))
        found = distances_m(list(here[:, seek[fit]]), list(there)) / apart_s
        speed[seek[fit]] = found
        noise_mps = np.hypot(noise_m[seek[fit]], _noise_m(other[fit], rules)) / apart_s
        near[fit] &= noise_mps > np.maximum(NOISE_MPS, NOISE_SHARE * found)
        seek = seek[near]
    return speed


def _noise_m(sighting: Records, rules: Rules) -> FloatArray:
    accuracy_m = sighting["accuracy_m"]
    return np.asarray(
        np.where(np.isnan(accuracy_m), rules.default_accuracy_m, accuracy_m) * SIGMA_PER_ACCURACY
    )
