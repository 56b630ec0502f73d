"""The traces, prepared for questions about single fences."""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import FloatArray
from geo.fence import Fence
from geo.index import FenceSet
from geo.transition import Rules
from server.doctor.outline import Outline
from server.doctor.places import Places, Rows
from server.doctor.stops import Stops, stops_of
from server.traces.columns import Trace

#: Fixes this near to a fence, or in it, are looked at.
NEAR_M = 100.0
#: A stop outside by no more than its fixes are accurate is at the fence; these bound that accuracy.
LEAST_REACH_M, MOST_REACH_M = 10.0, 50.0


class Sight(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The fixes in or near one fence."""

    rows: Rows  #: of the trace, ascending
    outside_m: FloatArray  #: to the boundary; negative inside
    accuracy_m: FloatArray  #: unknown ones replaced by the default


class StopsAt(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The stops at one fence: inside, or outside by no more than their fixes are accurate and in no other."""

    place: Rows  #: in the trace's stops, ascending
    outside_m: FloatArray
    nearby: int  #: stops farther outside, within 100 m, that lie in no fence at all

    def __len__(self) -> int:
        return len(self.place)


class Ground(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Fixes and stops by place."""

    trace: Trace
    accuracy_m: FloatArray  #: of each fix; unknown ones replaced by the default
    fixes: Places
    stops: Stops
    stop_places: Places
    in_a_fence: npt.NDArray[np.bool_]  #: which of the stops lie in any fence

    @classmethod
    def of(cls, trace: Trace, fences: Sequence[Fence], rules: Rules) -> "Ground":
        """Finds the stops, and sorts the fixes by place."""
        unknown = np.isnan(trace.accuracy_m)
        accuracy_m = np.where(unknown, rules.default_accuracy_m, trace.accuracy_m)
        stops = stops_of(trace, accuracy_m)
        in_a_fence = np.zeros(len(stops), bool)
        held = FenceSet.build(fences).match(stops.lat_deg, stops.lon_deg, stops.begin_us)[0]
        in_a_fence[held] = True
        return cls(
            trace=trace,
            accuracy_m=accuracy_m,
            fixes=Places.of(trace.lat_deg, trace.lon_deg),
            stops=stops,
            stop_places=Places.of(stops.lat_deg, stops.lon_deg),
            in_a_fence=in_a_fence,
        )

    def sight(self, fence: Fence, outline: Outline) -> Sight:
        """The fixes in or near a fence, in the time it is valid."""
        rows, outside_m = self.fixes.near(outline, NEAR_M)
        valid = _is_valid(fence, self.trace.fixed_at_us[rows])
        rows, outside_m = rows[valid], outside_m[valid]
        return Sight(rows=rows, outside_m=outside_m, accuracy_m=self.accuracy_m[rows])

    def stops_at(self, fence: Fence, outline: Outline) -> StopsAt:
        """The stops at a fence, begun in the time it is valid."""
        place, outside_m = self.stop_places.near(outline, NEAR_M)
        valid = _is_valid(fence, self.stops.begin_us[place])
        place, outside_m = place[valid], outside_m[valid]
        reach_m = np.clip(self.stops.accuracy_m[place], LEAST_REACH_M, MOST_REACH_M)
        free = ~self.in_a_fence[place]
        at = (outside_m <= 0) | ((outside_m <= reach_m) & free)
        return StopsAt(place=place[at], outside_m=outside_m[at], nearby=int((free & ~at).sum()))

    def rows_between(self, device: int, from_us: int, until_us: int) -> tuple[int, int]:
        """Where the fixes of a device from one time to another (both included) start and stop."""
        begin, end = self.trace.rows_of(device)
        times_us = self.trace.fixed_at_us[begin:end]
        first = np.searchsorted(times_us, from_us)
        return begin + int(first), begin + int(np.searchsorted(times_us, until_us, side="right"))


def _is_valid(fence: Fence, at_us: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    valid = np.ones(len(at_us), bool)
    if fence.valid_from_us is not None:
        valid &= at_us >= fence.valid_from_us
    if fence.valid_until_us is not None:
        valid &= at_us < fence.valid_until_us
    return valid
