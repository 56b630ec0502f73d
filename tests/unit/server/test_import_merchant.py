"""Google Merchant feeds: what is read of an item, a piece at a time, and what no feed gets away with."""

from typing import Any

import pytest

from server.imports.catalog import read_catalog
from server.imports.merchant import read_merchant
from server.imports.problem import Problem, Record

HEAD = (
    '<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0" version="2.0">'
    "<channel><title>Shop</title>"
)
SALE = "<g:price>20 EUR</g:price><g:sale_price>15 EUR</g:sale_price>"
ITEM = """<item>
<g:id>T-1</g:id><title>Trail &amp; trainers</title><g:price>89.90 EUR</g:price>
<g:product_type>Shoes &gt; Trainers</g:product_type><g:product_type>Sport</g:product_type>
<g:image_link>https://shop.example/t-1.jpg</g:image_link><g:availability>in_stock</g:availability>
<g:cost_of_goods_sold>50.00 EUR</g:cost_of_goods_sold>
<g:shipping><g:price>4.90 EUR</g:price></g:shipping></item>"""


def feed(*items: str) -> bytes:
    return (HEAD + "".join(items) + "</channel></rss>").encode()


def bodies(data: bytes) -> list[dict[str, Any]]:
    return [one.body for one in read_merchant(data) if isinstance(one, Record)]


def problems(data: bytes) -> list[tuple[str, int | None]]:
    return [(one.code, one.line) for one in read_merchant(data) if isinstance(one, Problem)]


def test_an_item_is_a_product() -> None:
    assert bodies(feed(ITEM)) == [
        {
            "sku": "T-1",
            "name": "Trail & trainers",
            "category": "Shoes > Trainers",
            "price": "89.90",
            "currency": "EUR",
            "image_url": "https://shop.example/t-1.jpg",
            "cost": "50.00",
        }
    ]


def test_an_atom_entry_is_one_too() -> None:
    entry = b"<entry><g:id>1</g:id><g:title>T</g:title></entry>"
    data = b'<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="x">' + entry + b"</feed>"
    assert bodies(data) == [{"sku": "1", "name": "T"}]


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ("<g:availability>out_of_stock</g:availability>", {"stock": "0"}),
        ("<g:availability>preorder</g:availability>", {"stock": "0"}),
        (SALE, {"price": "15", "currency": "EUR"}),
        (
            SALE + "<g:sale_price_effective_date>2026-01-01/2026-01-02</g:sale_price_effective_date>",
            {"price": "20", "currency": "EUR"},
        ),
        ("<g:price>EUR 20,50</g:price>", {"price": "20.50", "currency": "EUR"}),
        ("<g:google_product_category>187</g:google_product_category>", {}),
        ("<g:google_product_category>Shoes</g:google_product_category>", {"category": "Shoes"}),
    ],
)
def test_attributes_mean_what_google_says(attributes: str, told: dict[str, str]) -> None:
    assert bodies(feed(f"<item>{attributes}</item>")) == [told]


def test_what_stands_before_a_break_is_read_and_the_break_told_with_its_line() -> None:
    data = feed(ITEM)[: -len("</channel></rss>")] + b"\n<item><g:id>2</g:oops>"
    assert len(bodies(data)) == 1
    [(code, line)] = problems(data)
    assert (code, line) == ("bad_xml", 7)


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE rss [<!ENTITY a "aaaaaaaa">]><rss><channel><item><id>&a;</id></item></channel></rss>',
        b'<!DOCTYPE rss SYSTEM "http://example.com/evil.dtd"><rss/>',
        b"<html><body/></html>",
        b"<rss>",
        b"<",
    ],
)
def test_no_entity_is_declared_and_nothing_else_is_taken_for_a_feed(data: bytes) -> None:
    assert [code for code, _ in problems(data)] == ["bad_xml"]


def test_a_feed_larger_than_a_piece_loses_nothing() -> None:
    items = [ITEM.replace("T-1", f"T-{number}") for number in range(1_000)]
    assert [body["sku"] for body in bodies(feed(*items))] == [f"T-{number}" for number in range(1_000)]


def test_a_catalog_that_begins_with_a_tag_is_a_feed() -> None:
    assert [one.body["sku"] for one in read_catalog(feed(ITEM), None) if isinstance(one, Record)] == ["T-1"]
