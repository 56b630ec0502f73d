"""Imports into a database: what is published, refused, warned of, and left alone."""

from typing import Any

import msgspec
import pytest

from server.db import Database
from server.errors import BadUse
from server.imports import (
    ImportKind,
    ImportReport,
    import_body,
)
from server.publish import UnknownRetailer, current_version, load_published
from tests.integration.conftest import RETAILER

pytestmark = pytest.mark.usefixtures("retailers")
NOW_US = 1_795_000_000_000_000  # 2026-11-18
STORES = "external_id,name,lat,lon,categories\ns1,Shoes,60.17,24.94,shoes;boots\ns2,Books,60.18,24.95,\n"


async def imported(database: Database, kind: ImportKind, body: Any, **options: Any) -> ImportReport:
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        body = b"\n".join(map(msgspec.json.encode, body)) if isinstance(body, list) else encoded(body)
    return await import_body(database, RETAILER, kind, body, now_us=NOW_US, **options)


def encoded(body: Any) -> bytes:
    return msgspec.json.encode(body)


async def published(database: Database) -> Any:
    async with database.transaction(RETAILER) as connection:
        return await load_published(connection, RETAILER)


async def version(database: Database) -> int:
    async with database.transaction(RETAILER) as connection:
        return await current_version(connection, RETAILER)


def codes(report: ImportReport) -> list[tuple[str, str | None]]:
    return [(problem.code, problem.external_id) for problem in report.problems]


