"""Reads records from JSON: one object, an array, a FeatureCollection, or one record a line.

Each record is cut out first and decoded by itself, so that one that is too large, or wrong inside, costs
no other. Only a document whose outline cannot be followed is lost as a whole.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from geo.geojson import features_of
from geo.problem import FenceRejected
from server.imports.formats import Format
from server.imports.problem import WHOLE_FILE, Place, Problem, Record, problem_at

#: The largest record; the same limit as a geofence's.
MAX_RECORD_BYTES = 256 * 1024
#: How many lines tell one record a line from a document laid out over lines.
_PROBED_LINES = 50
#: The record separator that GeoJSON text sequences (RFC 8142) put before each record.
_SEPARATORS = b" \t\r\x1e"

_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_raw_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any = msgspec.json.Decoder()


def read_json(data: bytes, form: Format | None = None) -> Iterator[Record | Problem]:
    """The records of `data`, in order, as they came; a problem for each that is no JSON object."""
    if form == "ndjson" or (form is None and _is_one_a_line(data)):
        yield from _lines(data)
        return
    try:
        yield from _document(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if form == "json" and _is_one_a_line(data):
            yield from _lines(data)
        else:
            yield _undecodable(WHOLE_FILE, error)


def decode(raw: bytes) -> Any:
    """Decodes JSON. Raises msgspec.MsgspecError, UnicodeDecodeError or RecursionError."""
    return _any.decode(raw)


def _is_one_a_line(data: bytes) -> bool:
    """True where at least half of the first lines are objects by themselves, and there are two or more."""
    lines = [line for _, line in _numbered_lines(data, most=_PROBED_LINES)]
    return len(lines) > 1 and 2 * sum(map(_is_object, lines)) >= len(lines)


def _is_object(line: bytes) -> bool:
    try:
        _raw_members.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _numbered_lines(data: bytes, most: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their 1-based numbers."""
    start = number = given = 0
    while start < len(data) and given != most:
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        line = data[start:end].strip(_SEPARATORS)
        start, number = end + 1, number + 1
        if line:
            given += 1
            yield number, line


def _lines(data: bytes) -> Iterator[Record | Problem]:
    for index, (number, line) in enumerate(_numbered_lines(data)):
        yield _record(Place(index, number), line)


def _document(data: bytes) -> Iterator[Record | Problem]:
    """The records of one JSON document. Raises what `decode` raises where its outline is broken."""
    if data.lstrip()[:1] == b"[":
        members: list[msgspec.Raw] = _raw_list.decode(data)
    else:
        try:
            outline = _raw_members.decode(data)
        except msgspec.ValidationError:
            yield problem_at(WHOLE_FILE, "not_an_object", "", "the document is no object and no array")
            return
        if not _is_collection(outline):
            yield _record(Place(0), data)
            return
        members = _raw_list.decode(outline.pop("features"))
        wrong = list(_collection_problems(outline))
        if wrong:
            yield from wrong
            return
    for index, raw in enumerate(members):
        yield _record(Place(index), bytes(raw))


def _is_collection(outline: Mapping[str, msgspec.Raw]) -> bool:
    """True for a FeatureCollection with a list of features; anything less is judged as a record."""
    return bytes(outline.get("type", b"")) == b'"FeatureCollection"' and bytes(
        outline.get("features", b"")
    ).startswith(b"[")


def _collection_problems(outline: Mapping[str, msgspec.Raw]) -> Iterator[Problem]:
    """What is wrong with a FeatureCollection apart from its features, such as its reference system."""
    members = {name: _any.decode(raw) for name, raw in outline.items()}
    try:
        features_of({**members, "features": []})
    except FenceRejected as rejected:
        for problem in rejected.problems:
            yield problem_at(WHOLE_FILE, problem.code, problem.field, problem.detail)


def _record(place: Place, raw: bytes) -> Record | Problem:
    if len(raw) > MAX_RECORD_BYTES:
        return problem_at(place, "too_large", "", f"the record has {len(raw)} bytes")
    try:
        body = _any.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _undecodable(place, error)
    if not isinstance(body, dict):
        return problem_at(place, "not_an_object", "", "the record is no JSON object")
    return Record(place, body, len(raw))


def _undecodable(place: Place, error: Exception) -> Problem:
    if isinstance(error, RecursionError):
        return problem_at(place, "too_deep", "", "it is nested too deeply to read")
    if isinstance(error, UnicodeDecodeError):
        return problem_at(place, "bad_encoding", "", f"byte {error.start} is not UTF-8")
    return problem_at(place, "bad_json", "", str(error))
