"""What stores have: Google Merchant's local inventory feed becomes the stock of products by store."""

from typing import Any

import msgspec
import pytest

from server.db import Database
from server.imports import ImportReport, import_body
from server.publish import load_published
from tests.integration.conftest import RETAILER

pytestmark = pytest.mark.usefixtures("retailers")
NOW_US = 1_795_000_000_000_000  # 2026-11-18
STORES = "external_id,name,lat,lon\ns1,Shoes,60.17,24.94\ns2,Boots,60.18,24.95\n"
CATALOG = "sku,name,category,price,currency,stock\nT-1,Trainers,Shoes,90,EUR,12\nB-1,Boots,Shoes,,,\n"
HEAD = "store_code\tid\tquantity\tavailability\n"
XML = """<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>
<item><g:store_code>s1</g:store_code><g:id>T-1</g:id><g:quantity>3</g:quantity><g:price>90 EUR</g:price>
</item>
<item><g:store_code>s2</g:store_code><g:id>T-1</g:id><g:availability>out of stock</g:availability></item>
</channel></rss>"""


async def imported(database: Database, text: str, **options: Any) -> ImportReport:
    return await import_body(database, RETAILER, "inventory", text.encode(), now_us=NOW_US, **options)


async def products(database: Database) -> dict[str, Any]:
    async with database.transaction(RETAILER) as connection:
        return (await load_published(connection, RETAILER))["product"]


@pytest.fixture(autouse=True)
async def catalog(database: Database, retailers: None) -> None:
    await import_body(database, RETAILER, "stores", STORES.encode(), now_us=NOW_US)
    await import_body(database, RETAILER, "catalog", CATALOG.encode(), now_us=NOW_US)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "s1\tT-1\t3\tin_stock\ns2\tT-1\t\tout_of_stock\n",
        "id;store_code;quantity\nT-1;s1;3\nT-1;s2;0\n",
        XML,
        '{"store_code": "s1", "id": "T-1", "quantity": 3}\n{"store_code":"s2","id":"T-1","quantity":0}',
    ],
    ids=["tsv", "csv", "xml", "ndjson"],
)
async def test_each_form_of_a_feed_says_what_the_stores_have(database: Database, text: str) -> None:
    report = await imported(database, text)
    assert (report.updated, report.problems, report.warnings) == (1, (), ())
    found = await products(database)
    assert found["T-1"]["stock_at"] == {"s1": 3, "s2": 0}
    assert (found["T-1"]["stock"], found["T-1"]["price"]) == (12, "90")
    assert "stock_at" not in found["B-1"]


async def test_the_same_feed_again_changes_nothing(database: Database) -> None:
    first = await imported(database, XML)
    again = await imported(database, XML)
    assert (again.version, again.unchanged, again.updated) == (first.version, 1, 0)


async def test_a_feed_of_what_has_changed_leaves_the_rest_alone(database: Database) -> None:
    await imported(database, HEAD + "s1\tT-1\t3\t\ns2\tT-1\t5\t\n")
    await imported(database, HEAD + "s2\tT-1\t4\t\n")
    assert (await products(database))["T-1"]["stock_at"] == {"s1": 3, "s2": 4}


@pytest.mark.parametrize(
    ("quantity", "availability", "pieces"),
    [
        ("7", "in_stock", 7),
        ("", "in_stock", 1),
        ("", "limited_availability", 1),
        ("7", "out_of_stock", 0),
        ("2", "on_display_to_order", 0),
        ("0", "in_stock", 0),
        ("2", "", 2),
        ("", "In Stock", 1),
    ],
)
async def test_availability_and_quantity_make_pieces(
    database: Database, quantity: str, availability: str, pieces: int
) -> None:
    await imported(database, f"{HEAD}s1\tT-1\t{quantity}\t{availability}\n")
    assert (await products(database))["T-1"]["stock_at"] == {"s1": pieces}


async def test_each_bad_line_is_told_and_the_good_ones_count(database: Database) -> None:
    lines = [
        "s1\tT-1\t3\t",
        "s9\tT-1\t3\t",
        "s1\tX-1\t3\t",
        "s1\tB-1\t-1\t",
        "s2\tB-1\t\t",
        "s2\tT-1\t\tgone",
    ]
    report = await imported(database, HEAD + "\n".join([*lines, "s1\tT-1\t4\t"]))
    assert sorted((problem.line, problem.code, problem.field) for problem in report.problems) == [
        (3, "unknown_store", "store_code"),
        (4, "unknown_product", "id"),
        (5, "out_of_range", "quantity"),
        (6, "missing", "quantity"),
        (7, "invalid", "availability"),
        (8, "duplicate_id", ""),
    ]
    assert (report.refused, report.updated) == (6, 1)
    assert (await products(database))["T-1"]["stock_at"] == {"s1": 3}


@pytest.mark.parametrize(
    ("price", "warned"), [("90.00 EUR", []), ("79.90 EUR", ["price_by_store"]), ("", [])]
)
async def test_a_price_of_the_stores_own_is_warned_of(
    database: Database, price: str, warned: list[str]
) -> None:
    report = await imported(database, f"store_code,id,quantity,price\ns1,T-1,1,{price}\n")
    assert [warning.code for warning in report.warnings] == warned
    assert (await products(database))["T-1"]["price"] == "90"


async def test_a_dry_run_tells_what_would_change(database: Database) -> None:
    report = await imported(database, XML, dry_run=True)
    assert [(one.external_id, one.change, one.fields) for one in report.differences] == [
        ("T-1", "updated", ("stock_at",))
    ]
    assert "stock_at" not in (await products(database))["T-1"]


async def test_a_feed_that_breaks_keeps_what_stood_before(database: Database) -> None:
    report = await imported(database, XML.replace("</channel>", "</chanel>"))
    assert [problem.code for problem in report.problems] == ["bad_xml"]
    assert (await products(database))["T-1"]["stock_at"] == {"s1": 3, "s2": 0}


async def test_a_thousand_and_one_products_are_more_than_one_question(database: Database) -> None:
    rows = [{"sku": f"P-{n}", "name": "P", "category": "Shoes"} for n in range(1001)]
    text = b"\n".join(map(msgspec.json.encode, rows))
    await import_body(database, RETAILER, "catalog", text, now_us=NOW_US)
    report = await imported(database, HEAD + "".join(f"s1\tP-{n}\t{n}\t\n" for n in range(1001)))
    assert report.updated == 1001
    assert (await products(database))["P-1000"]["stock_at"] == {"s1": 1000}
