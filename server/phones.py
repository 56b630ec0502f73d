"""The fleet of a pipeline: beside where its devices are, which fixes each has sent lately."""

from typing import Any

from geo.copies import Copies
from geo.fences.roll import Roll
from geo.fleet import Fleet
from server.pings import KEY_BYTES

SEEN_MOST = 1024  #: keys of the newest fixes of a device that are remembered, so that a resent fix is known


class Phones(Fleet):
    """A fleet that remembers keys of fixes (`Pings.keys`), and finds a device by one look into a dict.

    With `copies` it looks out for tracks that were another's. What it finds is journaled with the fixes, so
    that who reads the journal needs none.
    """

    def __init__(self, roll: Roll, copies: Copies | None = None) -> None:
        super().__init__(roll)
        self.copies = copies
        self._found: dict[str, int] = {}
        self._seen: dict[int, bytes] = {}  # by slot: keys, oldest first
        self.hints: dict[int, Any] = {}  #: by slot: what the device was told last (`server/hints.py`)

    def find(self, device_id: str) -> int | None:
        return self._found.get(device_id)

    def add(self, device_id: str, *state: Any, **named: Any) -> int:
        slot = super().add(device_id, *state, **named)
        self._found[device_id] = slot
        self._forget(slot)
        return slot

    def remove(self, device_id: str) -> None:
        super().remove(device_id)
        if (slot := self._found.pop(device_id, None)) is not None:
            self._forget(slot)

    def seen(self, slot: int) -> bytes:
        """The keys of the device's newest fixes, oldest first."""
        return self._seen.get(slot, b"")

    def note(self, slot: int, keys: bytes) -> None:
        """Remembers the keys of further fixes, and forgets the oldest for them."""
        self._seen[slot] = (self._seen.get(slot, b"") + keys)[-KEY_BYTES * SEEN_MOST :]

    def knows(self, slot: int, key: bytes) -> bool:
        """Whether a fix with this key is among those remembered."""
        seen, at = self._seen.get(slot, b""), -1
        while (at := seen.find(key, at + 1)) >= 0:
            if at % KEY_BYTES == 0:
                return True
        return False

    def _forget(self, slot: int) -> None:
        if self.copies is not None:
            self.copies.forget(slot)
        self._seen.pop(slot, None)
        self.hints.pop(slot, None)
