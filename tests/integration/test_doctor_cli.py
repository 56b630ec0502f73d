"""`vicino doctor`: geofences examined by recorded traces."""

import csv
import gzip
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

import server.cli
from tests.integration.replay_files import HEADER, circle, fences, trace, vicino
from tests.support import shared_data, whole

#: Kilometres away.
FAR = {"type": "Point", "coordinates": [25.0, 60.1]}


class Run:
    """Runs the command in this process; what it printed is in `text`, `lines` (of JSON) and `errors`."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self.text = ""
        self.errors: list[str] = []

    def __call__(self, *arguments: object) -> int:
        status = server.cli.main(["doctor", *map(str, arguments)])
        self.text, errors = self._capture.readouterr()
        self.errors = errors.splitlines()
        return status

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.text.splitlines()]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


def beside(folder: Path) -> Path:
    """Six phones that each stand for five minutes a few metres outside the fence's 100 m."""
    rows: list[tuple[str, float, float]] = []
    for device in "abcdef":
        at = [0, 100, 200, 300, 400, 500]
        rows += [(device, seconds, 400 if seconds in {0, 500} else 107) for seconds in at]
    return trace(folder, *rows)


def test_doctor_alone_lists_what_it_can_examine(run: Run) -> None:
    assert run() == 0
    assert "fences  Geofences, by recorded traces." in run.text


def test_help_has_examples(run: Run) -> None:
    assert run("fences", "--help") == 0
    assert (
        "./vicino doctor fences june.csv.gz --geofences fences.geojson --propose better.geojson" in run.text
    )


def test_a_table_findings_a_proposal_and_what_helps_are_printed(run: Run, tmp_path: Path) -> None:
    assert run("fences", beside(tmp_path), "--geofences", fences(tmp_path)) == 0
    assert run.text.startswith("1 geofence, judged in accurate mode by 36 fixes of 6 devices.\n")
    assert re.search(r"\n home +100 m +6 +0 ", run.text)
    assert "6 of 6 stops at it made no visit" in run.text
    assert "radius 100 → 125 m: visits 0 → 6, dwelled 0 → 6, missed visits 6 → 0" in run.text
    assert "Widen it to where these phones stood" in run.text
    assert all(line == line.rstrip() for line in run.text.splitlines())
    assert run.errors == []


def test_json_is_one_object_a_line_for_each_fence(run: Run, tmp_path: Path) -> None:
    path = fences(tmp_path, circle("home"), circle("yard", radius=300, geometry=FAR))
    assert run("fences", beside(tmp_path), "--geofences", path, "--json") == 0
    assert [line["fence"] for line in run.lines] == ["home", "yard"]
    assert run.lines[0]["findings"][0]["code"] == "missed_visits"


def test_only_the_fences_named_are_examined(run: Run, tmp_path: Path) -> None:
    path = fences(
        tmp_path,
        circle("home"),
        circle("yard", radius=300, geometry=FAR),
        circle("park", radius=500, geometry=FAR),
    )
    named = ("--fence", "park", "--fence", "home", "--fence", "park")
    assert run("fences", beside(tmp_path), "--geofences", path, *named, "--json") == 0
    assert [line["fence"] for line in run.lines] == ["park", "home"]


def test_the_proposed_file_is_all_fences_and_does_better(run: Run, tmp_path: Path) -> None:
    path, better = (
        fences(tmp_path, circle("home"), circle("yard", radius=300, geometry=FAR)),
        tmp_path / "better.geojson",
    )
    assert run("fences", beside(tmp_path), "--geofences", path, "--propose", better, "--fence", "home") == 0
    features = msgspec.json.decode(better.read_bytes())["features"]
    assert [(one["properties"]["external_id"], one["properties"]["radius"]) for one in features] == [
        ("home", 125),
        ("yard", 300),
    ]
    assert run("fences", beside(tmp_path), "--geofences", better, "--fence", "home", "--json") == 0
    assert run.lines[0]["measures"]["wrong"] == 0
    assert run.lines[0]["proposal"] is None


