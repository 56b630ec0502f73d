"""What every reader of a trace file yields: a measured position, or why there is none.

A reader is a generator over one file. A bad record never ends it: it yields a `BadRecord` that says where,
which field and what to do, and goes on. Only a file that cannot be read at all raises `TraceUnreadable`.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

import msgspec

from server.errors import VicinoError

#: Longest piece of a file that a message repeats.
SHOWN_CHARACTERS = 40


class TraceFix(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One position of one device, as the file states it."""

    device: str
    fixed_at_us: int  #: microseconds since the epoch, UTC
    lat_deg: float
    lon_deg: float
    accuracy_m: float | None = None  #: 68 % radius; None where the file states none
    speed_mps: float | None = None


class BadRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record that was skipped, and what would make it readable."""

    where: str  #: `line 17`, or in GeoJSON `feature 3`
    field: str
    detail: str  #: what is wrong, and the remedy


class Untimed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A position without a time. Planned routes consist of these, so they are counted, not listed."""


class Note(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something about the whole file that its owner may not expect."""

    detail: str


Record = TraceFix | BadRecord | Untimed | Note

#: A reader takes the uncompressed file and the device's name for formats that carry none.
Reader = Callable[[BinaryIO, str], Iterator[Record]]


class TraceError(VicinoError):
    """Base of what reading traces can fail with."""


class TraceUnreadable(TraceError):  # noqa: N818 - it names what the file is
    """The file as a whole cannot be read; nothing of it was used. The message names the remedy."""


class UnknownFormat(TraceError):  # noqa: N818 - it names what the file is
    """Neither the file's name nor its content is one of the formats; convert it first."""

    exit_code = 2


class FieldRefused(ValueError):  # noqa: N818 - it names what became of the field
    """A field's text is not a value of its kind. The message names the remedy."""


def shown(value: object) -> str:
    """A value of the file, quoted for a message: one line, ASCII, at most `SHOWN_CHARACTERS` long."""
    text = ascii(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"
