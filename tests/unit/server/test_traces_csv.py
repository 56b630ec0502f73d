"""CSV traces."""

import csv
import io
from pathlib import Path

import msgspec
import pytest

from server.traces import BadRecord, Note, Record, TraceFix, TraceUnreadable, read_trace
from tests.support import shared_data

HEADER = "device,fixed_at,lat,lon"
NOON_US = 1_767_614_400_000_000


def read(folder: Path, content: str | bytes, name: str = "trace.csv") -> list[Record]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_trace(path))


def the_problem(folder: Path, row: str, header: str = HEADER) -> BadRecord:
    (record,) = read(folder, f"{header}\n{row}\n")
    assert isinstance(record, BadRecord)
    return record


def test_a_row_becomes_a_fix(tmp_path: Path) -> None:
    rows = f"{HEADER},accuracy_m,speed_mps\nphone,2026-01-05T12:00:00.5Z,60.17,-24.94,12.5,1.25\n"
    assert read(tmp_path, rows) == [
        TraceFix(
            device="phone",
            fixed_at_us=NOON_US + 500_000,
            lat_deg=60.17,
            lon_deg=-24.94,
            accuracy_m=12.5,
            speed_mps=1.25,
        )
    ]


def test_columns_come_in_any_order(tmp_path: Path) -> None:
    (fix,) = read(tmp_path, "lon, lat ,speed_mps,fixed_at,device\n2,1,3,1767614400,a\n")
    assert fix == TraceFix(device="a", fixed_at_us=NOON_US, lat_deg=1, lon_deg=2, speed_mps=3)


def test_other_columns_are_ignored_with_one_note(tmp_path: Path) -> None:
    note, fix, _ = read(tmp_path, f"{HEADER},bearing,run\na,0,1,2,90,x\na,1,1,2,90,x\n")
    assert note == Note(detail="ignored columns: 'bearing', 'run'")
    assert isinstance(fix, TraceFix)


@pytest.mark.parametrize("unknown", ["", "0", "-1"])
def test_an_accuracy_or_speed_that_phones_write_for_unknown_is_none(tmp_path: Path, unknown: str) -> None:
    (fix,) = read(tmp_path, f"{HEADER},accuracy_m\na,0,1,2,{unknown}\n")
    assert isinstance(fix, TraceFix)
    assert fix.accuracy_m is None


def test_standing_still_is_a_known_speed(tmp_path: Path) -> None:
    (fix,) = read(tmp_path, f"{HEADER},speed_mps\na,0,1,2,0\n")
    assert isinstance(fix, TraceFix)
    assert fix.speed_mps == 0


def test_byte_order_mark_crlf_and_blank_lines_are_harmless(tmp_path: Path) -> None:
    records = read(tmp_path, b"\xef\xbb\xbf" + f"{HEADER}\r\n\r\na,0,1,2\r\n\r\n".encode())
    assert records == [TraceFix(device="a", fixed_at_us=0, lat_deg=1, lon_deg=2)]


def test_a_bad_row_is_told_by_line_and_field_and_the_others_are_read(tmp_path: Path) -> None:
    first, bad, last = read(tmp_path, f"{HEADER}\na,0,1,2\na,1,north,2\na,2,1,2\n")
    assert isinstance(first, TraceFix)
    assert bad == BadRecord(
        where="line 3", field="lat", detail="'north' is not a number; write it like 60.1699"
    )
    assert isinstance(last, TraceFix)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (",0,1,2", "device"),
        (f"{'x' * 257},0,1,2", "device"),
        ("a,soon,1,2", "fixed_at"),
        ("a,0,90.0000001,2", "lat"),
        ("a,0,nan,2", "lat"),
        ("a,0,1_0,2", "lat"),
        ("a,0,٦٠,2", "lat"),
        ("a,0,,2", "lat"),
        ("a,0,1,360", "lon"),
        ("a,0,1,inf", "lon"),
        ("a,0,1", "row"),
        ("a,0,1,2,3", "row"),
    ],
)
def test_what_is_wrong_with_a_row_is_named(tmp_path: Path, row: str, field: str) -> None:
    assert the_problem(tmp_path, row).field == field


@pytest.mark.parametrize("value", ["wide", "inf", "nan"])
def test_an_accuracy_that_is_no_number_is_a_problem(tmp_path: Path, value: str) -> None:
    assert the_problem(tmp_path, f"a,0,1,2,{value}", f"{HEADER},accuracy_m").field == "accuracy_m"


def test_a_byte_that_is_no_utf_8_spoils_only_its_row(tmp_path: Path) -> None:
    bad, good = read(tmp_path, f"{HEADER}\n".encode() + b"a,\xff,1,2\na,0,1,2\n")
    assert isinstance(bad, BadRecord)
    assert isinstance(good, TraceFix)


def test_a_field_without_end_is_one_bad_row(tmp_path: Path) -> None:
    (record,) = read(tmp_path, f'{HEADER}\na,0,1,"{"2" * 200_000}\n')
    assert isinstance(record, BadRecord)
    assert record.field == "row"


@pytest.mark.parametrize("header", ["", "device,time,lat,lon", "device,fixed_at,lat,lon,lat"])
def test_a_header_without_the_columns_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(TraceUnreadable, match="device,fixed_at,lat,lon"):
        read(tmp_path, f"{header}\na,0,1,2\n")


def test_every_odd_time_and_coordinate_is_read_or_named(tmp_path: Path) -> None:
    rows = []
    for name in ("timestamps.jsonl", "coords.jsonl"):
        for case in shared_data("badinput", "own", name).read_text("utf-8").splitlines():
            # 1e309 is no JSON number to a strict reader; the text itself is what a CSV would hold.
            values = msgspec.json.decode(case.replace("1e309", '"1e309"'))
            rows.append(
                [values["name"], values.get("value", "0"), values.get("lat", "1"), values.get("lon", "2")]
            )
    content = io.StringIO()
    csv.writer(content).writerows([HEADER.split(","), *rows])
    records = read(tmp_path, content.getvalue())
    assert len(records) == len(rows)
    assert all(isinstance(record, TraceFix | BadRecord) for record in records)
    assert all(";" in record.detail for record in records if isinstance(record, BadRecord)), "no remedy"
    read_coordinates = {record.device for record in records if isinstance(record, TraceFix)}
    assert {"null island", "pole", "am twin", "neg zero", "denormal", "strings"} <= read_coordinates
    assert not {"lat>90", "lon>180", "wrap", "bools", "null", "arrays", "overflow"} & read_coordinates
