"""Numbers for geofences: small, stable, and the same in every set that descends from another.

Names are kept as bytes one after the other, and found by their hashes in sorted arrays: a million pairs of
ids take a fifth of what Python's lists and dicts of strings would.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from geo.distance import IndexArray
from geo.fences.ranges import as_view

#: So many names are held ready as strings, besides those that came one by one.
READY = 50_000
#: Numbers given out one by one are indexed with the others when there are more of them than this, …
FEW = 1_000
#: … and than this share of the others.
SHARE = 1 / 8


class Texts:
    """Strings by number, only ever added to. A zero byte follows each."""

    __slots__ = ("_bytes", "_ends")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("Q")

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> str:
        begin = self._ends[number - 1] + 1 if number else 0
        return self._bytes[begin : self._ends[number]].decode("utf-8", "surrogatepass")

    def extend(self, texts: Sequence[str]) -> None:
        """Adds some."""
        joined = ("\0".join(texts) + "\0" * bool(texts)).encode("utf-8", "surrogatepass")
        ends = (np.frombuffer(joined, np.uint8) == 0).nonzero()[0]
        if len(ends) != len(texts):  # zeros within
            ends = np.cumsum([len(text.encode("utf-8", "surrogatepass")) + 1 for text in texts]) - 1
        ends += len(self._bytes)
        self._bytes += joined
        self._ends.frombytes(ends.astype(np.uint64).tobytes())


class Roll:
    """Numbers pairs of a geofence's and its store's external ids, from 0 on, in the order they come.

    Numbers are only ever added, so sets and device tables of all versions can share one roll, and a thread
    may read it while another adds. A geofence that moves to another store gets another number.
    """

    __slots__ = ("_geofences", "_index", "_ready", "_recent", "_stores")

    def __init__(self) -> None:
        self._geofences, self._stores = Texts(), Texts()
        #: hashes of external ids in ascending order, and beside each the number
        self._index: tuple[memoryview, memoryview] = (memoryview(array("q")), memoryview(array("i")))
        self._recent: dict[str, tuple[int, ...]] = {}  # the numbers that are not in the index
        self._ready: dict[int, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._stores)

    def name(self, number: int) -> tuple[str, str]:
        """The geofence's and its store's external ids."""
        found = self._ready.get(number)
        if found is None:
            if len(self._ready) >= READY:
                self._ready = {}
            found = self._ready[number] = self._geofences[number], self._stores[number]
        return found

    def external_id(self, number: int) -> str:
        """The geofence's external id."""
        return self.name(number)[0]

    def store(self, number: int) -> str:
        """Its store's external id."""
        return self.name(number)[1]

    def numbers_of(self, external_id: str) -> Sequence[int]:
        """All numbers a geofence has had."""
        hashes, numbers = self._index
        hashed, found = hash(external_id), []
        at = bisect_left(hashes, hashed)
        while at < len(hashes) and hashes[at] == hashed:
            if self._geofences[numbers[at]] == external_id:
                found.append(numbers[at])
            at += 1
        return (*found, *self._recent.get(external_id, ()))

    def number(self, external_id: str, store: str) -> int:
        """The number of a geofence of a store, a new one if it has none yet."""
        for number in self.numbers_of(external_id):
            if self._stores[number] == store:
                return number
        number = len(self)
        self._geofences.extend([external_id])
        self._recent[external_id] = (*self._recent.get(external_id, ()), number)
        self._stores.extend([store])
        if len(self._recent) > max(FEW, SHARE * len(self._index[0])):
            pairs = [(hash(text), one) for text, numbers in self._recent.items() for one in numbers]
            self._enter(*(np.array(column) for column in zip(*pairs, strict=True)))
            self._recent = {}
        return number

    def numbers(self, external_ids: Sequence[str], stores: Sequence[str]) -> IndexArray:
        """The numbers of many, new ones for those that have none yet."""
        found = np.full(len(external_ids), -1, np.int32)
        if len(external_ids) > FEW:
            hashes = np.fromiter(map(hash, external_ids), np.int64, len(external_ids))
            new = self._surely_new(hashes, external_ids)
            found[new] = np.arange(len(self), len(self) + len(new))
            self._geofences.extend(_picked(external_ids, new))
            self._enter(hashes[new], found[new])
            self._stores.extend(_picked(stores, new))
        for i in (found < 0).nonzero()[0].tolist():
            found[i] = self.number(external_ids[i], stores[i])
        return found

    def _surely_new(self, hashes: npt.NDArray[np.int64], external_ids: Sequence[str]) -> npt.NDArray[np.intp]:
        """Those of some ids that are not known and come once, as far as their hashes tell."""
        new = np.ones(len(hashes), bool)
        in_order = np.sort(hashes)
        again = in_order[1:][in_order[1:] == in_order[:-1]]
        if len(again):
            new &= ~np.isin(hashes, again)
        known = np.asarray(self._index[0])
        if len(known):
            new &= known[np.minimum(known.searchsorted(hashes), len(known) - 1)] != hashes
        if self._recent:
            new &= ~np.fromiter(map(self._recent.__contains__, external_ids), bool, len(hashes))
        return new.nonzero()[0]

    def _enter(self, hashes: npt.NDArray[np.int64], numbers: npt.NDArray[np.integer]) -> None:
        """Adds to the index."""
        old_hashes, old_numbers = self._index
        hashes = np.concatenate([old_hashes, hashes])
        order = hashes.argsort(kind="stable" if len(old_hashes) else None)
        numbers = np.concatenate([old_numbers, numbers]).astype(np.int32)
        self._index = as_view(hashes[order]), as_view(numbers[order])


def _picked(texts: Sequence[str], index: npt.NDArray[np.intp]) -> Sequence[str]:
    return texts if len(index) == len(texts) else [texts[i] for i in index.tolist()]
