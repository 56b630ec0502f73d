"""Where the devices of a trace stood still: stay points (Li et al., ACM GIS 2008), made robust to noise.

`geo.stop` tells whether a device stands now; this finds all stops of recorded days in one go.

A stop is a run of a device's fixes that lasts `STANDING_US` or more, each within `STANDING_M` of the weighted
centre of those before it, or within the fix's own accuracy where that is larger. Fixes coarser than
`COARSE_M` say nothing about standing and are passed over. Two stops at one place that a few fixes astray came
between are one.
"""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import FloatArray, IndexArray, degree_lengths_m
from geo.fix import SECOND_US
from geo.stop import FINEST_M, STANDING_M, STANDING_US
from server.traces.columns import Trace

#: A fix less accurate than this does not say whether the phone stands.
COARSE_M = 100.0
#: Silence of more than this ends a stop: nobody knows where the phone was. Shorter silence is common: phones
#: save their battery by not reporting while they stand.
SILENCE_S = 1800.0
#: Stops at one place with no more than this between them are one.
APART_S = 300.0


class _Run(msgspec.Struct, kw_only=True, gc=False):
    """Fixes of a device at one place; it grows while it is being found."""

    device: int
    begin_us: int
    end_us: int
    lat_deg: float  #: the centre of its fixes, weighted by their accuracy
    lon_deg: float
    weight: float
    accuracies_m: list[float]


class Stops(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The stops of a trace in columns, by device and time."""

    device: IndexArray
    begin_us: npt.NDArray[np.int64]
    end_us: npt.NDArray[np.int64]
    lat_deg: FloatArray
    lon_deg: FloatArray
    accuracy_m: FloatArray  #: the median of its fixes

    def __len__(self) -> int:
        return len(self.device)


def stops_of(trace: Trace, accuracy_m: FloatArray) -> Stops:
    """All stops. `accuracy_m` are the fixes' accuracies, the unknown ones replaced by the default."""
    found = list(_joined(_runs(trace, accuracy_m)))
    return Stops(
        device=np.array([stop.device for stop in found], np.int32),
        begin_us=np.array([stop.begin_us for stop in found], np.int64),
        end_us=np.array([stop.end_us for stop in found], np.int64),
        lat_deg=np.array([stop.lat_deg for stop in found], np.float64),
        lon_deg=np.array([stop.lon_deg for stop in found], np.float64),
        accuracy_m=np.array([np.median(stop.accuracies_m) for stop in found], np.float64),
    )


def _runs(trace: Trace, accuracy_m: FloatArray) -> Iterator[_Run]:
    """Runs of fixes at one place that last long enough."""
    fine = np.flatnonzero(accuracy_m <= COARSE_M)
    columns: Sequence[npt.NDArray[np.generic]] = (
        trace.device[fine],
        trace.fixed_at_us[fine],
        trace.lat_deg[fine],
        trace.lon_deg[fine],
        accuracy_m[fine],
        *(scale[fine] for scale in degree_lengths_m(trace.lat_deg)),
    )
    run: _Run | None = None
    for device, at_us, lat_deg, lon_deg, accuracy, north_m, east_m in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        if run is not None and run.device == device and at_us - run.end_us <= SILENCE_S * SECOND_US:
            off_m = _way_m(lat_deg - run.lat_deg, lon_deg - run.lon_deg, north_m, east_m)
            if off_m <= max(STANDING_M, accuracy):
                _add(run, at_us, lat_deg, lon_deg, accuracy)
                continue
        if run is not None and run.end_us - run.begin_us >= STANDING_US:
            yield run
        run = _Run(
            device=device,
            begin_us=at_us,
            end_us=at_us,
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            weight=_weight(accuracy),
            accuracies_m=[accuracy],
        )
    if run is not None and run.end_us - run.begin_us >= STANDING_US:
        yield run


def _add(run: _Run, at_us: int, lat_deg: float, lon_deg: float, accuracy_m: float) -> None:
    weight = _weight(accuracy_m)
    share = weight / (run.weight + weight)
    run.end_us = at_us
    run.lat_deg += share * (lat_deg - run.lat_deg)
    run.lon_deg += share * _turned(lon_deg - run.lon_deg)
    run.weight += weight
    run.accuracies_m.append(accuracy_m)


def _weight(accuracy_m: float) -> float:
    return 1 / max(accuracy_m, FINEST_M) ** 2


def _joined(runs: Iterator[_Run]) -> Iterator[_Run]:
    """Runs, those of a device that follow one another at one place as one."""
    last: _Run | None = None
    for run in runs:
        if last is not None and _same_place(last, run):
            share = run.weight / (last.weight + run.weight)
            last.end_us = run.end_us
            last.lat_deg += share * (run.lat_deg - last.lat_deg)
            last.lon_deg += share * _turned(run.lon_deg - last.lon_deg)
            last.weight += run.weight
            last.accuracies_m += run.accuracies_m
            continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


def _same_place(last: _Run, run: _Run) -> bool:
    if last.device != run.device or run.begin_us - last.end_us > APART_S * SECOND_US:
        return False
    north_m, east_m = (float(length[0]) for length in degree_lengths_m(np.array([last.lat_deg])))
    way_m = _way_m(run.lat_deg - last.lat_deg, run.lon_deg - last.lon_deg, north_m, east_m)
    return way_m <= STANDING_M


def _way_m(lat_deg: float, lon_deg: float, north_m: float, east_m: float) -> float:
    y_m, x_m = lat_deg * north_m, _turned(lon_deg) * east_m
    return float((x_m * x_m + y_m * y_m) ** 0.5)


def _turned(lon_deg: float) -> float:
    """A difference of longitudes, the short way round."""
    return (lon_deg + 180.0) % 360.0 - 180.0
