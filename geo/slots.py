"""Which slot a device has: a hash table of 16-byte digests in flat memory.

A Python dict of ten million ids takes more than 1.5 GB, this takes some 300 MB. Digests of 128 bits do not
collide: among ten million ids the odds are 1 in 10^25.
"""

import hashlib
from array import array

import numpy as np

EMPTY, REMOVED = -1, -2
WIDTH = 16  #: bytes of a digest


class Slots:
    """Hands out slots 0, 1, 2, … to ids; a removed id's slot is handed out again."""

    def __init__(self) -> None:
        self._digests = bytearray()  #: of slot i from 16 i on
        self._table = array("i", [EMPTY]) * 1024  #: open addressing; entries are slots
        self._entries = 0  #: in the table, removed ones included
        self._free: list[int] = []

    def __len__(self) -> int:
        return self.used - len(self._free)

    @property
    def used(self) -> int:
        """One more than the highest slot ever handed out."""
        return len(self._digests) // WIDTH

    def find(self, name: str) -> int | None:
        """The slot of an id; None if it has none."""
        return self._slot_at(self._place(_digest(name)))

    def add(self, name: str) -> int:
        """The slot of an id; a new one if it has none yet."""
        if 2 * (self._entries + 1) > len(self._table):
            self._rebuild()
        digest = _digest(name)
        place = self._place(digest)
        if (known := self._slot_at(place)) is not None:
            return known
        if self._free:
            slot = self._free.pop()
            self._digests[slot * WIDTH : (slot + 1) * WIDTH] = digest
        else:
            slot = self.used
            self._digests += digest
        self._table[place] = slot
        self._entries += 1
        return slot

    def remove(self, name: str) -> int:
        """Takes an id's slot away, and tells it. Raises KeyError if it has none."""
        place = self._place(_digest(name))
        slot = self._slot_at(place)
        if slot is None:
            raise KeyError(name)
        self._table[place] = REMOVED
        self._free.append(slot)
        return slot

    def _place(self, digest: bytes) -> int:
        """Where in the table a digest stands, or the empty place at which the search for it ends."""
        table, digests, mask = self._table, self._digests, len(self._table) - 1
        place = int.from_bytes(digest[:8], "little") & mask
        while (slot := table[place]) != EMPTY:
            if slot >= 0 and digests.startswith(digest, slot * WIDTH):
                break
            place = (place + 1) & mask
        return place

    def _slot_at(self, place: int) -> int | None:
        slot = self._table[place]
        return None if slot == EMPTY else slot

    def _rebuild(self) -> None:
        """A table four times as large as the living need at most, without the removed."""
        old = np.array(self._table, np.int32)
        waiting = old[old >= 0]
        self._entries = len(waiting)
        size = 1 << max(10, (3 * len(waiting)).bit_length())
        table = np.full(size, EMPTY, np.int32)
        head = np.frombuffer(self._digests, np.uint64)[::2]
        place = (head[waiting] & np.uint64(size - 1)).astype(np.int64)
        del head  # a bytearray cannot grow while it is looked at
        while len(waiting):
            # Of those that want the same place one gets it; the others try the next.
            vacant = table[place] == EMPTY
            table[place[vacant]] = waiting[vacant]
            unplaced = table[place] != waiting
            waiting, place = waiting[unplaced], (place[unplaced] + 1) & (size - 1)
        self._table = array("i", table.tobytes())


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=WIDTH).digest()
