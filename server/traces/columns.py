"""Many fixes as columns: what the engine takes and what a million points fit in."""

from array import array

import msgspec
import numpy as np
import numpy.typing as npt

from server.traces.record import TraceFix

_NAN = float("nan")


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Fixes of any number of devices: device by device, each by time, one fix a moment."""

    devices: tuple[str, ...]  #: in order of first appearance
    device: npt.NDArray[np.int32]  #: [n] index into `devices`, ascending
    fixed_at_us: npt.NDArray[np.int64]  #: [n] strictly ascending within a device
    lat_deg: npt.NDArray[np.float64]
    lon_deg: npt.NDArray[np.float64]
    accuracy_m: npt.NDArray[np.float64]  #: nan where unknown
    speed_mps: npt.NDArray[np.float64]  #: nan where unknown

    def __len__(self) -> int:
        return len(self.fixed_at_us)

    def rows_of(self, device: int) -> tuple[int, int]:
        """Where the fixes of one device start and stop."""
        start, stop = np.searchsorted(self.device, [device, device + 1])
        return int(start), int(stop)


class TraceBuilder:
    """Gathers fixes in the order of the files, then sorts them."""

    def __init__(self) -> None:
        self._devices: dict[str, int] = {}
        self._device = array("i")
        self._fixed_at_us = array("q")
        self._lat_deg = array("d")
        self._lon_deg = array("d")
        self._accuracy_m = array("d")
        self._speed_mps = array("d")

    def __len__(self) -> int:
        return len(self._fixed_at_us)

    def add(self, fix: TraceFix) -> None:
        """Appends one fix."""
        self._device.append(self._devices.setdefault(fix.device, len(self._devices)))
        self._fixed_at_us.append(fix.fixed_at_us)
        self._lat_deg.append(fix.lat_deg)
        self._lon_deg.append(fix.lon_deg)
        self._accuracy_m.append(_NAN if fix.accuracy_m is None else fix.accuracy_m)
        self._speed_mps.append(_NAN if fix.speed_mps is None else fix.speed_mps)

    def build(self) -> Trace:
        """All fixes, sorted by device and time; of equal times of a device the first added stays."""
        device = np.array(self._device, dtype=np.int32)
        fixed_at_us = np.array(self._fixed_at_us, dtype=np.int64)
        # lexsort is stable: equal times stay in the order they came in.
        order = np.lexsort((fixed_at_us, device))
        again = np.zeros(len(order), dtype=bool)
        again[1:] = (np.diff(device[order]) == 0) & (np.diff(fixed_at_us[order]) == 0)
        kept = order[~again]
        return Trace(
            devices=tuple(self._devices),
            device=device[kept],
            fixed_at_us=fixed_at_us[kept],
            lat_deg=np.array(self._lat_deg)[kept],
            lon_deg=np.array(self._lon_deg)[kept],
            accuracy_m=np.array(self._accuracy_m)[kept],
            speed_mps=np.array(self._speed_mps)[kept],
        )
