"""`python -m geo.warm`: compiles what is to be (`geo.compiled`) before anybody waits for it."""

from itertools import product

import numpy as np
import shapely

from geo.batch import FixBatch
from geo.compact import compact_sightings, compact_visits
from geo.compiled import forget_others, note_kept
from geo.engine import Fleet, sense
from geo.fence import Area, Circle, Fence
from geo.fix import SECOND_US, Fix
from geo.index import FenceSet
from geo.transition import Rules


def warm() -> int:
    """Sends a crowd through a circle and a square; how many transitions that made."""
    square = shapely.Polygon([(0.01, 0.0), (0.011, 0.0), (0.011, 0.001), (0.01, 0.001)])
    fences = FenceSet.build(
        [
            Fence(external_id="circle", store="one", shape=Circle(lat_deg=0.0, lon_deg=0.0, radius_m=60.0)),
            Fence(external_id="square", store="two", shape=Area(geometry=square)),
        ]
    )
    told = 0
    for rules in (Rules(), Rules(mode="exact")):
        fleet = Fleet(fences.roll)
        slots = [fleet.add(str(device)) for device in range(20)]
        for minute, lon_deg in product(range(2), (0.0, 0.0105, 0.02)):
            fix = Fix(lat_deg=0.0001, lon_deg=lon_deg, fixed_at_us=minute * 60 * SECOND_US, accuracy_m=9.0)
            told += len(sense(fleet, FixBatch.of((slot, fix) for slot in slots), fences, rules))
        compact_sightings(fleet)
        compact_visits(fleet)
    fences.boundary_gap_m(np.zeros(1), np.zeros(1), np.zeros(1, np.int32))
    return told


if __name__ == "__main__":
    forget_others()
    assert warm()
    note_kept("geo")
