"""Hostile and odd input: each record is accepted as it is or refused in words, in time; nothing raises."""

import base64
import csv
import datetime as dt
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.imports.formats import Format
from server.imports.judging import Accepted, Verdict
from server.imports.kinds import judge, reader
from server.imports.problem import Problem
from server.imports.report import ImportKind
from tests.support import SHARED_DATA, shared_data

TODAY = dt.date(2026, 11, 22)
LIMIT_S = 1.0


def verdicts(kind: ImportKind, data: bytes, form: Format | None = None) -> list[Verdict]:
    """The verdicts on a file's records; fails where they took longer than a second of this thread."""
    started = time.thread_time()
    read = reader(kind, data, form, today=TODAY)
    found = [(one,) if isinstance(one, Problem) else judge(kind, one) for one in read]
    assert time.thread_time() - started < LIMIT_S
    return found


def refused(found: list[Verdict]) -> list[Problem]:
    """All problems, where nothing was accepted and everything has a reason."""
    assert not [verdict for verdict in found if isinstance(verdict, Accepted)]
    problems = [problem for verdict in found if not isinstance(verdict, Accepted) for problem in verdict]
    assert all(problem.code and problem.detail for problem in problems)
    return problems


def files(*folder: str, pattern: str = "*.*json") -> list[Any]:
    """The data files of a folder as test parameters; one that is skipped where the data is absent."""
    found = sorted(SHARED_DATA.joinpath(*folder).glob(pattern))
    return [pytest.param(path, id=path.name) for path in found] or [SHARED_DATA.joinpath(*folder, "absent")]


def named(path: Path) -> bytes:
    """The file as a feature, or features, that lack no name and no store."""
    text = shared_data(*path.relative_to(SHARED_DATA).parts).read_bytes()
    names = b'"properties": {"external_id": "g", "store": "s"}'
    if b'"Feature' in text:
        return text.replace(b'"properties": {', names[:-1] + b",").replace(
            b'"properties":{', names[:-1] + b","
        )
    return b'{"type": "Feature", ' + names + b', "geometry": ' + text + b"}"


@pytest.mark.parametrize("path", files("badinput", "geojsonhint", "bad"))
def test_bad_geojson_is_refused(path: Path) -> None:
    assert refused(
        verdicts("geofences", shared_data("badinput", "geojsonhint", "bad", path.name).read_bytes())
    )


@pytest.mark.parametrize("path", files("badinput", "geojsonhint", "bad"))
def test_bad_geojson_with_a_name_and_a_store_is_refused(path: Path) -> None:
    assert refused(verdicts("geofences", named(path)))


@pytest.mark.parametrize("path", files("badinput", "geojsonhint", "good"))
def test_good_geojson_without_a_store_is_told_what_is_missing(path: Path) -> None:
    data = shared_data("badinput", "geojsonhint", "good", path.name).read_bytes()
    codes = {problem.code for problem in refused(verdicts("geofences", data))}
    assert "missing_field" in codes
    assert codes.isdisjoint({"bad_json", "not_an_object", "unknown_type"})


def _own_geojson() -> list[Any]:
    index = SHARED_DATA / "badinput" / "own" / "geojson" / "index.jsonl"
    lines = index.read_text().splitlines() if index.exists() else ['{"file": "absent", "expect": ""}']
    return [pytest.param(*json.loads(line).values(), id=json.loads(line)["file"]) for line in lines]


@pytest.mark.parametrize(("name", "expect"), _own_geojson())
def test_geojson_bombs_and_traps_are_refused(name: str, expect: str) -> None:
    data = named(shared_data("badinput", "own", "geojson", name))
    found = verdicts("geofences", data)
    if expect.startswith("reject"):
        assert refused(found)


@pytest.mark.parametrize(
    "path",
    [
        *files("badinput", "antimeridian", "tests", "data", "input"),
        *files("polygons", "earcut"),
        *files("polygons", "zones"),
        *files("polygons", "city_boundaries"),
        *files("polygons", "country"),
    ],
)
def test_shapes_of_every_kind_are_judged_in_time(path: Path) -> None:
    data = named(path)
    if path.parent.name == "earcut":
        data = data.replace(b'"geometry": ', b'"geometry": {"type": "Polygon", "coordinates": ') + b"}"
    for kind in ("geofences", "sensitive"):
        assert verdicts(kind, data)  # type: ignore[arg-type]


def _json_suite() -> list[Any]:
    path = SHARED_DATA / "badinput" / "jsontestsuite" / "test_parsing.jsonl"
    cases = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [pytest.param(case["expect"], base64.b64decode(case["b64"]), id=case["name"]) for case in cases]


@pytest.mark.parametrize(("expect", "data"), _json_suite())
@pytest.mark.parametrize("kind", ["offers", "geofences"])
def test_json_of_any_kind_is_no_offer_and_no_geofence(kind: ImportKind, expect: str, data: bytes) -> None:
    problems = refused(verdicts(kind, data, "json"))
    if expect == "reject" and data.strip():
        assert problems


def _coordinates() -> list[Any]:
    path = SHARED_DATA / "badinput" / "own" / "coords.jsonl"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("line", _coordinates())
def test_coordinates_are_numbers_on_earth_or_refused(line: str) -> None:
    at = json.loads(line)
    good = all(
        type(at[name]) in {int, float} and abs(at[name]) <= limit
        for name, limit in (("lat", 90), ("lon", 180))
    )
    (found,) = verdicts("stores", b'{"external_id": "s", ' + line.encode()[1:])
    assert isinstance(found, Accepted) == good
    if isinstance(found, Accepted):
        assert (found.body["lat"], found.body["lon"]) == (at["lat"], at["lon"])


