"""What recorded traces say about one fence, in numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from geo.distance import distance_m
from geo.fix import SECOND_US
from geo.stop import STANDING_M
from server.doctor.ground import Ground, Sight, StopsAt
from server.doctor.judged import Judged, missed_stops
from server.doctor.places import Rows
from server.doctor.visits import Passages, Spans, Visit


class Measures(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fence in numbers. None where there is nothing to take the number of."""

    devices: int  #: that had a fix in the fence or within 100 m of it
    fixes: int  #: of those devices, there
    every_s: float | None  #: median time between these fixes where the device moved
    accuracy_known: float | None  #: share of these fixes that state their accuracy
    accuracy_m: float | None  #: median of those stated
    accuracy_p90_m: float | None
    unsure: float | None  #: share of these fixes that are nearer to the boundary than they are accurate
    visits: int
    visit_s: float | None  #: median length of those that ended
    dwelled: int
    to_dwell_s: float | None  #: median time from enter to dwell
    false_enters: int
    re_enters: int
    drive_bys: int
    crossings: int  #: `pass_by` without a visit
    drive_by_share: float | None  #: drive-bys and crossings among visits and crossings
    dwells_in_passing: int
    cut_short: int
    stops: int  #: stops of a minute or more at the fence
    missed_visits: int  #: those without a visit
    missed_outside: int  #: those of them that lie outside the boundary
    stops_nearby: int  #: those farther outside, within 100 m, that lie in no geofence at all
    only_exact: int  #: visits that `exact` mode has and `accurate` mode has not
    only_accurate: int  #: and the reverse
    wrong: int  #: visits with any of the above wrong, and missed visits

    @property
    def sound(self) -> int:
        """Visits with nothing wrong."""
        return self.visits - (self.wrong - self.missed_visits)


def measure(
    ground: Ground,
    sight: Sight,
    at: StopsAt,
    *,
    both: Mapping[str, Passages],
    mode: str,
    judged: Sequence[Judged],
) -> Measures:
    """The measures of one fence, from its passages in both modes; it is judged by those in `mode`."""
    visits, crossings = both[mode].visits, both[mode].crossings
    missed = missed_stops(ground, at, visits)
    driven = sum(one.drive_by for one in judged)
    ways = len(visits) + crossings
    return Measures(
        **_of_fixes(ground, sight),
        visits=len(visits),
        visit_s=_median([visit.lasts_s for visit in visits if not visit.open]),
        dwelled=sum(visit.dwelled for visit in visits),
        to_dwell_s=_median([_to_dwell_s(visit) for visit in visits if visit.dwelled]),
        false_enters=sum(one.false_enter for one in judged),
        re_enters=sum(one.re_enter for one in judged),
        drive_bys=driven,
        crossings=crossings,
        drive_by_share=round((driven + crossings) / ways, 3) if ways else None,
        dwells_in_passing=sum(one.in_passing for one in judged),
        cut_short=sum(one.cut_short for one in judged),
        stops=len(at),
        missed_visits=int(missed.sum()),
        missed_outside=int((missed & (at.outside_m > 0)).sum()),
        stops_nearby=at.nearby,
        only_exact=_unmatched(both["exact"].visits, both["accurate"].visits),
        only_accurate=_unmatched(both["accurate"].visits, both["exact"].visits),
        wrong=sum(one.wrong for one in judged) + int(missed.sum()),
    )


def _of_fixes(ground: Ground, sight: Sight) -> dict[str, Any]:
    trace = ground.trace
    stated_m = trace.accuracy_m[sight.rows]
    known = ~np.isnan(stated_m)
    unsure = np.abs(sight.outside_m) < sight.accuracy_m
    some = len(sight.rows) > 0
    return {
        "devices": len(np.unique(trace.device[sight.rows])),
        "fixes": len(sight.rows),
        "every_s": _median(_intervals_s(ground, sight.rows)),
        "accuracy_known": round(float(known.mean()), 3) if some else None,
        "accuracy_m": _median(stated_m[known].tolist()),
        "accuracy_p90_m": round(float(np.percentile(stated_m[known], 90)), 1) if known.any() else None,
        "unsure": round(float(unsure.mean()), 3) if some else None,
    }


def _intervals_s(ground: Ground, rows: Rows) -> list[float]:
    """How long after their device's previous fix fixes came, where it had surely moved on since."""
    trace = ground.trace
    later = rows[rows > 0]
    later = later[trace.device[later] == trace.device[later - 1]]
    way_m = distance_m(
        trace.lat_deg[later - 1], trace.lon_deg[later - 1], trace.lat_deg[later], trace.lon_deg[later]
    )
    noise_m = ground.accuracy_m[later - 1] + ground.accuracy_m[later]
    moved = later[way_m >= np.maximum(STANDING_M, noise_m)]
    intervals: list[float] = ((trace.fixed_at_us[moved] - trace.fixed_at_us[moved - 1]) / SECOND_US).tolist()
    return intervals


def _to_dwell_s(visit: Visit) -> float:
    return ((visit.dwelled_at_us or visit.entered_at_us) - visit.entered_at_us) / SECOND_US


def _unmatched(visits: Sequence[Visit], others: Sequence[Visit]) -> int:
    spans = Spans.of(others)
    return sum(not spans.touch(visit.device, visit.entered_at_us, visit.left_at_us) for visit in visits)


def _median(numbers: Sequence[float]) -> float | None:
    return round(float(np.median(numbers)), 1) if numbers else None
