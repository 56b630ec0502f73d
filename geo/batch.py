"""Fixes of many devices in columns, which is what the engine reads."""

from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from geo.compiled import behaved
from geo.distance import FloatArray, IndexArray
from geo.fix import Fix

LEAST_ACCURACY_M = 0.015625  #: a more accurate fix is taken for this accurate, so that no sigma is zero
LARGEST = float(np.finfo(np.float32).max)


class FixBatch(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Fixes in the order they arrived; all columns are equally long."""

    device: IndexArray  #: place of the fix's device among the states given to `sense`
    lat_deg: FloatArray
    lon_deg: FloatArray
    fixed_at_us: npt.NDArray[np.int64]
    accuracy_m: FloatArray  #: NaN: unknown; to float32 precision, so that 4 bytes may keep it
    speed_mps: FloatArray  #: the same

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, Fix]]) -> "FixBatch":
        """Collects fixes, each with the place of its device."""
        kept = list(pairs)
        fixes = [fix for _, fix in kept]
        return cls(
            device=np.array([device for device, _ in kept], np.int32),
            lat_deg=np.array([fix.lat_deg for fix in fixes], np.float64),
            lon_deg=np.array([fix.lon_deg for fix in fixes], np.float64),
            fixed_at_us=np.array([fix.fixed_at_us for fix in fixes], np.int64),
            # None becomes NaN.
            accuracy_m=np.maximum(
                float32_precision(np.array([fix.accuracy_m for fix in fixes], np.float64)), LEAST_ACCURACY_M
            ),
            speed_mps=float32_precision(np.array([fix.speed_mps for fix in fixes], np.float64)),
        )

    def behaved(self) -> "FixBatch":
        """The same in arrays that compiled functions know, such as may be written to."""
        if all(getattr(self, name).flags.carray for name in FixBatch.__struct_fields__):
            return self
        return FixBatch(**{name: behaved(getattr(self, name)) for name in FixBatch.__struct_fields__})

    def take(self, order: npt.NDArray[np.integer]) -> "FixBatch":
        """Some of the fixes, in this order."""
        return FixBatch(**{name: getattr(self, name)[order] for name in FixBatch.__struct_fields__})

    def __len__(self) -> int:
        return len(self.device)


def float32_precision(numbers: FloatArray) -> FloatArray:
    """The same numbers with no more digits than a float32 holds; larger ones become its largest."""
    return np.minimum(numbers, LARGEST).astype(np.float32).astype(np.float64)