@pytest.mark.parametrize(
    "cell", ["x", "", "1,5", "1_0", "0x10", "nan", "inf", "-Infinity", "1e999", "91", "١", "1 2", "--1"]
)
def test_a_cell_that_is_no_latitude_is_refused(cell: str) -> None:
    (problem,) = refused(verdicts("stores", f'external_id,name,lat,lon\ns,A,"{cell}",2\n'.encode(), "csv"))
    assert (problem.field, problem.line) == ("lat", 2)


def _strings() -> list[str]:
    """Every naughty string, formula and oddity there is; some are no text at all."""
    folder = SHARED_DATA / "badinput"
    if not folder.exists():
        return []
    blns = json.loads((folder / "blns" / "blns.json").read_text())
    extra = [json.loads(line) for line in (folder / "own" / "strings_extra.jsonl").read_text().splitlines()]
    formulas = (folder / "own" / "csv_formula.txt").read_text().split("\n")
    return [text for text in (*blns, *extra, *formulas) if isinstance(text, str)]


STORE = {"external_id": "s", "name": "Shoes", "lat": "1", "lon": "2", "address": "Old Street"}
PRODUCT = {"sku": "1", "name": "Trainers", "category": "Shoes", "price": "9.90", "currency": "EUR"}
OFFER = {
    "external_id": "o",
    "name": "Summer",
    "discount": {"kind": "percent", "value": 15},
    "applies_to": {},
    "valid": {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"},
    "message": {"en": {"title": "Now", "body": "Here"}},
}
FENCE = {
    "type": "Feature",
    "properties": {"external_id": "g", "store": "s", "name": "Door", "radius": 50},
    "geometry": {"type": "Point", "coordinates": [1, 2]},
}


def _csv(body: dict[str, str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([body.keys(), body.values()])
    return text.getvalue().encode(errors="surrogatepass")


def _exact_or_refused(found: list[Verdict], value: str, pick: Callable[[Any], Any]) -> None:
    assert found
    for verdict in found:
        if isinstance(verdict, Accepted):
            assert pick(verdict.body) == value
        else:
            assert all(problem.code and problem.detail for problem in verdict)


@pytest.mark.parametrize("field", ["external_id", "name", "address"])
def test_any_text_in_a_store_of_a_csv_file_is_kept_exactly_or_refused(field: str) -> None:
    shared_data("badinput")
    for text in _strings():
        found = verdicts("stores", _csv({**STORE, field: text}), "csv")
        # An empty cell is an absent field, which an address may be.
        _exact_or_refused(found, text or None, lambda body: body.get(field))  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "body"), [("stores", STORE | {"lat": 1, "lon": 2}), ("catalog", PRODUCT)])
def test_any_text_in_any_field_is_kept_exactly_or_refused(kind: ImportKind, body: dict[str, Any]) -> None:
    shared_data("badinput")
    fields = [*body, "timezone", "opening_hours", "categories", "image_url", "stores"]
    exact = {"external_id", "sku", "name", "address", "timezone", "opening_hours", "image_url"}
    for field in fields:
        for text in _strings():
            found = verdicts(kind, json.dumps({**body, field: text}).encode())
            if field in exact:
                _exact_or_refused(found, text, lambda body, field=field: body[field])  # type: ignore[misc]


@pytest.mark.parametrize("path", ["external_id", "name", "message.en.title", "message.en.body"])
def test_any_text_in_an_offer_is_kept_exactly_or_refused(path: str) -> None:
    shared_data("badinput")
    _in_json("offers", OFFER, tuple(path.split(".")))


@pytest.mark.parametrize("name", ["external_id", "store", "name"])
def test_any_text_in_a_geofence_is_kept_exactly_or_refused(name: str) -> None:
    shared_data("badinput")
    _in_json("geofences", FENCE, ("properties", name))


def _in_json(kind: ImportKind, body: dict[str, Any], path: tuple[str, ...]) -> None:
    *outer, last = path

    def holder(of: dict[str, Any]) -> dict[str, Any]:
        for name in outer:
            of = of[name]
        return of

    accepted = 0
    for text in _strings():
        changed = json.loads(json.dumps(body))
        holder(changed)[last] = text
        found = verdicts(kind, json.dumps(changed).encode())
        _exact_or_refused(found, text, lambda body: holder(body)[last])
        accepted += isinstance(found[0], Accepted)
    assert accepted > 400


@pytest.mark.parametrize(
    "data", [b"external_id,name,lat,lon\n\xe4,\xe4,1,2\n", b"external_id,name,\xe4\n", b"\xe4" * 5000]
)
def test_what_is_told_of_bytes_that_are_no_text_can_be_sent(data: bytes) -> None:
    problems = refused(verdicts("stores", data, "csv"))
    assert len(msgspec.json.encode(problems)) < 3000


def test_stores_of_other_makers_are_refused_naming_their_fields() -> None:
    data = shared_data("helsinki", "shops.geojson").read_bytes()
    assert {problem.code for problem in refused(verdicts("stores", data))} == {"unknown_field"}
    data = shared_data("stores", "osm_helsinki_stores.geojson").read_bytes()
    assert {problem.code for problem in refused(verdicts("stores", data))} == {"unknown_field"}


def test_the_sample_of_all_the_places_is_accepted() -> None:
    data = shared_data("client_samples", "alltheplaces", "dixy_ru_first2.ndgeojson").read_bytes()
    assert all(isinstance(verdict, Accepted) for verdict in verdicts("stores", data))
