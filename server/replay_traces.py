"""Recorded traces through the fence engine, offline: what the server would have seen, without the server."""

from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec
import numpy as np
import numpy.typing as npt

from geo.batch import FixBatch
from geo.engine import Fleet, sense, wake
from geo.index import FenceSet
from geo.transition import Rules, Transition
from server.clock import from_us
from server.traces.columns import Trace

#: Fixes judged at once: enough that the per-call work vanishes, few enough that memory stays small.
CHUNK_FIXES = 20_000


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of the replay's output."""

    event: str  #: enter | dwell | exit | pass_by
    device: str
    geofence: str  #: external id
    at: datetime  #: in JSON: RFC 3339 in UTC with `Z`, microseconds only where there are some
    lat: float  #: the causing fix
    lon: float
    confidence: float


def replay(
    trace: Trace,
    fences: FenceSet,
    rules: Rules,
    *,
    on_fixes: Callable[[int], None] = lambda _count: None,
) -> Iterator[tuple[str, Transition]]:
    """Each transition with its device: device by device in order of first appearance, each by time.

    A timer that is due by a device's last fix fires; later ones do not, for nobody knows what came after.
    """
    fleet = Fleet(fences.roll)
    for start in range(0, len(trace), CHUNK_FIXES):
        stop = min(start + CHUNK_FIXES, len(trace))
        first, last = int(trace.device[start]), int(trace.device[stop - 1])
        # A device that the previous chunk cut in two goes on in its slot.
        slots = [_slot(fleet, device) for device in range(first, last + 1)]
        told = sense(fleet, _batch(trace, start, stop, np.array(slots, np.int32), first), fences, rules)
        by_slot = told.by_slot()
        for device, slot in enumerate(slots, start=first):
            yield from ((trace.devices[device], one) for one in by_slot.get(slot, ()))
            if stop == len(trace) or trace.device[stop] != device:
                yield from _due_by_the_end(trace, device, fleet, fences, rules)
                fleet.remove(str(device))
        on_fixes(stop)


def _slot(fleet: Fleet, device: int) -> int:
    slot = fleet.find(str(device))
    return fleet.add(str(device)) if slot is None else slot


def _due_by_the_end(
    trace: Trace, device: int, fleet: Fleet, fences: FenceSet, rules: Rules
) -> Iterator[tuple[str, Transition]]:
    _, end = trace.rows_of(device)
    due = wake(fleet, [_slot(fleet, device)], int(trace.fixed_at_us[end - 1]), fences, rules)
    yield from ((trace.devices[device], transition) for _, transition in due.transitions())


def _batch(trace: Trace, start: int, stop: int, slots: npt.NDArray[np.int32], first_device: int) -> FixBatch:
    rows = slice(start, stop)
    return FixBatch(
        device=slots[trace.device[rows] - first_device],
        lat_deg=trace.lat_deg[rows],
        lon_deg=trace.lon_deg[rows],
        fixed_at_us=trace.fixed_at_us[rows],
        accuracy_m=trace.accuracy_m[rows],
        speed_mps=trace.speed_mps[rows],
    )


def line(device: str, transition: Transition) -> bytes:
    """The JSON of one transition, with its newline."""
    shown = Line(
        event=transition.kind,
        device=device,
        geofence=transition.geofence,
        at=from_us(transition.at_us),
        lat=transition.lat_deg,
        lon=transition.lon_deg,
        confidence=transition.confidence,
    )
    return msgspec.json.encode(shown) + b"\n"
