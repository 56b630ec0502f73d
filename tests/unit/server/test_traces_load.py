"""Opening trace files, and putting their fixes in order."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from server.traces import TraceFix, TraceUnreadable, UnknownFormat, read_trace
from server.traces.columns import Trace, TraceBuilder
from server.traces.load import LISTED_RECORDS, load_traces

CSV = "device,fixed_at,lat,lon\n"
GPX = (
    '<gpx><trk><trkseg><trkpt lat="1" lon="2"><time>2026-01-05T12:00:00Z</time></trkpt></trkseg></trk></gpx>'
)
GEOJSON = (
    '{"type":"Feature","geometry":{"type":"Point","coordinates":[2,1]},'
    '"properties":{"time":"2026-01-05T12:00:00Z"}}'
)
PLT = "Geolife trajectory\n" + "x\n" * 5 + "1,2,0,0,46027.5,2026-01-05,12:00:00\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def load(*paths: Path) -> tuple[Trace, list[str]]:
    said: list[str] = []
    return load_traces(paths, say=said.append), said


@pytest.mark.parametrize("content", [f"{CSV}walk,1767614400,1,2\n", GPX, GEOJSON, PLT])
@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
def test_a_file_without_a_telling_name_is_known_by_its_content(
    tmp_path: Path, content: str, pack: Callable[[str], bytes]
) -> None:
    (fix,) = read_trace(write(tmp_path / "walk", pack(content)))
    assert fix == TraceFix(device="walk", fixed_at_us=1_767_614_400_000_000, lat_deg=1, lon_deg=2)


def test_a_gzipped_file_goes_by_the_name_inside_its_name(tmp_path: Path) -> None:
    (fix,) = read_trace(write(tmp_path / "lunch.walk.GPX.gz", gzip.compress(GPX.encode())))
    assert isinstance(fix, TraceFix)
    assert fix.device == "lunch.walk"


def test_an_unknown_format_is_refused_as_bad_use(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormat, match="convert") as refused:
        load(write(tmp_path / "walk.fit", b"\x0e\x10\x43\x08.FIT"))
    assert refused.value.exit_code == 2


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(f"{CSV}a,0,1,2\n".encode() * 1000)
    for damaged in (packed[:-9], packed[:20] + b"\0\0\0\0" + packed[24:]):
        with pytest.raises(TraceUnreadable, match="damaged"):
            load(write(tmp_path / "walk.csv.gz", damaged))


def test_a_file_with_no_usable_record_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = write(tmp_path / "walk.csv", f"{CSV}a,soon,1,2\n")
    with pytest.raises(TraceUnreadable, match=r"walk\.csv: no usable record \(1 bad, 0 without a time\)"):
        load(path)


def test_each_bad_record_is_told_with_file_place_field_and_remedy(tmp_path: Path) -> None:
    trace, said = load(write(tmp_path / "walk.csv", f"{CSV}a,0,1,2\na,1,95,2\n"))
    assert len(trace) == 1
    assert said == [
        f"{tmp_path}/walk.csv: line 3: lat: '95' degrees; it must lie between -90 and 90; skipped"
    ]


def test_a_wholly_broken_file_does_not_flood_the_terminal(tmp_path: Path) -> None:
    _, said = load(write(tmp_path / "walk.csv", f"{CSV}a,0,1,2\n" + "a,soon,1,2\n" * 1000))
    assert len(said) == LISTED_RECORDS + 1
    assert said[-1].endswith("900 more such records skipped")


def test_what_a_file_says_cannot_control_the_terminal(tmp_path: Path) -> None:
    _, said = load(write(tmp_path / "walk.csv", f"{CSV}a,0,1,2\na,\x1b[2J\u202e,1,2\n"))
    assert said[0].isprintable()
    assert said[0].isascii()


def test_points_without_time_are_counted_in_one_line(tmp_path: Path) -> None:
    untimed = GPX.replace("</trkpt>", '</trkpt><trkpt lat="1" lon="2"/><trkpt lat="1" lon="2"/>')
    _, said = load(write(tmp_path / "walk.gpx", untimed))
    assert said == [f"{tmp_path}/walk.gpx: 2 points without a time skipped"]


def test_progress_reaches_the_size_of_all_files(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", f"{CSV}a,0,1,2\n" * 5000)
    second = write(tmp_path / "b.csv.gz", gzip.compress(f"{CSV}a,0,1,2\n".encode()))
    heard: list[int] = []
    load_traces([first, second], say=lambda _message: None, on_bytes=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == first.stat().st_size + second.stat().st_size


def test_fixes_are_sorted_by_time_within_devices_in_order_of_appearance() -> None:
    builder = TraceBuilder()
    for device, at_us in (("b", 3), ("a", 2), ("b", 1), ("a", 1), ("b", 2)):
        builder.add(TraceFix(device=device, fixed_at_us=at_us, lat_deg=0, lon_deg=0))
    trace = builder.build()
    named = [
        (trace.devices[device], int(at)) for device, at in zip(trace.device, trace.fixed_at_us, strict=True)
    ]
    assert named == [("b", 1), ("b", 2), ("b", 3), ("a", 1), ("a", 2)]


def test_of_equal_times_of_a_device_the_first_wins() -> None:
    builder = TraceBuilder()
    for device, lat in (("a", 1), ("b", 2), ("a", 3), ("a", 4)):
        builder.add(TraceFix(device=device, fixed_at_us=7, lat_deg=lat, lon_deg=0))
    assert builder.build().lat_deg.tolist() == [1, 2]


def test_one_device_may_come_from_several_files(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", f"{CSV}a,9,1,2\nb,1,1,2\n")
    trace, _ = load(first, write(tmp_path / "b.csv", f"{CSV}a,8,1,2\n"))
    assert trace.devices == ("a", "b")
    assert trace.fixed_at_us.tolist() == [8_000_000, 9_000_000, 1_000_000]
