"""Reads trace files into columns and says, file by file, what it left out and why."""

from collections.abc import Callable, Sequence
from pathlib import Path

from server.traces.columns import Trace, TraceBuilder
from server.traces.files import read_trace
from server.traces.record import BadRecord, Note, TraceError, TraceFix, TraceUnreadable

#: So many bad records of a file are listed one by one; of the others only their number is told.
LISTED_RECORDS = 100


def load_traces(
    paths: Sequence[Path], *, say: Callable[[str], None], on_bytes: Callable[[int], None] | None = None
) -> Trace:
    """The usable fixes of all files. `say` gets one line for each record or group of records left out.

    `on_bytes` hears how many bytes of all the files were read so far. Raises TraceError: a file of unknown
    format, or without a single usable record.
    """
    builder = TraceBuilder()
    read_before = 0
    for path in paths:
        try:
            _load(path, builder, say, None if on_bytes is None else _after(read_before, on_bytes))
        except TraceError as error:
            raise type(error)(f"{path}: {error}") from error
        read_before += path.stat().st_size
    return builder.build()


def _load(
    path: Path, builder: TraceBuilder, say: Callable[[str], None], on_bytes: Callable[[int], None] | None
) -> None:
    usable = bad = untimed = 0
    for record in read_trace(path, on_bytes=on_bytes):
        if isinstance(record, TraceFix):
            builder.add(record)
            usable += 1
        elif isinstance(record, BadRecord):
            bad += 1
            if bad <= LISTED_RECORDS:
                say(f"{path}: {record.where}: {record.field}: {record.detail}; skipped")
        elif isinstance(record, Note):
            say(f"{path}: {record.detail}")
        else:
            untimed += 1
    if bad > LISTED_RECORDS:
        say(f"{path}: {bad - LISTED_RECORDS} more such records skipped")
    if untimed:
        say(f"{path}: {untimed} points without a time skipped")
    if not usable:
        raise TraceUnreadable(f"no usable record ({bad} bad, {untimed} without a time)")


def _after(offset: int, on_bytes: Callable[[int], None]) -> Callable[[int], None]:
    return lambda count: on_bytes(offset + count)
