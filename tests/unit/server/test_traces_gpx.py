"""GPX traces."""

from pathlib import Path

import gpxpy
import pytest

from server.traces import BadRecord, Record, TraceFix, TraceUnreadable, Untimed, read_trace
from tests.support import shared_data

NOON_US = 1_767_614_400_000_000
GPX_1_1 = 'xmlns="http://www.topografix.com/GPX/1/1" version="1.1"'


def read(folder: Path, content: str | bytes, name: str = "walk.gpx") -> list[Record]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_trace(path))


def track(*points: str, root: str = GPX_1_1) -> str:
    return f"<gpx {root}><trk><trkseg>{''.join(points)}</trkseg></trk></gpx>"


def point(time: str | None = "2026-01-05T12:00:00Z", lat: str = "1", lon: str = "2", more: str = "") -> str:
    timed = "" if time is None else f"<time>{time}</time>"
    return f'<trkpt lat="{lat}" lon="{lon}"><ele>9</ele>{timed}{more}</trkpt>'


@pytest.mark.parametrize(
    "root", [GPX_1_1, 'xmlns="http://www.topografix.com/GPX/1/0" version="1.0"', "", 'xmlns="u:x"']
)
def test_any_version_and_namespace_is_read(tmp_path: Path, root: str) -> None:
    assert read(tmp_path, track(point(), root=root)) == [
        TraceFix(device="walk", fixed_at_us=NOON_US, lat_deg=1, lon_deg=2)
    ]


def test_all_tracks_and_segments_are_one_device(tmp_path: Path) -> None:
    segment = f"<trkseg>{point()}{point()}</trkseg>"
    records = read(tmp_path, f"<gpx><trk>{segment}{segment}</trk><trk>{segment}</trk></gpx>")
    assert [record.device for record in records if isinstance(record, TraceFix)] == ["walk"] * 6


def test_an_offset_counts_and_a_bare_time_is_utc(tmp_path: Path) -> None:
    records = read(tmp_path, track(point("2026-01-05T14:00:00+02:00"), point(" 2026-01-05T12:00:00 ")))
    assert [record.fixed_at_us for record in records if isinstance(record, TraceFix)] == [NOON_US, NOON_US]


def test_a_point_without_a_time_is_counted_as_untimed(tmp_path: Path) -> None:
    fix, untimed, empty = read(tmp_path, track(point(), point(None), point("")))
    assert isinstance(fix, TraceFix)
    assert untimed == empty == Untimed()


def test_speed_is_that_of_gpx_1_0_or_of_garmins_extension(tmp_path: Path) -> None:
    garmin = (
        '<extensions><g:TrackPointExtension xmlns:g="u:g"><g:speed>2.5</g:speed>'
        "</g:TrackPointExtension><speed>99</speed></extensions>"
    )
    records = read(tmp_path, track(point(more="<speed>1.5</speed>"), point(more=garmin), point()))
    assert [record.speed_mps for record in records if isinstance(record, TraceFix)] == [1.5, 2.5, None]


def test_waypoints_are_the_trace_of_a_file_without_a_track(tmp_path: Path) -> None:
    waypoint = '<wpt lat="1" lon="2"><time>2026-01-05T12:00:00Z</time></wpt>'
    assert len(read(tmp_path, f"<gpx>{waypoint}{waypoint}</gpx>")) == 2


def test_waypoints_beside_a_track_and_route_points_are_no_fixes(tmp_path: Path) -> None:
    timed = "<time>2026-01-05T12:00:00Z</time>"
    others = f'<wpt lat="8" lon="8">{timed}</wpt><rte><rtept lat="9" lon="9">{timed}</rtept></rte>'
    (fix,) = read(tmp_path, f"<gpx>{others}<trk><trkseg>{point()}</trkseg></trk></gpx>")
    assert isinstance(fix, TraceFix)
    assert fix.lat_deg == 1


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (point(lat="north"), "lat"),
        (point(lon="181"), "lon"),
        ('<trkpt lat="1"><time>2026-01-05T12:00:00Z</time></trkpt>', "lon"),
        (point("yesterday"), "time"),
        (point("2026-01-05"), "time"),
    ],
)
def test_a_bad_point_is_told_by_line_and_field_and_the_others_are_read(
    tmp_path: Path, bad: str, field: str
) -> None:
    first, problem, last = read(tmp_path, track(point() + "\n\n", bad, point()))
    assert isinstance(problem, BadRecord)
    assert (problem.where, problem.field) == ("line 3", field)
    assert isinstance(first, TraceFix)
    assert isinstance(last, TraceFix)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    assert len(read(tmp_path, track(point()).encode(encoding))) == 1


def test_a_doctype_is_refused_before_any_entity_is_declared(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE gpx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><gpx>&b;</gpx>'
    with pytest.raises(TraceUnreadable, match="DOCTYPE"):
        read(tmp_path, bomb)


def test_a_file_that_breaks_off_gives_its_points_and_says_where_it_ends(tmp_path: Path) -> None:
    fix, problem = read(tmp_path, track(point())[:-10])
    assert isinstance(fix, TraceFix)
    assert isinstance(problem, BadRecord)
    assert problem.field == "xml"


@pytest.mark.parametrize("content", ["", "hello", "<kml><Placemark/></kml>", "<gpx", "\0\1\2"])
def test_what_is_no_gpx_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(TraceUnreadable):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "parts",
    [
        ("trajectories", "misc", "304_to_UL_2019-02-18_0745.gpx"),
        ("trajectories", "misc", "test1.gpx"),
        ("trajectories", "misc", "andorra_for_map_matching.gpx"),
        ("client_samples", "gpx", "radar_example_waypoints.gpx"),
        ("client_samples", "gpx", "trackintel_track1.gpx"),
        ("client_samples", "constructed", "minimal.gpx"),
    ],
)
def test_real_files_read_as_gpxpy_reads_them(parts: tuple[str, ...]) -> None:
    path = shared_data(*parts)
    gpx = gpxpy.parse(path.read_text("utf-8"))
    points = [point for track in gpx.tracks for segment in track.segments for point in segment.points]
    expected = [
        (point.time.timestamp(), point.latitude, point.longitude)
        for point in points or gpx.waypoints
        if point.time is not None
    ]
    records = list(read_trace(path))
    fixes = [record for record in records if isinstance(record, TraceFix)]
    assert [(fix.fixed_at_us / 1e6, fix.lat_deg, fix.lon_deg) for fix in fixes] == expected
    assert len(records) == len(points or gpx.waypoints)
