"""Visits and passages at each fence, put together from the transitions of a replay."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import msgspec
import numpy as np

from geo.distance import FloatArray
from geo.fix import SECOND_US
from geo.speed import drives_through
from geo.transition import Transition
from server.doctor.places import Rows
from server.traces.columns import Trace


class Visit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One enter, and what followed it."""

    device: int
    entered_at_us: int
    left_at_us: int  #: the exit; of a visit that is open when its device's trace ends, that end
    open: bool = False
    dwelled_at_us: int | None = None
    #: speed straight from the fix of the enter to that of the exit; None: open, or the way is lost in noise
    straight_mps: float | None = None
    passed: bool = False  #: the engine told a `pass_by` of it

    @property
    def dwelled(self) -> bool:
        """Whether it lasted the fence's `dwell_s`."""
        return self.dwelled_at_us is not None

    @property
    def waited(self) -> bool:
        """Whether it dwelled, and that took some time."""
        return self.dwelled_at_us is not None and self.dwelled_at_us > self.entered_at_us

    @property
    def lasts_s(self) -> float:
        """Its length; of an open one, what is known of it."""
        return (self.left_at_us - self.entered_at_us) / SECOND_US


class Passages(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What devices did at one fence."""

    visits: tuple[Visit, ...] = ()  #: by device and time
    crossings: int = 0  #: `pass_by` without a visit: the way between two fixes led through


class _Gathered(msgspec.Struct, kw_only=True):
    """A visit while its transitions come in."""

    left_at_us: int | None = None
    dwelled_at_us: int | None = None
    passed: bool = False


def passages_of(trace: Trace, told: Iterable[tuple[str, Transition]]) -> dict[str, Passages]:
    """The passages of each fence that saw any, by the fence's external id."""
    number = {name: place for place, name in enumerate(trace.devices)}
    gathered: dict[str, dict[tuple[int, int], _Gathered]] = {}
    crossings: dict[str, int] = {}
    for name, transition in told:
        visits = gathered.setdefault(transition.geofence, {})
        key = number[name], transition.entered_at_us
        if transition.kind == "enter":
            visits[key] = _Gathered()
        elif transition.kind == "pass_by" and key not in visits:
            crossings[transition.geofence] = crossings.get(transition.geofence, 0) + 1
        elif transition.kind == "dwell":
            visits[key].dwelled_at_us = transition.at_us
        elif transition.kind == "exit":
            visits[key].left_at_us = transition.at_us
        else:
            visits[key].passed = True
    first_row = np.searchsorted(trace.device, np.arange(len(trace.devices) + 1)).tolist()
    return {
        geofence: Passages(
            visits=tuple(_visits(trace, first_row, visits)), crossings=crossings.get(geofence, 0)
        )
        for geofence, visits in gathered.items()
    }


def _visits(
    trace: Trace, first_row: Sequence[int], gathered: dict[tuple[int, int], _Gathered]
) -> Iterator[Visit]:
    """Visits by device and time."""
    ordered = sorted(gathered)
    entered = [_row_by(trace, first_row, device, at_us) for device, at_us in ordered]
    ends = [gathered[key].left_at_us for key in ordered]
    left = [
        first_row[device + 1] - 1 if end_us is None else _row_by(trace, first_row, device, end_us)
        for (device, _), end_us in zip(ordered, ends, strict=True)
    ]
    speeds = _straight_mps(trace, np.array(entered, np.int64), np.array(left, np.int64))
    for key, end_us, row, speed_mps in zip(ordered, ends, left, speeds.tolist(), strict=True):
        yield Visit(
            device=key[0],
            entered_at_us=key[1],
            left_at_us=int(trace.fixed_at_us[row]) if end_us is None else end_us,
            open=end_us is None,
            dwelled_at_us=gathered[key].dwelled_at_us,
            straight_mps=None if end_us is None or math.isnan(speed_mps) else speed_mps,
            passed=gathered[key].passed,
        )


def _row_by(trace: Trace, first_row: Sequence[int], device: int, at_us: int) -> int:
    """The row of a device's last fix by a time."""
    first, end = first_row[device], first_row[device + 1]
    return first + int(np.searchsorted(trace.fixed_at_us[first:end], at_us, side="right")) - 1


def _straight_mps(trace: Trace, entered: Rows, left: Rows) -> FloatArray:
    """The speeds straight from one fix to another; NaN where noise may have made up the way."""
    return drives_through(
        entered_lat_deg=trace.lat_deg[entered],
        entered_lon_deg=trace.lon_deg[entered],
        entered_at_us=trace.fixed_at_us[entered],
        left_lat_deg=trace.lat_deg[left],
        left_lon_deg=trace.lon_deg[left],
        left_accuracy_m=trace.accuracy_m[left],
        left_at_us=trace.fixed_at_us[left],
        drive_mps=0.0,
    )


class Spans:
    """Spans of time of many devices, those of one device apart from each other."""

    def __init__(self, spans: Iterable[tuple[int, int, int]]) -> None:
        """From (device, begin, end), by device and time."""
        self._begin: dict[int, list[int]] = {}
        self._end: dict[int, list[int]] = {}
        for device, begin_us, end_us in spans:
            self._begin.setdefault(device, []).append(begin_us)
            self._end.setdefault(device, []).append(end_us)

    @classmethod
    def of(cls, visits: Iterable[Visit]) -> Self:
        """The times of visits."""
        return cls((visit.device, visit.entered_at_us, visit.left_at_us) for visit in visits)

    def touch(self, device: int, begin_us: int, end_us: int) -> bool:
        """Whether a span of the device has a moment in common with this one."""
        last = bisect_right(self._begin.get(device, []), end_us) - 1
        return last >= 0 and self._end[device][last] >= begin_us
