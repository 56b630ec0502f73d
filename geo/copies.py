"""Finds tracks that were sent before by somebody else: the same places, to the last bit, in the same order.

Two phones measure the same walk differently, if only by centimetres. So where four fixes in a row lie where
four fixes in a row of another lay, one of the two was played from the other, or both from a recording. Left
out is what coincides innocently: positions that were rounded or guessed by a network, places that repeat.

Memory is bounded: of the runs of four places one in four is remembered, chosen by its hash as document
fingerprints are (Schleimer, Wilkerson, Aiken 2003, "Winnowing"), as a number from which no place can be read;
a newer one takes the room of an older.
"""

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from geo.distance import FloatArray

ACCURATE_M = 50.0  #: a worse accuracy is a network's guess, the same for all who are near
COARSE_DEG = 1e-4  #: a position on such a grid was rounded
RUNS_MOST = 1 << 18  #: remembered
ONE_IN = np.uint64(4)  #: of the runs is remembered
_BEFORE = 3  #: places of a device that are remembered, of the run that its next fix completes
#: Odd constants of splitmix64 and xxHash.
_MIX = tuple(map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xC2B2AE3D27D4EB4F)))

Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]


class Copies:
    """The runs that were seen lately, and whose they were."""

    def __init__(self, runs_most: int = RUNS_MOST) -> None:
        self._runs = np.zeros(runs_most, np.uint64)
        self._owners = np.zeros(runs_most, np.uint32)
        self._before = np.zeros((64, _BEFORE), np.uint64)  #: by slot, the newest first; 0: none

    def forget(self, slot: int) -> None:
        """Another device has this slot from now on, or none."""
        if slot < len(self._before):
            self._before[slot] = 0

    def forget_owner(self, owner: str) -> None:
        """Nothing of hers is remembered."""
        self._runs[self._owners == _digest(owner)] = 0

    def find(  # noqa: PLR0917 - columns of one batch
        self,
        slots: npt.NDArray[np.int32],
        owners: Sequence[str],
        at_us: npt.NDArray[np.int64],
        lat_deg: FloatArray,
        lon_deg: FloatArray,
        accuracy_m: FloatArray,
    ) -> list[int]:
        """Which of these fixes complete a run of another owner's; remembers the runs of all."""
        rows = np.flatnonzero(_telling(lat_deg, lon_deg, accuracy_m))
        rows = rows[np.lexsort((at_us[rows], slots[rows]))]
        if not len(rows):
            return []
        while len(self._before) <= slots[rows[-1]]:
            self._before = np.concatenate([self._before, np.zeros_like(self._before)])
        place = _mixed(lat_deg[rows].view(np.uint64), lon_deg[rows].view(np.uint64)) | np.uint64(1)
        moved = place != self._lagged(slots[rows], place, 1)
        rows, place = rows[moved], place[moved]
        before = [self._lagged(slots[rows], place, lag) for lag in (1, 2, 3)]
        newest = np.flatnonzero(np.diff(slots[rows], append=-1))
        self._before[slots[rows[newest]]] = np.stack([place, *before[:-1]], axis=1)[newest]
        run = _mixed(place, *before)
        telling = np.flatnonzero(_distinct(place, *before) & (run % ONE_IN == 0))
        return self._known(rows[telling], run[telling], owners)

    def _lagged(self, slots: npt.NDArray[np.int32], place: Hashes, lag: int) -> Hashes:
        """For each row the place so many rows before it of the same device, remembered ones included."""
        at = np.arange(len(slots))
        begins = np.flatnonzero(np.diff(slots, prepend=-1))
        since = at - begins.repeat(np.diff(begins, append=len(slots)))
        remembered = self._before[slots, np.clip(lag - 1 - since, 0, _BEFORE - 1)]
        return np.where(since >= lag, place[np.maximum(at - lag, 0)], remembered)

    def _known(self, rows: npt.NDArray[np.int64], run: Hashes, owners: Sequence[str]) -> list[int]:
        """Those rows whose run was another's; the others' are remembered."""
        owner = np.array([_digest(owners[row]) for row in rows.tolist()], np.uint32)
        at = ((run >> np.uint64(8)) % np.uint64(len(self._runs))).astype(np.int64)
        new = self._runs[at] != run
        self._runs[at[new]], self._owners[at[new]] = run[new], owner[new]
        # Of two who send the same at the same moment one was written, and is the other's other.
        others = (self._runs[at] == run) & (self._owners[at] != owner)
        return [int(row) for row in rows[others]]


def _telling(lat_deg: FloatArray, lon_deg: FloatArray, accuracy_m: FloatArray) -> Flags:
    """Which positions are measured so well that two phones would differ."""
    guessed = accuracy_m > ACCURATE_M  # NaN, unknown, is not
    return np.asarray(~(guessed | (_rounded(lat_deg) & _rounded(lon_deg))))


def _rounded(degrees: FloatArray) -> Flags:
    steps = degrees / COARSE_DEG
    return np.asarray(np.abs(steps - np.rint(steps)) < 1e-4)


def _distinct(*places: Hashes) -> Flags:
    """Where there are four places, none of them twice."""
    told = np.asarray(places[-1] != 0)
    for number, one in enumerate(places):
        for other in places[:number]:
            told &= one != other
    return told


def _mixed(*parts: Hashes) -> Hashes:
    mixed = np.zeros(len(parts[0]), np.uint64)
    for part, factor in zip(parts, _MIX, strict=False):
        mixed = (mixed ^ part) * factor
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _digest(owner: str) -> int:
    return zlib.crc32(owner.encode())
