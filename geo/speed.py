"""How fast a device is, and whether it drove through a fence."""

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from geo.accuracy import SIGMA_PER_ACCURACY
from geo.distance import LONGEST_DEGREE_M, FloatArray, distance_m
from geo.fix import SECOND_US
from geo.steps import turn
from geo.transition import Rules, Sighting

TimeArray = npt.NDArray[np.int64]

#: A speed is derived from two fixes this far apart in time.
SHORTEST_SPEED_US, LONGEST_SPEED_US = 1 * SECOND_US, 120 * SECOND_US
#: Of the earlier fixes that one is taken between which and the last one noise makes up this speed at most, or
#: this share of the speed found.
NOISE_MPS, NOISE_SHARE = 1.0, 0.5
#: From this speed on a device drives: faster than people run.
DRIVE_MPS = 5.0
#: On the ground only the fastest trains exceed this (89 m/s), and nobody enters a shop from one. Nor from an
#: aeroplane.
FASTEST_MPS = 85.0
#: What an unknown accuracy is taken for.
UNKNOWN_M = Rules().default_accuracy_m


def speed_at(recent: Sequence[Sighting], at_us: int, *, unknown_m: float = UNKNOWN_M) -> float | None:
    """The device's speed at its last fix by a time: measured, else derived from an earlier fix, else None.

    A measured speed of exactly 0 counts as not measured: many phones say 0 where they do not know. The
    earlier fix is the newest that lies so far back that noise does not pass for speed.
    """
    place = bisect_right(recent, at_us, key=lambda sighting: sighting.at_us) - 1
    if place < 0:
        return None
    sighting = recent[place]
    if sighting.speed_mps:
        return sighting.speed_mps
    derived_mps = None
    noise_m = _noise_m(sighting, unknown_m)
    for index in range(place - 1, -1, -1):
        earlier = recent[index]
        passed_us = sighting.at_us - earlier.at_us
        if passed_us > LONGEST_SPEED_US:
            break
        if passed_us < SHORTEST_SPEED_US:
            continue
        way_m = distance_m(earlier.lat_deg, earlier.lon_deg, sighting.lat_deg, sighting.lon_deg)
        derived_mps = way_m * SECOND_US / passed_us
        noise_mps = math.hypot(noise_m, _noise_m(earlier, unknown_m)) * SECOND_US / passed_us
        if noise_mps <= max(NOISE_MPS, NOISE_SHARE * derived_mps):
            break
    return sighting.speed_mps if derived_mps is None else derived_mps


def _noise_m(sighting: Sighting, unknown_m: float) -> float:
    return (unknown_m if sighting.accuracy_m is None else sighting.accuracy_m) * SIGMA_PER_ACCURACY


def drives_through(
    *,
    entered_lat_deg: FloatArray,
    entered_lon_deg: FloatArray,
    entered_at_us: TimeArray,
    left_lat_deg: FloatArray,
    left_lon_deg: FloatArray,
    left_accuracy_m: FloatArray,
    left_at_us: TimeArray,
    drive_mps: float = DRIVE_MPS,
    unknown_m: float = UNKNOWN_M,
) -> FloatArray:
    """The mean speed of visits between the fixes that entered and left, where it was driving; else NaN.

    It was when the speed along the straight way is `drive_mps` or more, and no more than anything drives, and
    the way is at least twice as long as the accuracy of the fix that left (NaN: unknown), so that noise did
    not make it up.
    """
    speed_mps = np.full(len(entered_at_us), np.nan)
    takes_s = np.maximum(left_at_us - entered_at_us, 1) / SECOND_US
    # No way over the ground is longer than in a plane where every degree has the greatest length.
    most_deg = np.hypot(left_lat_deg - entered_lat_deg, turn(left_lon_deg - entered_lon_deg))
    fast = (LONGEST_DEGREE_M * most_deg >= drive_mps * takes_s).nonzero()[0]
    if not len(fast):
        return speed_mps
    entered, left = (entered_lat_deg[fast], entered_lon_deg[fast]), (left_lat_deg[fast], left_lon_deg[fast])
    way_m, takes_s, accuracy_m = distance_m(*entered, *left), takes_s[fast], left_accuracy_m[fast]
    accuracy_m = np.where(np.isnan(accuracy_m), unknown_m, accuracy_m)
    drove = (way_m >= drive_mps * takes_s) & (way_m >= 2 * accuracy_m) & (way_m <= FASTEST_MPS * takes_s)
    speed_mps[fast] = np.where(drove, way_m / takes_s, np.nan)
    return speed_mps


def drove_through(
    entered_at_us: int,
    entered_lat_deg: float,
    entered_lon_deg: float,
    left: Sighting,
    *,
    drive_mps: float = DRIVE_MPS,
    unknown_m: float = UNKNOWN_M,
) -> float | None:
    """The same for one visit; None where it was not driving."""
    speed_mps = drives_through(
        entered_lat_deg=np.array([entered_lat_deg]),
        entered_lon_deg=np.array([entered_lon_deg]),
        entered_at_us=np.array([entered_at_us]),
        left_lat_deg=np.array([left.lat_deg]),
        left_lon_deg=np.array([left.lon_deg]),
        left_accuracy_m=np.array([left.accuracy_m], np.float64),
        left_at_us=np.array([left.at_us]),
        drive_mps=drive_mps,
        unknown_m=unknown_m,
    )
    return None if np.isnan(speed_mps[0]) else float(speed_mps[0])
