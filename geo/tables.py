"""What compiled functions are given: the arrays of several objects, side by side.

Numba knows arrays and tuples of them, not our classes.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geo.accuracy import sigmas_beyond
from geo.arrivals import Arrivals
from geo.distance import FloatArray, IndexArray
from geo.fences.ground import Ground
from geo.fix import SECOND_US
from geo.fleet import Fleet
from geo.index import FenceSet
from geo.rows import Record
from geo.transition import Rules
from geo.window import kept_us

Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SIGHTINGS, PAIRS, VISITS, PAST = range(4)  # of `used`
HELD, OPEN = range(2)  # of `held`


class Tables(NamedTuple):
    """A fleet's tables, with room for all that a batch may write."""

    devices: Record
    sightings: Record
    pairs: Record
    visits: Record
    past: Record
    told: Record  #: what happened: as many records as `advance` says
    used: Longs  #: so many records of `sightings` to `past` are in use, …
    held: Longs  #: … and how many more sightings windows hold, and how many more visits are open, than before
    marks: Longs  #: by number of a fence

    @classmethod
    def of(cls, fleet: Fleet, fixes: int, pairs: int, visits: int) -> "Tables":
        """With room for so many fixes, fences that they lie in, and visits already open."""
        rows = fleet.sightings, fleet.pairs, fleet.visits, fleet.past
        for table, more in zip(rows, (fixes, pairs, visits + pairs + 1, visits), strict=True):
            table.reserve(more)
        fleet.told.reserve(3 * (visits + pairs))  # a visit begins, dwells and ends
        return cls(
            devices=fleet.devices.data,
            sightings=fleet.sightings.data,
            pairs=fleet.pairs.data,
            visits=fleet.visits.data,
            past=fleet.past.data,
            told=fleet.told.data,
            used=np.array([table.used for table in rows]),
            held=np.zeros(2, np.int64),
            marks=fleet.marks(),
        )

    def written(self, fleet: Fleet) -> None:
        """Tells the fleet what has been written."""
        rows = fleet.sightings, fleet.pairs, fleet.visits, fleet.past
        for table, used in zip(rows, self.used.tolist(), strict=True):
            table.used = used
        held, opened = self.held.tolist()
        fleet.held += held
        fleet.open += opened


class Fixes(NamedTuple):
    """Fixes by device and time, as in `geo.arrivals`, and the fences each lies in."""

    slot: IndexArray
    at_us: Longs
    lat_deg: FloatArray
    lon_deg: FloatArray
    accuracy_m: FloatArray
    speed_mps: FloatArray
    sigma_m: FloatArray  #: empty in `exact` mode
    first: Longs  #: where the fixes of each device begin
    pair_first: Longs  #: where the fences of each fix begin
    place: IndexArray  #: by pair, of a fence
    number: IndexArray
    probability: FloatArray

    @classmethod
    def of(cls, arrivals: Arrivals) -> "Fixes":
        """All of them."""
        return cls(
            arrivals.slot,
            arrivals.at_us,
            arrivals.lat_deg,
            arrivals.lon_deg,
            arrivals.accuracy_m,
            arrivals.speed_mps,
            arrivals.sigma_m,
            arrivals.first,
            arrivals.pair_first,
            arrivals.pair_place,
            arrivals.pair_number,
            arrivals.pair_probability,
        )


class Grounds(NamedTuple):
    """A set of fences. Those that are visited have been drawn."""

    main: Ground
    overlay: Ground
    size: int  #: of `main`
    place_by_number: IndexArray
    dwell_us: Longs  #: by place

    @classmethod
    def of(cls, fences: FenceSet) -> "Grounds":
        """All of it."""
        main = fences.main
        return cls(main.ground, fences.overlay.ground, len(main), fences.place_by_number, fences.dwell_us)


class Limits(NamedTuple):
    """A retailer's rules in the engine's units."""

    exact: bool
    kept_us: int
    timeout_us: int
    settle_us: int
    enter_at: float
    doubt_at: float
    doubt_sigma: float  #: so many sigma outside, a fix is contrary to a visit, …
    exit_sigma: float  #: … and so many, it ends it
    coarse_m: float

    @classmethod
    @cache
    def of(cls, rules: Rules) -> "Limits":
        """Those of a retailer."""
        return cls(
            exact=rules.mode == "exact",
            kept_us=kept_us(rules),
            timeout_us=round(rules.presence_timeout_s * SECOND_US),
            settle_us=round(rules.settle_s * SECOND_US),
            enter_at=float(rules.enter_at),
            doubt_at=float(rules.doubt_at),
            doubt_sigma=sigmas_beyond(rules.doubt_at),
            exit_sigma=sigmas_beyond(rules.exit_at),
            coarse_m=float(rules.coarse_m),
        )
