"""What the demo's retailer publishes: complete, consistent, and the same every time."""

import json
from decimal import Decimal
from functools import cache
from typing import Any

from server.demo.assortment import DEPARTMENTS, department_of
from server.demo.helsinki import read_shops
from server.demo.retail import (
    SHOWCASE,
    Retail,
    catalog_document,
    found_retail,
    geofences_document,
    offers_document,
    slug,
    stores_document,
)


@cache
def retail() -> Retail:
    return found_retail(read_shops())


def records(document: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in document.splitlines()]


def test_every_shop_of_the_map_is_a_store() -> None:
    stores = records(stores_document(retail()))
    assert len(stores) == len(read_shops()) == 476
    assert len({store["external_id"] for store in stores}) == 476


def test_every_store_has_one_circle_of_40_to_60_metres() -> None:
    fences = json.loads(geofences_document(retail()))["features"]
    assert {fence["properties"]["store"] for fence in fences} == {one.external_id for one in retail().outlets}
    assert all(40 <= fence["properties"]["radius"] <= 60 for fence in fences)


def test_every_product_is_sold_somewhere_and_has_a_price() -> None:
    products = records(catalog_document(retail()))
    assert len({product["sku"] for product in products}) == len(products) > 100
    assert all(product["stores"] and Decimal(product["price"]) > 0 for product in products)


def test_some_sixty_offers_cover_every_department() -> None:
    bargains = retail().bargains
    assert 55 <= len(bargains) <= 70
    assert {one.outlet.department for one in bargains} == set(DEPARTMENTS)
    assert {one.kind for one in bargains} == {"percent", "amount"}


def test_an_offer_is_on_a_product_that_its_store_sells() -> None:
    stores_by_sku = {product["sku"]: product["stores"] for product in records(catalog_document(retail()))}
    for offer in records(offers_document(retail())):
        [sku], [store] = offer["applies_to"]["skus"], offer["stores"]
        assert store in stores_by_sku[sku]


def test_an_amount_is_less_than_half_the_price() -> None:
    for bargain in retail().bargains:
        if bargain.kind == "amount":
            assert Decimal(bargain.value) < Decimal(bargain.article.price) / 2, bargain.external_id


def test_every_offer_speaks_english_and_finnish() -> None:
    for offer in records(offers_document(retail())):
        assert set(offer["message"]) == {"en", "fi"}


def test_nobody_advertises_alcohol_or_funerals() -> None:
    assert department_of("alcohol") is None
    assert department_of("funeral_directors") is None


def test_the_first_of_two_kinds_counts() -> None:
    assert department_of("deli; kitchen") is department_of("deli")


def test_the_quick_start_has_its_offer() -> None:
    showcase = retail().showcase
    assert (showcase.outlet.name, showcase.article.name) == SHOWCASE


def test_every_run_publishes_the_same() -> None:
    again = found_retail(read_shops())
    for document in (stores_document, geofences_document, catalog_document, offers_document):
        assert document(again) == document(retail())


def test_ids_are_plain_ascii() -> None:
    assert slug("Théhuone & Söhne, 2. krs") == "thehuone-sohne-2-krs"
