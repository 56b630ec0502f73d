"""CSV traces: `device,fixed_at,lat,lon[,accuracy_m][,speed_mps]`, a header, columns in any order."""

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from server.traces.fields import trace_fix
from server.traces.record import BadRecord, Note, Record, TraceUnreadable, shown

REQUIRED = ("device", "fixed_at", "lat", "lon")
OPTIONAL = ("accuracy_m", "speed_mps")


class _Rows(Protocol):
    """What `csv.reader` returns."""

    line_num: int

    def __next__(self) -> list[str]: ...


def read_csv(file: BinaryIO, _device: str) -> Iterator[Record]:
    """Streams the rows of a CSV trace. Columns it does not know are ignored with one note.

    Raises `TraceUnreadable` for a header without the required columns.
    """
    # A byte that is no UTF-8 spoils its own field, not the file.
    rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline=""))
    try:
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise TraceUnreadable(f"the header is no CSV ({error}); is this a CSV file?") from error
    _check_header(header)
    extra = [name for name in header if name not in REQUIRED + OPTIONAL]
    if extra:
        yield Note(detail=f"ignored columns: {', '.join(shown(name) for name in extra)}")
    yield from _records(rows, header)


def _check_header(header: list[str]) -> None:
    wanted = f"the first line must name the columns {','.join(REQUIRED)}[,{'][,'.join(OPTIONAL)}]"
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise TraceUnreadable(f"no column {', '.join(missing)}; {wanted}")
    twice = [name for name in REQUIRED + OPTIONAL if header.count(name) > 1]
    if twice:
        raise TraceUnreadable(f"column {', '.join(twice)} appears twice; {wanted}")


def _records(rows: _Rows, header: list[str]) -> Iterator[Record]:
    device, fixed_at, lat, lon = (header.index(name) for name in REQUIRED)
    accuracy, speed = (header.index(name) if name in header else None for name in OPTIONAL)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRecord(where=f"line {rows.line_num}", field="row", detail=f"{error}; check its quotes")
            continue
        if len(row) == len(header):
            yield trace_fix(
                where=f"line {rows.line_num}",
                device=row[device],
                time=row[fixed_at],
                lat=row[lat],
                lon=row[lon],
                accuracy=None if accuracy is None else row[accuracy],
                speed=None if speed is None else row[speed],
                time_field="fixed_at",
            )
        elif row:
            detail = f"{len(row)} cells under a header of {len(header)}; check its commas and quotes"
            yield BadRecord(where=f"line {rows.line_num}", field="row", detail=detail)
