"""CSV of stores and products: delimiters, headers, quoting, and lines that cannot be read."""

import pytest

from server.imports.catalog import TABLE as PRODUCTS
from server.imports.csv_reader import Table, read_csv
from server.imports.problem import Place, Problem, Record
from server.imports.stores import TABLE as STORES
from tests.support import shared_data

HEADER = "external_id,name,lat,lon\n"


def read(text: str, table: Table = STORES) -> list[Record | Problem]:
    return list(read_csv(text.encode(), table))


def bodies(text: str, table: Table = STORES) -> list[dict[str, str]]:
    found = read(text, table)
    assert all(isinstance(record, Record) for record in found), found
    return [record.body for record in found if isinstance(record, Record)]


def problems(text: str, table: Table = STORES) -> list[tuple[str, str, int | None]]:
    return [(p.code, p.field, p.line) for p in read(text, table) if isinstance(p, Problem)]


def test_a_row_becomes_a_body_of_texts() -> None:
    assert bodies(HEADER + "s1,Shoes,60.1,24.9\n") == [
        {"external_id": "s1", "name": "Shoes", "lat": "60.1", "lon": "24.9"}
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_one_that_makes_sense_of_the_header(delimiter: str) -> None:
    text = (HEADER + "s1,Shoes,60.1,24.9\n").replace(",", delimiter)
    assert bodies(text)[0]["lon"] == "24.9"


def test_a_quoted_header_with_the_other_delimiter_inside_a_cell_is_read() -> None:
    text = '"external_id";"name";"categories"\ns1;"Shoes, and more";"a;b"\n'
    assert bodies(text) == [{"external_id": "s1", "name": "Shoes, and more", "categories": "a;b"}]


def test_quotes_line_breaks_and_blanks_inside_a_cell_are_kept() -> None:
    assert bodies(HEADER + 's1," a ""b""\r\nc ",1,2\n')[0]["name"] == ' a "b"\r\nc '


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_line_ending_ends_a_line(newline: str) -> None:
    text = (HEADER + "s1,A,1,2\n\ns2,B,1,2").replace("\n", newline)
    assert [(r.place.line, r.body["name"]) for r in read(text) if isinstance(r, Record)] == [
        (2, "A"),
        (4, "B"),
    ]


def test_an_empty_cell_means_that_the_field_is_absent() -> None:
    assert bodies("external_id,name,address\ns1,A,\n") == [{"external_id": "s1", "name": "A"}]


def test_the_header_may_be_in_capitals() -> None:
    assert bodies("External_ID, NAME\ns1,A\n") == [{"external_id": "s1", "name": "A"}]


def test_an_unknown_column_is_refused_with_the_name_it_may_mean() -> None:
    found = read("external_id,name,latitude,colour,adress\ns1,A,1,red,x\n")
    assert [(p.code, p.field) for p in found if isinstance(p, Problem)] == [
        ("unknown_column", "latitude"),
        ("unknown_column", "colour"),
        ("unknown_column", "adress"),
    ]
    details = [p.detail for p in found if isinstance(p, Problem)]
    assert "`lat`" in details[0]
    assert "known are" in details[1]
    assert "`address`" in details[2]


def test_a_missing_and_a_double_column_are_told() -> None:
    assert problems("name,name\nA,B\n") == [
        ("duplicate_column", "name", 1),
        ("missing_column", "external_id", 1),
    ]


def test_products_need_a_category() -> None:
    assert problems("sku,name\n1,A\n", PRODUCTS) == [("missing_column", "category", 1)]


def test_a_line_of_another_length_is_a_problem_of_its_own() -> None:
    found = read(HEADER + "s1,A,1,2\ns2,B,1\ns3,C,1,2\n")
    assert [type(one) for one in found] == [Record, Problem, Record]
    assert problems(HEADER + "s2,B,1\n") == [("cell_count", "", 2)]


def test_a_line_with_a_stray_quote_is_a_problem_of_its_own() -> None:
    found = read(HEADER + 's1,"A"x,1,2\ns2,B,1,2\n')
    assert isinstance(found[0], Problem)
    assert (found[0].code, found[0].line) == ("bad_csv", 2)
    assert found[1] == Record(
        Place(1, 3), {"external_id": "s2", "name": "B", "lat": "1", "lon": "2"}, texts=True
    )


def test_a_quote_that_is_never_closed_names_the_line_it_starts_on() -> None:
    assert problems(HEADER + 's1,A,1,2\ns2,"B,1,2\ns3,C,1,2\n') == [("bad_csv", "", 3)]


def test_a_cell_without_end_is_given_up() -> None:
    assert problems(HEADER + 's1,"' + "x" * 200_000 + '",1,2\n')[0][0] == "bad_csv"


def test_a_byte_that_is_not_utf8_reaches_only_its_own_record() -> None:
    found = list(read_csv(HEADER.encode() + b"s1,\xe4,1,2\ns2,B,1,2\n", STORES))
    assert isinstance(found[0], Record)
    assert found[0].body["name"] == "\udce4"
    assert isinstance(found[1], Record)


def test_a_file_of_another_programs_columns_is_refused_naming_ours() -> None:
    data = shared_data("stores", "sf_food_businesses_2015_half.csv").read_bytes()
    found = {p.field: p.detail for p in read_csv(data, STORES) if isinstance(p, Problem)}
    assert "`external_id`" in found["business_id"]
    assert "`lat`" in found["latitude"]
    assert "`lon`" in found["longitude"]
    assert "`address`" in found["postal_code"]
