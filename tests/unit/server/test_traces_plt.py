"""PLT traces, as GeoLife publishes them."""

from pathlib import Path

from server.traces import BadRecord, Record, TraceFix, read_trace

HEADER = "Geolife trajectory\nWGS 84\nAltitude is in Feet\nReserved 3\n0,2,255,My Track,0,0,2,8421376\n0\n"


def read(folder: Path, points: str) -> list[Record]:
    path = folder / "20081023025304.plt"
    path.write_text(HEADER.replace("\n", "\r\n") + points, "utf-8")
    return list(read_trace(path))


def test_points_follow_six_lines_of_header(tmp_path: Path) -> None:
    points = "39.9,116.3,0,492,39744.1201851852,2008-10-23,02:53:04\r\n"
    assert read(tmp_path, points) == [
        TraceFix(device="20081023025304", fixed_at_us=1_224_730_384_000_000, lat_deg=39.9, lon_deg=116.3)
    ]


def test_a_bad_point_is_told_by_line_and_the_others_are_read(tmp_path: Path) -> None:
    good = "39.9,116.3,0,492,39744.12,2008-10-23,02:53:04\n"
    bad = "400.1,116.3,0,492,39744.12,2008-10-23,02:53:05\n39.9,116.3\n"
    first, out_of_range, short, last = read(tmp_path, f"{good}{bad}\n{good}")
    assert isinstance(first, TraceFix)
    assert isinstance(out_of_range, BadRecord)
    assert (out_of_range.where, out_of_range.field) == ("line 8", "lat")
    assert isinstance(short, BadRecord)
    assert (short.where, short.field) == ("line 9", "row")
    assert isinstance(last, TraceFix)
