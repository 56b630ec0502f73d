"""Named places in the flow at which this process can be made to die, as `kill -9` would have it.

`VICINO_FAULT=before_commit:3` kills it the third time it comes past `before_commit`. Tests ask for that, and
nobody else should; without the variable a place costs one look at an empty dict.
"""

import os
import signal

from server.errors import BadUse

#: place -> what has happened there, and what has not.
POINTS = {
    "mid_body": "a caller is known, the body of the request is not read",
    "before_commit": "a micro-batch is decided and on its way into the journal, and not committed",
    "after_commit": "a micro-batch is committed, and nobody has an answer",
    "checkpoint": "states that lagged behind are written to their rows, and that is not committed",
    "recovering": "memory is being made again from rows and journal, an entry at a time",
    "claiming": "pushes are claimed, and that is not committed",
    "claimed": "the claim of pushes is committed, and none is sent",
    "sent": "the provider has answered for a push, and the answer is not recorded",
    "recording": "the answers for pushes are written, and not committed",
}

_left: dict[str, int] = {}


def arm(fault: str | None) -> None:
    """Lets the process die as `fault` says, `place:n`; None: nowhere. Raises BadUse for an unknown place."""
    _left.clear()
    if fault is None:
        return
    place, _, times = fault.partition(":")
    if place not in POINTS:
        raise BadUse(f"VICINO_FAULT: no place {place!r}: there are {', '.join(POINTS)}")
    _left[place] = int(times)


def passing(place: str) -> None:
    """Comes past a place. The process is gone at once where it was told to die here, uncleaned."""
    if not _left or place not in _left:
        return
    _left[place] -= 1
    if _left[place] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
