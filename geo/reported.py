"""What a phone's own region monitoring reports: it crossed a fence, or stayed in one.

Phones are told circles to watch (`geo.region`). What they report of them is late by minutes, comes twice, and
is wrong at the edges: it is evidence. Where a fix comes with it, the fix is judged; where none does, the
report is all there is.
"""

from typing import Literal, TypeAlias

import msgspec

ReportKind: TypeAlias = Literal["enter", "exit", "dwell"]


class Report(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event of a phone's region monitoring."""

    geofence: str
    kind: ReportKind
    at_us: int  #: when the phone noticed: microseconds since the epoch, UTC
