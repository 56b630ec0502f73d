"""GPX traces: versions 1.0 and 1.1, with their namespace, another or none.

Track points are the trace. Waypoints are, in a file without a single track point (simulators write those);
beside a track they are places, not fixes. Route points are a plan and never fixes.

expat and not gpxpy, which loads the whole file, refuses all of it for one bad attribute, expands entities and
knows no line numbers. A DOCTYPE ends the parse where it begins, so no entity is ever declared.
"""

from collections.abc import Iterator
from typing import BinaryIO
from xml.parsers import expat

from server.traces.fields import trace_fix
from server.traces.record import BadRecord, Record, TraceUnreadable, Untimed

_CHUNK_BYTES = 1 << 16
_POINTS = frozenset({"trkpt", "wpt", "rtept"})
#: Where a point's speed is stated in m/s: GPX 1.0's own child, and Garmin's TrackPointExtension.
_SPEED_PARENTS = frozenset({"trkpt", "wpt", "TrackPointExtension"})
#: A text longer than any time or speed is not kept.
_LONGEST_TEXT = 100


class _Collector:
    """expat's callbacks: gathers the points of the chunk that was just parsed."""

    def __init__(self, parser: expat.XMLParserType, device: str) -> None:
        self.track: list[Record] = []
        self.waypoints: list[Record] = []
        self.track_seen = False
        self._parser = parser
        self._device = device
        self._path: list[str] = []
        self._point: dict[str, str] = {}
        self._line = 0
        self._text: list[str] | None = None
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.CharacterDataHandler = self._characters
        parser.EndElementHandler = self._end

    def _refuse_doctype(self, *_declaration: object) -> None:
        raise TraceUnreadable("it declares a DOCTYPE, which GPX never needs; remove it")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if not self._path and name != "gpx":
            raise TraceUnreadable(f"its root element is <{name[:40]}>, not <gpx>")
        parent = self._path[-1] if self._path else ""
        self._path.append(name)
        if name in _POINTS:
            self._point = attributes
            self._line = self._parser.CurrentLineNumber
        elif (name == "time" and parent in _POINTS) or (name == "speed" and parent in _SPEED_PARENTS):
            self._text = []

    def _characters(self, text: str) -> None:
        if self._text is not None and len(self._text) < _LONGEST_TEXT:
            self._text.append(text[:_LONGEST_TEXT])

    def _end(self, _tag: str) -> None:
        name = self._path.pop()
        if self._text is not None and name in ("time", "speed"):
            self._point[f"<{name}>"] = "".join(self._text).strip()
            self._text = None
        elif name == "trkpt":
            self.track_seen = True
            self.track.append(self._record())
        elif name == "wpt" and not self.track_seen:
            self.waypoints.append(self._record())

    def _record(self) -> Record:
        point = self._point
        if not point.get("<time>"):
            return Untimed()
        return trace_fix(
            where=f"line {self._line}",
            device=self._device,
            time=point["<time>"],
            lat=point.get("lat"),
            lon=point.get("lon"),
            speed=point.get("<speed>"),
            time_field="time",
            utc_if_bare=True,  # the schema: "Date and time in are in Univeral Coordinated Time (UTC)"
        )


def read_gpx(file: BinaryIO, device: str) -> Iterator[Record]:
    """Streams the points of one GPX file as one device.

    Raises `TraceUnreadable` for a DOCTYPE, another root element, or a file that is not XML from its start; a
    file that breaks off later yields its points so far and one `BadRecord`.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    collector = _Collector(parser, device)
    broken: BadRecord | None = None
    chunk = b"gpx"
    while chunk and broken is None:
        chunk = file.read(_CHUNK_BYTES)
        try:
            parser.Parse(chunk, not chunk)
        except expat.ExpatError as error:
            broken = _broken(error, collector)
        yield from collector.track
        collector.track.clear()
    if not collector.track_seen:
        yield from collector.waypoints
    if broken is not None:
        yield broken


def _broken(error: expat.ExpatError, collector: _Collector) -> BadRecord:
    reason = expat.ErrorString(error.code)
    if not collector.track_seen and not collector.waypoints:
        raise TraceUnreadable(f"line {error.lineno} is not XML ({reason}); export the file again") from error
    detail = f"not XML from here on ({reason}); export the file again"
    return BadRecord(where=f"line {error.lineno}", field="xml", detail=detail)


def _local(tag: str) -> str:
    return tag.rpartition(" ")[2]
