"""Members of GeoJSON objects: limits on size, what must not be there, and reading single values."""

import math
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from geo.problem import FenceRejected, Problem, wrong

MAX_FEATURE_BYTES = 256 * 1024
#: Containers within containers: the feature is 1, a MultiPolygon's positions are 6.
MAX_DEPTH = 6

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_US = 253_370_764_800_000_000  # the year 9999
_EXAMPLE = '{"from": "2026-12-01T00:00:00Z", "until": "2026-12-24T18:00:00+02:00"}'

#: Names of WGS84 with longitude first, as files of before RFC 7946 give them.
WGS84_NAMES = frozenset(
    {
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "urn:ogc:def:crs:OGC::CRS84",
        "urn:ogc:def:crs:EPSG::4326",
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        "OGC:CRS84",
        "CRS84",
        "EPSG:4326",
    }
)


def check_size(feature: dict[str, Any]) -> None:
    """Raises FenceRejected for a feature that is too deep, too large, or holds text that no one can store."""
    level: list[Any] = [feature]
    for _ in range(MAX_DEPTH):
        level = [item for container in level for item in _items(container) if isinstance(item, dict | list)]
    found: list[Problem] = []
    if level:
        wrong(found, "too_deep", "", f"more than {MAX_DEPTH} containers within one another")
        raise FenceRejected(found)
    try:
        size = len(msgspec.json.encode(feature))
    except UnicodeEncodeError:
        wrong(found, "bad_text", "", "a text holds half of a surrogate pair")
        raise FenceRejected(found) from None
    if size > MAX_FEATURE_BYTES:
        wrong(found, "too_large", "", f"{size} bytes as JSON; {MAX_FEATURE_BYTES} are possible")
        raise FenceRejected(found)


def _items(container: Any) -> Any:
    return container.values() if isinstance(container, dict) else container


def check_members(
    value: dict[str, Any], prefix: str, forbidden: tuple[str, ...], found: list[Problem]
) -> None:
    """Checks `crs`, `bbox` and `id`, and that no member of another type of object is there (section 7.1)."""
    for name in forbidden:
        if name in value:
            detail = f"`{name}` does not belong to an object of this type"
            wrong(found, "changed_semantics", f"{prefix}{name}", detail)
    if value.get("crs") is not None and not _is_wgs84(value["crs"]):
        detail = "RFC 7946 has no `crs`: positions are WGS84 longitude and latitude; convert the file"
        wrong(found, "crs", f"{prefix}crs", detail)
    bbox = value.get("bbox")
    if bbox is not None and not (
        isinstance(bbox, list) and len(bbox) in (4, 6) and all(map(_is_finite, bbox))
    ):
        wrong(found, "bad_bbox", f"{prefix}bbox", "a bbox is an array of four or six numbers")
    identity = value.get("id")
    if identity is not None and not isinstance(identity, str) and not _is_finite(identity):
        wrong(found, "bad_id", f"{prefix}id", "an id is a string or a number")


def _is_wgs84(crs: Any) -> bool:
    properties = crs.get("properties") if isinstance(crs, dict) else None
    return isinstance(properties, dict) and properties.get("name") in tuple(WGS84_NAMES)


def _is_bbox(bbox: Any) -> bool:
    return isinstance(bbox, list) and len(bbox) in (4, 6) and all(map(_is_finite, bbox))


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def read_text(
    properties: dict[str, Any], name: str, longest: int, found: list[Problem], *, required: bool = False
) -> str | None:
    """A text property; None when it is absent or bad."""
    value, field = properties.get(name), f"properties.{name}"
    if value is None or value == "":
        if required:
            wrong(found, "missing_field", field, f"give `{name}`")
    elif not isinstance(value, str):
        wrong(found, "not_a_text", field, f"`{name}` is a string")
    elif len(value) > longest:
        wrong(found, "too_long", field, f"`{name}` has at most {longest} characters")
    elif not value.isprintable():
        wrong(found, "bad_text", field, f"`{name}` holds an unprintable character")
    else:
        return value
    return None


def read_number(
    properties: dict[str, Any], name: str, least: float, most: float, found: list[Problem]
) -> float | None:
    """A number property within bounds; None when it is absent or bad."""
    value, field = properties.get(name), f"properties.{name}"
    if value is None:
        return None
    if not _is_finite(value):
        wrong(found, "not_a_number", field, f"`{name}` is a finite number")
    elif not least <= value <= most:
        wrong(found, "out_of_range", field, f"`{name}` is {least:g} to {most:g}")
    else:
        return float(value)
    return None


def read_interval(
    properties: dict[str, Any], name: str, found: list[Problem]
) -> tuple[int | None, int | None]:
    """A property `{"from"?, "until"?}` of RFC 3339 times, in microseconds; None for an open or bad end."""
    value, field = properties.get(name), f"properties.{name}"
    if value is None:
        return None, None
    if not isinstance(value, dict) or not value:
        detail = f"`{name}` is an object with `from`, `until` or both, as in {_EXAMPLE}"
        wrong(found, "not_an_interval", field, detail)
        return None, None
    for unknown in sorted(value.keys() - {"from", "until"}):
        wrong(found, "unknown_field", f"{field}.{unknown:.40}", f"`{name}` has `from` and `until` only")
    begin, end = (_read_time(value.get(key), f"{field}.{key}", found) for key in ("from", "until"))
    if begin is not None and end is not None and begin >= end:
        wrong(found, "bad_interval", field, "`from` must be before `until`")
    return begin, end


def _read_time(value: Any, field: str, found: list[Problem]) -> int | None:
    if value is None:
        return None
    try:
        at = msgspec.convert(value, Annotated[datetime, msgspec.Meta(tz=True)])
    except msgspec.ValidationError:
        detail = f"{value!r:.60} is no RFC 3339 time with its offset from UTC, such as 2026-12-24T18:00:00Z"
        wrong(found, "bad_time", field, detail)
        return None
    at_us = (at - _EPOCH) // timedelta(microseconds=1)
    if not 0 <= at_us < _LATEST_US:
        detail = f"{value!r} is not within the years 1970 to 9998; an end that is open is left out"
        wrong(found, "bad_time", field, detail)
        return None
    return int(at_us)


def interval(begin_us: int | None, end_us: int | None) -> dict[str, str] | None:
    """The property that `read_interval` reads back; None where both ends are open."""
    ends = {"from": begin_us, "until": end_us}
    told = {
        key: (_EPOCH + timedelta(microseconds=at_us)).isoformat().replace("+00:00", "Z")
        for key, at_us in ends.items()
        if at_us is not None
    }
    return told or None


def read_bool(properties: dict[str, Any], name: str, found: list[Problem]) -> bool | None:
    """A true/false property; None when it is absent or bad."""
    value = properties.get(name)
    if value is None or isinstance(value, bool):
        return value
    wrong(found, "not_a_boolean", f"properties.{name}", f"`{name}` is true or false")
    return None
