"""GeoJSON traces."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.traces import BadRecord, Record, TraceFix, TraceUnreadable, Untimed, read_trace
from tests.support import shared_data

NOON = "2026-01-05T12:00:00Z"
NOON_US = 1_767_614_400_000_000


def read(folder: Path, *features: Any) -> list[Record]:
    return read_bytes(folder, msgspec.json.encode({"type": "FeatureCollection", "features": features}))


def read_bytes(folder: Path, content: bytes) -> list[Record]:
    path = folder / "walk.geojson"
    path.write_bytes(content)
    return list(read_trace(path))


def feature(kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def fix(seconds: float = 0, device: str = "walk", lon: float = 2) -> TraceFix:
    return TraceFix(device=device, fixed_at_us=NOON_US + round(seconds * 1e6), lat_deg=1, lon_deg=lon)


@pytest.mark.parametrize("name", ["fixed_at", "time", "timestamp"])
@pytest.mark.parametrize("time", [NOON, 1_767_614_400, 1_767_614_400.0, "1767614400"])
def test_a_point_takes_its_time_from_a_property(tmp_path: Path, name: str, time: Any) -> None:
    assert read(tmp_path, feature("Point", [2, 1, 99], **{name: time})) == [fix()]


def test_a_fraction_of_a_json_number_is_exact(tmp_path: Path) -> None:
    (record,) = read(tmp_path, feature("Point", [2, 1], time=1767614400.123457))
    assert isinstance(record, TraceFix)
    assert record.fixed_at_us == NOON_US + 123_457


def test_a_point_may_state_accuracy_speed_and_device(tmp_path: Path) -> None:
    (record,) = read(tmp_path, feature("Point", [2, 1], time=NOON, accuracy_m=5, speed_mps=1.5, device="a"))
    assert record == TraceFix(
        device="a", fixed_at_us=NOON_US, lat_deg=1, lon_deg=2, accuracy_m=5, speed_mps=1.5
    )


@pytest.mark.parametrize("name", ["coordTimes", "times"])
def test_a_line_takes_a_time_for_each_position(tmp_path: Path, name: str) -> None:
    times = [NOON, "2026-01-05T12:00:01Z"]
    line = feature("LineString", [[2, 1], [3, 1]], **{name: times})
    assert read(tmp_path, line) == [fix(), fix(1, lon=3)]


def test_a_multi_line_takes_times_for_each_line(tmp_path: Path) -> None:
    lines = [[[2, 1], [3, 1]], [[4, 1]]]
    times = [[NOON, "2026-01-05T12:00:01Z"], ["2026-01-05T12:00:02Z"]]
    assert read(tmp_path, feature("MultiLineString", lines, coordTimes=times)) == [
        fix(),
        fix(1, lon=3),
        fix(2, lon=4),
    ]


def test_times_may_lie_under_coordinate_properties(tmp_path: Path) -> None:
    line = feature("LineString", [[2, 1]], coordinateProperties={"times": [NOON]})
    assert read(tmp_path, line) == [fix()]


def test_one_feature_alone_is_a_trace(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + msgspec.json.encode(feature("Point", [2, 1], time=NOON))
    assert read_bytes(tmp_path, content) == [fix()]


def test_positions_without_a_time_are_counted_as_untimed(tmp_path: Path) -> None:
    line = feature("LineString", [[2, 1], [3, 1]])
    partly = feature("LineString", [[2, 1], [3, 1]], coordTimes=[None, NOON])
    assert read(tmp_path, feature("Point", [2, 1]), line, partly) == [Untimed()] * 4 + [fix(lon=3)]


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (feature("Point", [2, 91], time=NOON), "lat"),
        (feature("Point", [True, 1], time=NOON), "lon"),
        (feature("Point", [2, 1], timestamp=1_763_764_800_000), "timestamp"),
        (feature("Point", [2, 1], time=True), "time"),
        (feature("Point", [2, 1], time=NOON, device=7), "device"),
        (feature("Point", [2, 1], time=NOON, accuracy_m=[]), "accuracy_m"),
        (feature("Point", [2], time=NOON), "feature"),
        (feature("Polygon", [[[2, 1]]], time=NOON), "feature"),
        (feature("LineString", [[2, 1], [3, 1]], times=[NOON]), "feature"),
        (feature("LineString", None, times=[NOON]), "feature"),
        (feature("MultiLineString", [[[2, 1]]], times=[NOON]), "feature"),
        ({"type": "Feature", "geometry": None, "properties": None}, "feature"),
        (None, "feature"),
    ],
)
def test_a_bad_feature_is_told_by_number_and_the_others_are_read(
    tmp_path: Path, bad: Any, field: str
) -> None:
    good = feature("Point", [2, 1], time=NOON)
    first, problem, last = read(tmp_path, good, bad, good)
    assert isinstance(problem, BadRecord)
    assert (problem.where, problem.field) == ("feature 2", field)
    assert first == last == fix()


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"[]", b'{"type":"Point","coordinates":[2,1]}', b"[" * 100_000, b'{"type":NaN}'],
)
def test_what_has_no_features_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(TraceUnreadable):
        read_bytes(tmp_path, content)


def test_no_hostile_file_does_more_than_yield_problems() -> None:
    for path in sorted(shared_data("badinput", "own", "geojson").glob("*.geojson")):
        try:
            records = list(read_trace(path))
        except TraceUnreadable:
            continue
        assert not any(isinstance(record, TraceFix) for record in records)
