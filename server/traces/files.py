"""Opens a trace file: its format by name, else by content; compressed or not; with its progress.

>>> for record in read_trace(Path("walk.gpx.gz")):
...     ...  # TraceFix, BadRecord, Untimed or Note
"""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from server.traces.csv_file import REQUIRED, read_csv
from server.traces.geojson import read_geojson
from server.traces.gpx import read_gpx
from server.traces.plt import read_plt
from server.traces.record import Reader, Record, TraceUnreadable, UnknownFormat

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READERS: dict[str, Reader] = {
    ".gpx": read_gpx,
    ".geojson": read_geojson,
    ".json": read_geojson,
    ".plt": read_plt,
    ".csv": read_csv,
}
_GZIP_MAGIC = b"\x1f\x8b"
_SNIFFED_BYTES = 4096


def read_trace(path: Path, *, on_bytes: Callable[[int], None] | None = None) -> Iterator[Record]:
    """The records of one file, in its order. `on_bytes` hears how many bytes of the file were read so far.

    The device of a format without one is the file's name without its extensions. Raises `UnknownFormat`, and
    `TraceUnreadable` where the file as a whole cannot be used (also half-way, as for a broken gzip).
    """
    with path.open("rb", buffering=0) as raw, _uncompressed(_Watched(raw, on_bytes)) as file:
        name = path.name.removesuffix(".gz")
        suffix = Path(name).suffix
        device = name.removesuffix(suffix) or name
        try:
            start = file.peek(_SNIFFED_BYTES)
            reader = READERS.get(suffix.lower()) or _reader_for(start)
            yield from reader(cast("BinaryIO", file), device)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise TraceUnreadable(f"its gzip is damaged ({error}); compress it again") from error


class _Watched(io.RawIOBase):
    """Tells how far a file has been read."""

    def __init__(self, raw: io.RawIOBase, on_bytes: Callable[[int], None] | None) -> None:
        self._raw = raw
        self._on_bytes = on_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        count = self._raw.readinto(buffer)
        if self._on_bytes is not None:
            self._on_bytes(self._raw.tell())
        return count


def _uncompressed(raw: io.RawIOBase) -> "io.BufferedReader[io.RawIOBase]":
    file = io.BufferedReader(raw)
    if file.peek(2)[:2] != _GZIP_MAGIC:
        return file
    return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=file)))


def _reader_for(start: bytes) -> Reader:
    """The format that a file without a telling name begins as."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    first_line = text.partition(b"\n")[0]
    if text.startswith(b"<") and b"<gpx" in text:
        return read_gpx
    if text.startswith(b"{"):
        return read_geojson
    if text.startswith(b"Geolife trajectory"):
        return read_plt
    if {name.encode() for name in REQUIRED} <= {cell.strip() for cell in first_line.split(b",")}:
        return read_csv
    raise UnknownFormat("it is no GPX, GeoJSON, PLT or CSV trace; convert it to one of these")
