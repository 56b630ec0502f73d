"""Readers of recorded traces: GPX, GeoJSON, PLT and CSV, each plain or gzipped."""

from server.traces.files import read_trace
from server.traces.record import (
    BadRecord,
    Note,
    Record,
    TraceError,
    TraceFix,
    TraceUnreadable,
    UnknownFormat,
    Untimed,
)
from server.traces.times import time_us

__all__ = [
    "BadRecord",
    "Note",
    "Record",
    "TraceError",
    "TraceFix",
    "TraceUnreadable",
    "UnknownFormat",
    "Untimed",
    "read_trace",
    "time_us",
]