def fence(external_id: str, store: str = "s1", radius: float = 50, **more: Any) -> dict[str, Any]:
    properties = {"external_id": external_id, "store": store, "radius": radius, **more}
    geometry = {"type": "Point", "coordinates": [24.94, 60.17]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def offer(external_id: str, **more: Any) -> dict[str, Any]:
    return {
        "external_id": external_id,
        "name": "Summer",
        "discount": {"kind": "percent", "value": 15},
        "applies_to": {},
        "valid": {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"},
        "message": {"en": {"title": "{discount} off", "body": "Until {until}"}},
        **more,
    }


async def test_stores_of_a_csv_file_are_published(database: Database) -> None:
    report = await imported(database, "stores", STORES)
    assert (report.status, report.created, report.version) == (200, 2, 1)
    assert (await published(database))["store"]["s1"] == {
        "external_id": "s1",
        "name": "Shoes",
        "lat": 60.17,
        "lon": 24.94,
        "categories": ["shoes", "boots"],
    }


async def test_the_same_file_again_changes_nothing(database: Database) -> None:
    await imported(database, "stores", STORES)
    report = await imported(database, "stores", STORES)
    assert (report.created, report.updated, report.unchanged, report.version) == (0, 0, 2, 1)


async def test_the_same_stores_in_another_format_change_nothing(database: Database) -> None:
    await imported(database, "stores", STORES)
    body = {"external_id": "s2", "name": "Books", "lat": 60.18, "lon": 24.95}
    assert (await imported(database, "stores", body)).unchanged == 1


async def test_one_bad_record_does_not_fail_the_others(database: Database) -> None:
    report = await imported(database, "stores", STORES + "s3,Bad,91,0,\ns1,Twice,1,2,\n,None,1,2,\n")
    assert report.status == 200
    assert (report.created, len(report.problems)) == (2, 3)
    assert [(p.line, p.field, p.code) for p in report.problems] == [
        (4, "lat", "out_of_range"),
        (5, "", "duplicate_id"),
        (6, "external_id", "missing"),
    ]
    assert "line 2" in report.problems[1].detail


async def test_a_file_of_nothing_but_bad_records_is_not_acceptable(database: Database) -> None:
    report = await imported(database, "stores", "external_id,name,lat,lon\ns1,A,x,2\n")
    assert report.status == 422
    assert await version(database) == 0


@pytest.mark.parametrize("body", ["", "{", "[1,", "null", "\n\n", '{"type":'])
async def test_what_is_no_list_of_records_is_a_bad_request(database: Database, body: str) -> None:
    assert (await imported(database, "offers", body)).status == 400


async def test_an_empty_array_is_told_as_such(database: Database) -> None:
    report = await imported(database, "offers", "[]")
    assert codes(report) == [("no_records", None)]
    assert report.status == 400


async def test_a_header_alone_is_told_as_empty(database: Database) -> None:
    assert codes(await imported(database, "stores", "external_id,name\n")) == [("no_records", None)]


async def test_a_dry_run_tells_the_differences_and_changes_nothing(database: Database) -> None:
    await imported(database, "stores", STORES)
    changed = STORES.replace("Books", "More books") + "s3,New,1,2,\n"
    report = await imported(database, "stores", changed, dry_run=True)
    assert (report.created, report.updated, report.unchanged) == (1, 1, 1)
    assert [(d.external_id, d.change, d.fields) for d in report.differences] == [
        ("s1", "unchanged", ()),
        ("s2", "updated", ("name",)),
        ("s3", "created", ()),
    ]
    assert await version(database) == 1
    assert list((await published(database))["store"]) == ["s1", "s2"]


async def test_a_geofence_of_an_unknown_store_is_refused_naming_it(database: Database) -> None:
    await imported(database, "stores", STORES)
    report = await imported(database, "geofences", [fence("g1"), fence("g2", store="nowhere")])
    assert (report.created, codes(report)) == (1, [("unknown_store", "g2")])
    assert "'nowhere'" in report.problems[0].detail


async def test_a_geofence_far_from_its_store_is_published_with_a_warning(database: Database) -> None:
    await imported(database, "stores", STORES)
    swapped = fence("g2") | {"geometry": {"type": "Point", "coordinates": [60.17, 24.94]}}
    report = await imported(database, "geofences", [fence("g1"), swapped])
    assert report.created == 2
    assert [(warning.code, warning.external_id) for warning in report.warnings] == [("far_from_store", "g2")]


async def test_a_circle_is_published_as_a_point_with_a_radius(database: Database) -> None:
    await imported(database, "stores", STORES)
    await imported(database, "geofences", fence("g1", name="Door"))
    body = (await published(database))["geofence"]["g1"]
    assert body["geometry"]["type"] == "Point"
    assert (body["properties"]["radius"], body["properties"]["store"]) == (50, "s1")


async def test_offers_are_checked_against_stores_and_products(database: Database) -> None:
    await imported(database, "stores", STORES)
    await imported(database, "catalog", "sku,name,category\n1,Trainers,Shoes > Trainers\n")
    offers = [
        offer("o1", applies_to={"skus": ["1"], "categories": ["shoes"]}, stores=["s1"]),
        offer("o2", applies_to={"skus": ["1", "2"], "categories": ["Shoes > Boots"]}),
        offer("o3", stores=["s1", "s9"]),
    ]
    report = await imported(database, "offers", offers)
    assert report.created == 2
    assert codes(report) == [("unknown_store", "o3")]
    assert [(warning.code, warning.external_id) for warning in report.warnings] == [
        ("unknown_sku", "o2"),
        ("unknown_category", "o2"),
    ]


async def test_a_product_of_an_unknown_store_is_published_with_a_warning(database: Database) -> None:
    report = await imported(database, "catalog", "sku,name,category,stores\n1,A,B,s9\n")
    assert (report.created, [warning.code for warning in report.warnings]) == (1, ["unknown_store"])


async def test_a_radius_makes_a_circle_around_each_store(database: Database) -> None:
    report = await imported(database, "stores", STORES, radius_m=60)
    assert (report.created, report.version) == (4, 1)
    circle = (await published(database))["geofence"]["s2"]
    assert circle["properties"]["store"] == "s2"
    assert circle["properties"]["radius"] == 60
    assert circle["geometry"]["coordinates"] == [24.95, 60.18]
    assert (await imported(database, "stores", STORES, radius_m=60)).unchanged == 4


async def test_a_radius_keeps_what_was_changed_by_hand(database: Database) -> None:
    await imported(database, "stores", STORES, radius_m=60)
    ring = [[24.94, 60.17], [24.942, 60.17], [24.942, 60.171], [24.94, 60.171], [24.94, 60.17]]
    drawn = fence("s1") | {"geometry": {"type": "Polygon", "coordinates": [ring]}}
    drawn["properties"].pop("radius")
    await imported(database, "geofences", [drawn, fence("s2", "s2", 60, dwell_s=5)])
    report = await imported(database, "stores", STORES, radius_m=80)
    assert [(warning.code, warning.external_id) for warning in report.warnings] == [("kept_geofence", "s1")]
    fences = (await published(database))["geofence"]
    assert fences["s1"]["geometry"]["type"] == "Polygon"
    assert (fences["s2"]["properties"]["radius"], fences["s2"]["properties"]["dwell_s"]) == (80, 5)


@pytest.mark.parametrize(("kind", "radius_m"), [("stores", 9.0), ("stores", float("nan")), ("offers", 50.0)])
async def test_a_radius_out_of_place_is_bad_use(
    database: Database, kind: ImportKind, radius_m: float
) -> None:
    with pytest.raises(BadUse):
        await imported(database, kind, STORES, radius_m=radius_m)


async def test_sensitive_places_are_published(database: Database) -> None:
    place = {
        "type": "Feature",
        "properties": {"external_id": "h1", "kind": "health", "radius": 100, "distance_m": 610},
        "geometry": {"type": "Point", "coordinates": [24.9, 60.1]},
    }
    report = await imported(database, "sensitive", place)
    assert (report.created, report.problems) == (1, ())
    assert (await published(database))["sensitive"]["h1"]["properties"]["kind"] == "health"


async def test_an_unknown_retailer_is_told(database: Database) -> None:
    with pytest.raises(UnknownRetailer):
        await import_body(database, "ret_none", "stores", STORES.encode(), now_us=NOW_US)
