"""Finds tracks that were sent before by somebody else: the same places, to the last bit, in the same order.

Two phones measure the same walk differently, if only by centimetres. So where four fixes in a row lie where
four fixes in a row of another lay, one of the two was played from the other, or both from a recording. Left
out is what coincides innocently: positions that were rounded or guessed by a network, places that repeat.

Memory is bounded: of the runs of four places one in four is remembered, chosen by its hash as document
fingerprints are (Schleimer, Wilkerson, Aiken 2003, "Winnowing"), as a number from which no place can be read;
a newer one takes the room of an older.
"""

import zlib
from array import array
from collections.abc import Sequence

import numpy as np

ACCURATE_M = 50.0  #: a worse accuracy is a network's guess, the same for all who are near
COARSE_DEG = 1e-4  #: a position on such a grid was rounded
RUNS_MOST = 1 << 18  #: remembered
ONE_IN = 4  #: of the runs is remembered
_BEFORE = 3  #: places of a device that are remembered, of the run that its next fix completes
_64_BITS = (1 << 64) - 1


class Copies:
    """The runs that were seen lately, and whose they were. A fix costs about 2 µs, few or many at once."""

    def __init__(self, runs_most: int = RUNS_MOST) -> None:
        self._runs = array("Q", bytes(8 * runs_most))
        self._owners = array("I", bytes(4 * runs_most))
        self._before = array("Q")  #: by slot `_BEFORE` places, the oldest first; 0: none

    def forget(self, slot: int) -> None:
        """Another device has this slot from now on, or none."""
        begin = _BEFORE * slot
        if begin < len(self._before):
            self._before[begin : begin + _BEFORE] = array("Q", bytes(8 * _BEFORE))

    def forget_owner(self, owner: str) -> None:
        """Nothing of hers is remembered."""
        hers = np.frombuffer(self._owners, np.uint32) == _digest(owner)
        np.frombuffer(self._runs, np.uint64)[hers] = 0

    def find(  # noqa: PLR0917 - columns of one batch
        self,
        slots: Sequence[int],
        owners: Sequence[str],
        at_us: Sequence[int],
        lat_deg: Sequence[float],
        lon_deg: Sequence[float],
        accuracy_m: Sequence[float],
    ) -> list[int]:
        """Which of these fixes complete a run of another owner's; remembers the runs of all."""
        found = []
        for row in sorted(range(len(slots)), key=at_us.__getitem__):
            lat, lon = lat_deg[row], lon_deg[row]
            if accuracy_m[row] > ACCURATE_M or (_rounded(lat) and _rounded(lon)):  # NaN, unknown, is not
                continue
            run = self._run(slots[row], hash((lat, lon)) & _64_BITS | 1)
            if run % ONE_IN == 0 and run and self._others(run, _digest(owners[row])):
                found.append(row)
        return found

    def _run(self, slot: int, place: int) -> int:
        """The run of different places that this one completes; 0 if there is none."""
        begin, before = _BEFORE * slot, self._before
        if len(before) <= begin:
            before.frombytes(bytes(8 * (2 * begin + _BEFORE - len(before))))
        first, second, third = before[begin : begin + _BEFORE]
        if place == third:
            return 0
        before[begin], before[begin + 1], before[begin + 2] = second, third, place
        run = (first, second, third, place)
        return hash(run) & _64_BITS if first and len(set(run)) == len(run) else 0

    def _others(self, run: int, owner: int) -> bool:
        """Whether a run was another's; one that is not known is remembered."""
        at = (run >> 8) % len(self._runs)
        if self._runs[at] == run:
            return self._owners[at] != owner
        self._runs[at], self._owners[at] = run, owner
        return False


def _rounded(degrees: float) -> bool:
    steps = degrees / COARSE_DEG
    return abs(steps - round(steps)) < 1e-4


def _digest(owner: str) -> int:
    return zlib.crc32(owner.encode())
