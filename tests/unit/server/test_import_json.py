"""JSON: objects, arrays, collections and lines; and whatever is none of these."""

import pytest

from server.imports.formats import Format, named_format, plain_bytes
from server.imports.json_reader import MAX_RECORD_BYTES, read_json
from server.imports.problem import Problem, Record


def read(text: str | bytes, form: Format | None = None) -> list[Record | Problem]:
    return list(read_json(text.encode() if isinstance(text, str) else text, form))


def told(text: str | bytes, form: Format | None = None) -> list[object]:
    return [one.body if isinstance(one, Record) else (one.code, one.index) for one in read(text, form)]


def test_an_object_is_one_record() -> None:
    assert told('{"sku": "1"}') == [{"sku": "1"}]


def test_an_object_laid_out_over_lines_is_one_record() -> None:
    assert told('{\n "sku":\n {}\n}\n') == [{"sku": {}}]


def test_an_array_is_a_record_each() -> None:
    assert told('[{"sku": "1"},\n{"sku": "2"}]') == [{"sku": "1"}, {"sku": "2"}]


def test_lines_are_a_record_each_with_their_numbers() -> None:
    found = read('{"sku": "1"}\n\n{"sku": "2"}\r\n')
    assert [(one.place.index, one.place.line) for one in found if isinstance(one, Record)] == [(0, 1), (1, 3)]


def test_one_object_alone_is_a_document_unless_lines_are_stated() -> None:
    (alone,), (line,) = read('{"a": 1}'), read('{"a": 1}', "ndjson")
    assert isinstance(alone, Record)
    assert alone.place.line is None
    assert isinstance(line, Record)
    assert line.place.line == 1


def test_a_text_sequence_is_read_as_lines() -> None:
    assert told('\x1e{"a": 1}\n\x1e{"a": 2}\n') == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("bad", ["{", '{"a": NaN}', '{"a": 1e999}', '{"a": Infinity}', "x", "1 2"])
def test_a_bad_line_is_a_problem_of_its_own(bad: str) -> None:
    assert told(f'{{"a": 1}}\n{bad}\n{{"a": 2}}') == [{"a": 1}, ("bad_json", 1), {"a": 2}]


def test_a_bad_first_line_is_a_problem_of_its_own() -> None:
    assert told('{oops\n{"a": 2}') == [("bad_json", 0), {"a": 2}]


@pytest.mark.parametrize("scalar", ["1", "null", '"x"', "[]"])
def test_a_line_that_is_no_object_is_told(scalar: str) -> None:
    assert told(f'{{"a": 1}}\n{scalar}\n{{"a": 2}}') == [{"a": 1}, ("not_an_object", 1), {"a": 2}]


@pytest.mark.parametrize("text", ["{", "[1,", '{"a": NaN}', '{"a": 1e999}', "not json", '{"a": 01}'])
def test_a_document_that_is_no_json_is_one_problem(text: str) -> None:
    assert told(text) in ([("bad_json", -1)], [("bad_json", 0)])


@pytest.mark.parametrize("text", ["null", "true", "7", '"x"'])
def test_a_document_that_is_no_list_of_anything_is_one_problem(text: str) -> None:
    assert told(text) == [("not_an_object", -1)]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '{"a": ' + "[" * 5_000 + "]" * 5_000 + "}"]
)
def test_nesting_without_end_is_one_problem(text: str) -> None:
    assert [code for code, _ in told(text)] == ["too_deep"]  # type: ignore[misc]


def test_nesting_in_one_line_costs_no_other() -> None:
    deep = '{"a": ' + "[" * 5_000 + "]" * 5_000 + "}"
    assert told(f'{{"a": 1}}\n{deep}\n{{"a": 2}}') == [{"a": 1}, ("too_deep", 1), {"a": 2}]


def test_a_record_that_is_too_large_costs_no_other() -> None:
    large = '{"a": "' + "x" * MAX_RECORD_BYTES + '"}'
    assert told(f'[{{"a": 1}}, {large}, {{"a": 2}}]') == [{"a": 1}, ("too_large", 1), {"a": 2}]


def test_bytes_that_are_not_utf8_cost_only_their_record() -> None:
    assert told(b'{"a": 1}\n{"a": "\xe4"}\n{"a": 2}') == [{"a": 1}, ("bad_encoding", 1), {"a": 2}]


def test_half_a_surrogate_pair_costs_only_its_record() -> None:
    assert told('{"a": 1}\n{"a": "\\ud800"}\n{"a": 2}') == [{"a": 1}, ("bad_json", 1), {"a": 2}]


def test_the_last_of_equal_keys_counts() -> None:
    assert told('{"a": 1, "a": 2}') == [{"a": 2}]


def test_a_collections_features_are_records() -> None:
    assert told('{"type": "FeatureCollection", "features": [{"type": "Feature"}, 7]}') == [
        {"type": "Feature"},
        ("not_an_object", 1),
    ]


def test_lines_sent_as_a_document_are_read_all_the_same() -> None:
    assert told('{"a": 1}\n{"a": 2}', "json") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("name", "content_type", "form"),
    [
        ("stores.csv", "", "csv"),
        ("STORES.CSV", "", "csv"),
        ("a.ndgeojson", "", "ndjson"),
        ("a.geojson", "", None),
        ("", "text/csv; charset=utf-8", "csv"),
        ("", "application/geo+json", "json"),
        ("", "application/octet-stream", None),
    ],
)
def test_a_name_or_content_type_may_state_the_format(
    name: str, content_type: str, form: Format | None
) -> None:
    assert named_format(name=name, content_type=content_type) == form


def test_a_byte_order_mark_is_dropped() -> None:
    assert plain_bytes(b"\xef\xbb\xbf{}") == b"{}"


def test_utf16_is_told_as_such() -> None:
    found = plain_bytes("sku\n1".encode("utf-16"))
    assert isinstance(found, Problem)
    assert found.code == "bad_encoding"


@pytest.mark.parametrize("data", [b"", b" \n\r\n", b"\xef\xbb\xbf\n"])
def test_nothing_is_told_as_such(data: bytes) -> None:
    found = plain_bytes(data)
    assert isinstance(found, Problem)
    assert found.code == "no_records"
