"""GeoJSON traces (RFC 7946): Points with a time property, lines with a time for each position.

A Point's time is `properties.fixed_at`, `time` or `timestamp`. A LineString's times are an array
`properties.coordTimes` or `times` (also under `properties.coordinateProperties`, as newer converters write);
a MultiLineString's are an array of such arrays. `properties.device` names the device.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from server.traces.fields import trace_fix
from server.traces.record import BadRecord, FieldRefused, Record, TraceUnreadable, Untimed, shown

POINT_TIMES = ("fixed_at", "time", "timestamp")
LINE_TIMES = ("coordTimes", "times")


def read_geojson(file: BinaryIO, device: str) -> Iterator[Record]:
    """The positions of a FeatureCollection or a Feature; features are numbered from 1.

    Raises `TraceUnreadable` where the file is no JSON object with features.
    """
    for number, feature in enumerate(_features(file.read()), start=1):
        where = f"feature {number}"
        try:
            yield from _records(feature, where, device)
        except FieldRefused as refused:
            yield BadRecord(where=where, field="feature", detail=str(refused))


def _features(content: bytes) -> list[Any]:
    try:
        document = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError) as error:
        raise TraceUnreadable(f"it is not JSON ({error}); export the file again") from error
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "FeatureCollection" and isinstance(document.get("features"), list):
        features: list[Any] = document["features"]
        return features
    if kind == "Feature":
        return [document]
    raise TraceUnreadable("it is no FeatureCollection and no Feature; only Features can carry times")


def _records(feature: Any, where: str, device: str) -> Iterator[Record]:
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    if not isinstance(geometry, dict):
        raise FieldRefused("no geometry; give it a Point, LineString or MultiLineString")
    properties = feature.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    device = properties.get("device", device)
    for position, time, time_field in _timed_positions(geometry, properties):
        if time is None:
            yield Untimed()
            continue
        lon, lat = _lon_lat(position)
        yield trace_fix(
            where=where,
            device=device,
            time=time,
            lat=lat,
            lon=lon,
            accuracy=properties.get("accuracy_m"),
            speed=properties.get("speed_mps"),
            time_field=time_field,
        )


def _timed_positions(geometry: dict[str, Any], properties: dict[str, Any]) -> Iterator[tuple[Any, Any, str]]:
    """Each position, its time (None where it has none), and the name of the property that holds the time."""
    coordinates = geometry.get("coordinates")
    match geometry.get("type"):
        case "Point":
            name = next((name for name in POINT_TIMES if name in properties), "time")
            yield coordinates, properties.get(name), name
        case "LineString":
            times, name = _line_times(properties)
            yield from _paired(coordinates, times, name)
        case "MultiLineString":
            times, name = _line_times(properties)
            for line, line_times in zip(*_alike(coordinates, times, name), strict=True):
                yield from _paired(line, line_times, name)
        case other:
            raise FieldRefused(
                f"{shown(other)} is no trace; it must be a Point, LineString or MultiLineString"
            )


def _line_times(properties: dict[str, Any]) -> tuple[Any, str]:
    nested = properties.get("coordinateProperties")
    for holder in (properties, nested if isinstance(nested, dict) else {}):
        for name in LINE_TIMES:
            if name in holder:
                return holder[name], name
    return None, LINE_TIMES[0]


def _paired(positions: Any, times: Any, name: str) -> Iterator[tuple[Any, Any, str]]:
    positions, times = _alike(positions, times, name)
    for position, time in zip(positions, times, strict=True):
        yield position, time, name


def _alike(coordinates: Any, times: Any, name: str) -> tuple[list[Any], list[Any]]:
    """Coordinates and times as arrays of one length; a line without times gets as many absent ones."""
    if not isinstance(coordinates, list):
        raise FieldRefused("its coordinates are no array")
    if times is None:
        return coordinates, [None] * len(coordinates)
    if not isinstance(times, list) or len(times) != len(coordinates):
        raise FieldRefused(f"properties.{name} must be an array of {len(coordinates)} times, one a position")
    return coordinates, times


def _lon_lat(position: Any) -> tuple[Any, Any]:
    if not isinstance(position, list) or len(position) < 2:
        raise FieldRefused(f"{shown(position)} is no position; write [lon, lat]")
    return position[0], position[1]