def test_the_page_is_written(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "fences.html"
    assert run("fences", beside(tmp_path), "--geofences", fences(tmp_path), "--html", page) == 0
    text = page.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert text.count("<svg") == 4


def test_in_exact_mode_accuracy_is_ignored(run: Run, tmp_path: Path) -> None:
    path = fences(tmp_path)
    walk = trace(tmp_path, *((device, at, 99) for device in "abcde" for at in (0, 100, 200)))
    found = []
    for mode in ("exact", "accurate"):
        assert run("fences", walk, "--geofences", path, "--mode", mode, "--json") == 0
        found.append(run.lines[0]["measures"]["visits"])
    assert found[0] == 5


def test_disabled_fences_are_left_out_and_counted(run: Run, tmp_path: Path) -> None:
    off = circle("off")
    off["properties"]["enabled"] = False
    path = fences(tmp_path, circle("home"), off)
    assert run("fences", beside(tmp_path), "--geofences", path, "--json") == 0
    assert [line["fence"] for line in run.lines] == ["home"]
    assert run.errors == ["1 disabled geofence left out"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{trace}"], "Missing option '--geofences'"),
        (["--geofences", "{fences}"], "Missing argument"),
        (["{missing}", "--geofences", "{fences}"], "does not exist"),
        (["{trace}", "--geofences", "{fences}", "--mode", "vague"], "'vague' is not one of"),
        (["{trace}", "--geofences", "{fences}", "--fence", "moon"], "there is no geofence 'moon'"),
        (["{trace}", "--geofences", "{fences}", "--fence", "off"], "'off' is disabled"),
        (["{trace}", "--geofences", "{off}"], "all its geofences are disabled"),
        (["{trace}", "--geofences", "{fences}", "--html", "{missing}/a.html"], "there is no folder"),
        (["{trace}", "--geofences", "{trace}"], "it is not JSON"),
    ],
)
def test_bad_use_is_one_line_and_status_2(run: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    off = circle("off")
    off["properties"]["enabled"] = False
    (tmp_path / "none").mkdir()
    paths = {
        "missing": tmp_path / "missing",
        "trace": trace(tmp_path, ("a", 0, 0)),
        "fences": fences(tmp_path, circle("home"), off),
        "off": fences(tmp_path / "none", off),
    }
    assert run("fences", *(argument.format(**paths) for argument in arguments)) == 2
    assert len(run.errors) == 1
    assert run.errors[0].startswith("vicino: ")
    assert said in run.errors[0]
    assert run.text == ""


def test_a_page_that_cannot_be_written_is_bad_use(run: Run, tmp_path: Path) -> None:
    assert run("fences", beside(tmp_path), "--geofences", fences(tmp_path), "--html", "/dev/full") == 2
    assert run.errors[-1] == "vicino: /dev/full: it cannot be written (No space left on device)"


def test_a_hostile_name_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    path = fences(tmp_path, circle("[bold]a[/bold]"))
    assert run("fences", beside(tmp_path), "--geofences", path) == 0
    assert "[bold]a[/bold]" in run.text


def test_real_phones_are_judged_as_well(run: Run, tmp_path: Path) -> None:
    name = "sfba_med_freq_calibration_stationary_only.raw_location.csv.gz"
    columns = ("phone", "ts", "latitude", "longitude", "accuracy_m", "sensed_speed_mps")
    phones = tmp_path / "phones.csv"
    with gzip.open(shared_data("trajectories", "mobilitynet", name), "rt", encoding="utf-8") as source:
        rows = [",".join(row[column] for column in columns) for row in csv.DictReader(source)]
    phones.write_text("\n".join([HEADER, *rows]), "utf-8")
    path = fences(
        tmp_path, circle(radius=30, geometry={"type": "Point", "coordinates": [-122.0864, 37.3910]})
    )
    assert run("fences", phones, "--geofences", path, "--json") == 0
    assert run.lines[0]["measures"]["devices"] == 8
    assert run.lines[0]["measures"]["stops"] > 20
    assert "too_little" not in [finding["code"] for finding in run.lines[0]["findings"]]


# On a terminal


async def test_a_terminal_sees_a_progress_bar_and_the_output_stays_json(tmp_path: Path) -> None:
    path = beside(tmp_path)
    terminal, stderr = os.openpty()
    status, output, _ = await vicino(
        "doctor", "fences", str(path), "--geofences", str(fences(tmp_path)), "--json", stderr=stderr
    )
    os.close(stderr)
    shown = whole(terminal)
    assert status == 0
    assert [msgspec.json.decode(line)["fence"] for line in output.splitlines()] == ["home"]
    assert b"reading" in shown
    assert b"comparing changes" in shown
