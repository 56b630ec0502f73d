"""Which format a body is in: by its name or content type, else by its first character."""

from typing import Literal

from server.imports.problem import WHOLE_FILE, Problem, problem_at

Format = Literal["csv", "json", "ndjson", "xml"]

_BY_CONTENT_TYPE: dict[str, Format | None] = {
    "text/csv": "csv",
    "application/json": "json",
    "application/geo+json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/geo+json-seq": "ndjson",
    "text/xml": "xml",
    "application/xml": "xml",
    "application/rss+xml": "xml",
    "application/atom+xml": "xml",
}
_BY_SUFFIX: tuple[tuple[str, Format], ...] = (
    (".csv", "csv"),
    (".tsv", "csv"),
    (".ndjson", "ndjson"),
    (".ndgeojson", "ndjson"),
    (".geojsonl", "ndjson"),
    (".jsonl", "ndjson"),
    (".xml", "xml"),
    (".rss", "xml"),
)
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def named_format(*, name: str = "", content_type: str = "") -> Format | None:
    """The format that a file's name or a request's content type states; None where they leave it open."""
    stated = _BY_CONTENT_TYPE.get(content_type.partition(";")[0].strip().lower())
    if stated is not None:
        return stated
    return next((form for suffix, form in _BY_SUFFIX if name.lower().endswith(suffix)), None)


def plain_bytes(data: bytes) -> bytes | Problem:
    """`data` without its byte order mark, or the problem that it is empty or not UTF-8 at all."""
    if data.startswith(_UTF16_BOMS):
        return problem_at(WHOLE_FILE, "bad_encoding", "", "the file is in UTF-16")
    data = data.removeprefix(_UTF8_BOM)
    if not data.strip():
        return problem_at(WHOLE_FILE, "no_records", "", "there is nothing in it")
    return data


def looks_like_json(data: bytes) -> bool:
    """True where the first character that is no white space opens an object, an array or a text sequence."""
    return data[:4096].lstrip()[:1] in {b"{", b"[", b"\x1e"}


def looks_like_xml(data: bytes) -> bool:
    """True where the first character that is no white space opens a tag."""
    return data[:4096].lstrip()[:1] == b"<"
