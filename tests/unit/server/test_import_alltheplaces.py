"""All The Places: ids, names, addresses, categories, and places that have closed."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from server.imports.problem import Problem, Record
from server.imports.stores import read_stores
from tests.support import shared_data

TODAY = dt.date(2026, 11, 22)
POINT = {"type": "Point", "coordinates": [24.9, 60.1]}


def read(*features: dict[str, Any]) -> list[Record | Problem]:
    return list(read_stores(b"\n".join(map(msgspec.json.encode, features)), None, today=TODAY))


def feature(geometry: Any = POINT, **properties: Any) -> dict[str, Any]:
    named = {"@spider": "shops", "ref": "7", "name": "Shoes"} | properties
    return {"type": "Feature", "id": "random", "properties": named, "geometry": geometry}


def body(geometry: Any = POINT, **properties: Any) -> dict[str, Any]:
    (found,) = read(feature(geometry, **properties))
    assert isinstance(found, Record), found
    return found.body


def problem(geometry: Any = POINT, **properties: Any) -> Problem:
    (found,) = read(feature(geometry, **properties))
    assert isinstance(found, Problem), found
    return found


def test_the_sample_is_read_as_it_comes() -> None:
    data = shared_data("client_samples", "alltheplaces", "dixy_ru_first2.ndgeojson").read_bytes()
    first, second = read_stores(data, "ndjson", today=TODAY)
    assert isinstance(first, Record)
    assert first.body == {
        "external_id": "dixy_ru:2",
        "name": "Дикси",
        "address": "243400, Брянская область, р-н Почепский, г Почеп, ул Магистральная, д. 16",
        "opening_hours": "Mo-Su 09:00-22:00",
        "categories": ["supermarket"],
        "lat": 52.898338,
        "lon": 33.467931,
    }
    assert isinstance(second, Record)


def test_a_collection_is_read_like_lines() -> None:
    collection = {
        "type": "FeatureCollection",
        "dataset_attributes": {},
        "features": [feature(), feature(ref="8")],
    }
    found = read(collection)
    assert [r.body["external_id"] for r in found if isinstance(r, Record)] == ["shops:7", "shops:8"]


def test_a_feature_without_ref_has_no_stable_id() -> None:
    assert problem(ref=None).code == "no_stable_id"


def test_a_number_as_ref_is_taken_as_its_text() -> None:
    assert body(ref=12)["external_id"] == "shops:12"


@pytest.mark.parametrize("end_date", ["yes", "2025", "2026-10", "2026-11-21"])
def test_a_place_that_has_closed_is_left_out(end_date: str) -> None:
    assert problem(end_date=end_date).code == "closed_for_good"


@pytest.mark.parametrize("end_date", ["2026", "2026-11", "2026-11-22", "2027-01-01", "no", "", None])
def test_a_place_that_has_not_closed_yet_stays(end_date: Any) -> None:
    assert body(end_date=end_date)["external_id"] == "shops:7"


def test_a_branch_belongs_to_the_name() -> None:
    assert body(branch="Kamppi")["name"] == "Shoes Kamppi"
    assert body(name="Shoes Kamppi", branch="Kamppi")["name"] == "Shoes Kamppi"
    assert body(name=None, brand="Boots")["name"] == "Boots"
    assert body(name=None)["name"] == "shops"


def test_an_address_is_put_together_from_its_parts() -> None:
    parts = {
        "addr:housenumber": "5",
        "addr:street": "Old Street",
        "addr:postcode": "00100",
        "addr:city": "Helsinki",
        "addr:country": "FI",
    }
    assert body(**parts)["address"] == "5 Old Street, 00100 Helsinki, FI"
    assert body(**parts, **{"addr:street_address": "Old Street 5"})["address"].startswith("Old Street 5, ")
    assert "address" not in body()


def test_categories_come_from_the_tags() -> None:
    assert body(shop="shoes;clothes", amenity="cafe")["categories"] == ["shoes", "clothes", "cafe"]
    assert body(shop="yes")["categories"] == ["shop"]
    assert "categories" not in body()


def test_opening_hours_in_another_syntax_are_left_out_with_a_warning() -> None:
    (found,) = read(feature(opening_hours="nine to five"))
    assert isinstance(found, Record)
    assert "opening_hours" not in found.body
    assert [warning.code for warning in found.warnings] == ["bad_opening_hours"]


def test_a_polygon_is_as_far_as_the_middle_of_its_box() -> None:
    ring = [[24, 60], [26, 60], [26, 61], [24, 61], [24, 60]]
    found = body({"type": "Polygon", "coordinates": [ring]})
    assert (found["lat"], found["lon"]) == (60.5, 25)


def test_a_place_at_zero_degrees_keeps_them() -> None:
    found = body({"type": "Point", "coordinates": [0, 0]})
    assert (found["lat"], found["lon"]) == (0, 0)


def test_a_place_without_geometry_has_no_position_yet() -> None:
    assert "lat" not in body(None)


@pytest.mark.parametrize("coordinates", [[], "x", [1], ["a", 2], [True, False], [[1, 2], 3], None, {}, [[]]])
def test_coordinates_that_are_none_are_left_for_the_judging(coordinates: Any) -> None:
    found = body({"type": "Point", "coordinates": coordinates})
    assert "lat" not in found


def test_a_feature_of_our_own_fields_is_a_store() -> None:
    own = {"type": "Feature", "properties": {"external_id": "s1", "name": "A"}, "geometry": POINT}
    (found,) = read(own)
    assert isinstance(found, Record)
    assert found.body == {"external_id": "s1", "name": "A", "lat": 60.1, "lon": 24.9}
