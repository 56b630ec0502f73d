"""PLT traces as GeoLife publishes them: six lines, then `lat,lon,0,altitude,days,date,time` in GMT."""

import io
from collections.abc import Iterator
from typing import BinaryIO

from server.traces.fields import trace_fix
from server.traces.record import BadRecord, Record

HEADER_LINES = 6
CELLS = 7


def read_plt(file: BinaryIO, device: str) -> Iterator[Record]:
    """Streams the points of one PLT file, which is one device's trajectory."""
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(lines, start=1):
        if number <= HEADER_LINES or not line.strip():
            continue
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != CELLS:
            detail = f"{len(cells)} cells; a PLT point is lat,lon,0,altitude,days,date,time"
            yield BadRecord(where=f"line {number}", field="row", detail=detail)
            continue
        lat, lon, _, _, _, date, time = cells
        # The day number (fifth cell) is the same moment rounded to a float; date and time are exact.
        yield trace_fix(
            where=f"line {number}",
            device=device,
            time=f"{date}T{time}",
            lat=lat,
            lon=lon,
            time_field="time",
            utc_if_bare=True,
        )
