"""`vicino replay`: traces from files through the engine, and stored days."""

import gzip
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

import server.cli
from tests.integration.replay_files import HEADER, circle, fences, trace, vicino
from tests.support import shared_data, whole


class Run:
    """Runs the command in this process; what it printed is in `lines` and `errors`."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture
        self.lines: list[dict[str, Any]] = []
        self.errors: list[str] = []

    def __call__(self, *arguments: object) -> int:
        status = server.cli.main(["replay", *map(str, arguments)])
        output, errors = self._capture.readouterr()
        self.lines = [msgspec.json.decode(line) for line in output.splitlines()]
        self.errors = errors.decode().splitlines()
        return status

    @property
    def told(self) -> list[tuple[str, str, str]]:
        return [(line["device"], line["event"], line["at"]) for line in self.lines]


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    return Run(capsysbinary)


def test_a_visit_is_an_enter_a_dwell_and_an_exit_one_json_object_a_line(run: Run, tmp_path: Path) -> None:
    path = trace(tmp_path, ("a", 0, 500), ("a", 30.5, 10), ("a", 200, 500))
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert run.lines[0] == {
        "event": "enter",
        "device": "a",
        "geofence": "home",
        "at": "1970-01-01T00:00:30.500000Z",
        "lat": 60 + 10 / 111_412,
        "lon": 25.0,
        "confidence": 1.0,
    }
    assert list(run.lines[0]) == ["event", "device", "geofence", "at", "lat", "lon", "confidence"]
    assert run.told[1:] == [
        ("a", "dwell", "1970-01-01T00:01:30.500000Z"),
        ("a", "exit", "1970-01-01T00:03:20Z"),
    ]


def test_fixes_are_sorted_by_time_and_the_first_of_equal_times_wins(run: Run, tmp_path: Path) -> None:
    path = trace(tmp_path, ("a", 20, 500), ("a", 10, 0), ("a", 10, 500), ("a", 20, 0), ("a", 0, 500))
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert run.told == [("a", "enter", "1970-01-01T00:00:10Z"), ("a", "exit", "1970-01-01T00:00:20Z")]


def test_a_trace_that_ends_inside_has_no_exit_but_the_dwell_it_reached(run: Run, tmp_path: Path) -> None:
    path = trace(tmp_path, ("short", 0, 0), ("short", 59, 0), ("long", 0, 0), ("long", 60, 0), ("one", 9, 0))
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert run.told == [
        ("short", "enter", "1970-01-01T00:00:00Z"),
        ("long", "enter", "1970-01-01T00:00:00Z"),
        ("long", "dwell", "1970-01-01T00:01:00Z"),
        ("one", "enter", "1970-01-01T00:00:09Z"),
    ]


def test_a_dwell_comes_before_the_exit_at_its_very_time(run: Run, tmp_path: Path) -> None:
    path = trace(tmp_path, ("a", 0, 0), ("a", 60, 500))
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert [event for _, event, _ in run.told] == ["enter", "dwell", "exit"]


def test_a_visit_of_many_silent_hours_is_one_visit_in_exact_mode(run: Run, tmp_path: Path) -> None:
    path = trace(tmp_path, ("a", 0, 0), ("a", 80_000, 0), ("a", 80_001, 500))
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert [event for _, event, _ in run.told] == ["enter", "dwell", "exit"]


def test_exact_mode_ignores_accuracy_and_the_default_does_not(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "coarse.csv"
    path.write_text(f"{HEADER}\na,0,60.0,25.0,3000,\n", "utf-8")
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert [event for _, event, _ in run.told] == ["enter"]
    assert run(path, "--geofences", fences(tmp_path)) == 0
    assert run.told == []


def test_devices_come_in_order_of_first_appearance_over_all_files(run: Run, tmp_path: Path) -> None:
    first = trace(tmp_path, ("b", 5, 0), ("a", 1, 0), name="1.csv")
    second = trace(tmp_path, ("c", 0, 0), ("b", 2, 500), ("b", 9, 500), name="2.csv")
    assert run(first, second, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert [(device, event) for device, event, _ in run.told] == [
        ("b", "enter"),
        ("b", "exit"),
        ("a", "enter"),
        ("c", "enter"),
    ]


def test_a_device_cut_by_a_chunk_goes_on_with_its_visit(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [(device, at * 30, 0 if at % 5 else 500) for device in "abc" for at in range(23)]
    path = trace(tmp_path, *steps)
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    whole = run.lines
    assert len(whole) > 30
    for chunk in (1, 2, 7, 23):
        monkeypatch.setattr("server.replay_traces.CHUNK_FIXES", chunk)
        assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
        assert run.lines == whole


def test_gpx_geojson_plt_and_csv_tell_the_same(run: Run, tmp_path: Path) -> None:
    times = ["2026-01-05T12:00:00Z", "2026-01-05T12:00:30Z", "2026-01-05T12:03:00Z"]
    lats = [60.01, 60.0, 60.01]
    both = list(zip(times, lats, strict=True))
    points = "".join(f'<trkpt lat="{lat}" lon="25"><time>{time}</time></trkpt>' for time, lat in both)
    positions = [[25, lat] for lat in lats]
    line = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": positions}}
    files = {
        "walk.gpx": f"<gpx><trk><trkseg>{points}</trkseg></trk></gpx>".encode(),
        "walk.geojson": msgspec.json.encode(line | {"properties": {"coordTimes": times}}),
        "walk.plt": (
            "x\n" * 6 + "".join(f"{lat},25,0,0,0,{t[:10]},{t[11:19]}\n" for t, lat in both)
        ).encode(),
        "walk.csv.gz": gzip.compress(
            ("device,fixed_at,lat,lon\n" + "".join(f"walk,{t},{lat},25\n" for t, lat in both)).encode()
        ),
    }
    answers = []
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert run(tmp_path / name, "--geofences", fences(tmp_path), "--mode", "exact") == 0
        answers.append(run.told)
    assert answers == [answers[0]] * 4
    assert [event for _, event, _ in answers[0]] == ["enter", "dwell", "exit"]


def test_bad_records_are_told_on_stderr_and_the_rest_is_replayed(run: Run, tmp_path: Path) -> None:
    path = trace(tmp_path, ("a", 0, 0))
    path.write_text(path.read_text("utf-8") + "a,soon,60,25,,\n", "utf-8")
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert len(run.told) == 1
    (error,) = run.errors
    assert "trace.csv: line 3: fixed_at: 'soon' is not a time; write RFC 3339" in error


def test_a_file_without_a_usable_record_fails(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text(f"{HEADER}\n", "utf-8")
    assert run(path, "--geofences", fences(tmp_path)) == 1
    assert run.errors == [f"vicino: {path}: no usable record (0 bad, 0 without a time)"]


def test_a_gpx_file_without_times_fails(run: Run, tmp_path: Path) -> None:
    path = shared_data("trajectories", "misc", "andorra_for_map_matching.gpx")
    assert run(path, "--geofences", fences(tmp_path)) == 1
    assert run.errors[0].endswith("21 points without a time skipped")


@pytest.mark.parametrize(
    "arguments",
    [
        ["{odd}", "--geofences", "{fences}"],
        ["{missing}", "--geofences", "{fences}"],
        ["{trace}", "--geofences", "{missing}"],
        ["{trace}"],
        ["{trace}", "--geofences", "{fences}", "--mode", "vague"],
        ["{trace}", "--geofences", "{fences}", "--app-key", "k"],
        ["{trace}", "--geofences", "{fences}", "--keep-times"],
        ["{trace}", "--geofences", "{fences}", "--retailer", "r"],
        ["{trace}", "--url", "http://127.0.0.1:1"],
        ["{trace}", "--url", "127.0.0.1:1", "--app-key", "k"],
        ["{trace}", "--url", "http://127.0.0.1:1", "--app-key", "k", "--geofences", "{fences}"],
        ["{trace}", "--url", "http://127.0.0.1:1", "--app-key", "k", "--mode", "exact"],
        ["--geofences", "{fences}"],
        ["--retailer", "r"],
        ["--retailer", "r", "--day", "yesterday"],
        [],
    ],
)
def test_bad_use_is_one_line_and_status_2(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "odd.bin").write_bytes(b"\0\1\2")
    paths = {
        "odd": tmp_path / "odd.bin",
        "missing": tmp_path / "missing.csv",
        "trace": trace(tmp_path, ("a", 0, 0)),
        "fences": fences(tmp_path),
    }
    assert run(*(argument.format(**paths) for argument in arguments)) == 2
    assert len(run.errors) == 1
    assert run.lines == []


def test_a_fence_needs_no_store_and_may_be_named_by_its_features_id(run: Run, tmp_path: Path) -> None:
    path = fences(tmp_path, circle(None, id=7), circle("b"))
    assert run(trace(tmp_path, ("a", 0, 0)), "--geofences", path, "--mode", "exact") == 0
    assert [line["geofence"] for line in run.lines] == ["7", "b"]


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([circle(None)], "feature 1: properties.external_id"),
        ([circle("a"), circle("a")], "feature 2: properties.external_id"),
        ([circle("a", radius=1)], "feature 1: properties.radius"),
        ([circle("a") | {"properties": [1]}], "feature 1: properties"),
    ],
)
def test_a_bad_fence_is_named_and_nothing_is_replayed(
    run: Run, tmp_path: Path, features: list[dict[str, Any]], said: str
) -> None:
    assert run(trace(tmp_path, ("a", 0, 0)), "--geofences", fences(tmp_path, *features)) == 2
    assert said in run.errors[0]
    assert run.errors[-1].startswith("vicino: ")
    assert run.lines == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"type":"FeatureCollection","features":[]}'])
def test_a_file_without_fences_is_bad_use(run: Run, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fences.geojson"
    path.write_bytes(content)
    assert run(trace(tmp_path, ("a", 0, 0)), "--geofences", path) == 2


async def test_a_stored_day_on_which_nothing_happened_is_one_line_and_a_failure(database_url: str) -> None:
    environment = {"VICINO_DATABASE_URL": database_url}
    status, output, _ = await vicino("retailer", "create", "Shoes", "--json", environment=environment)
    assert status == 0
    retailer = msgspec.json.decode(output)["retailer_id"]
    day = ("--retailer", retailer, "--day", "2026-01-05")
    status, output, errors = await vicino("replay", *day, environment=environment)
    assert (status, output, len(errors.splitlines())) == (1, b"", 1)
    assert b"nothing is stored of 2026-01-05" in errors


async def test_a_stored_day_of_nobody_is_one_line_and_a_failure(database_url: str) -> None:
    status, output, errors = await vicino(
        *("replay", "--retailer", "rtl_nobody", "--day", "2026-01-05"),
        environment={"VICINO_DATABASE_URL": database_url},
    )
    assert (status, output, len(errors.splitlines())) == (1, b"", 1)


# On a terminal


async def test_a_terminal_sees_a_progress_bar_and_the_output_stays_json(tmp_path: Path) -> None:
    path = trace(tmp_path, ("a", 0, 0), ("a", 50, 200))
    terminal, stderr = os.openpty()
    status, output, _ = await vicino("replay", str(path), "--geofences", str(fences(tmp_path)), stderr=stderr)
    os.close(stderr)
    shown = whole(terminal)
    assert status == 0
    assert [msgspec.json.decode(line)["event"] for line in output.splitlines()] == ["enter", "exit"]
    assert b"reading" in shown
    assert b"judging" in shown
