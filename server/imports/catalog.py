"""Reads the catalog: products from CSV, NDJSON, JSON or a Google Merchant feed."""

from collections.abc import Iterator

from server.imports.csv_reader import Table, read_csv
from server.imports.formats import Format, looks_like_json, looks_like_xml
from server.imports.json_reader import read_json
from server.imports.merchant import read_merchant
from server.imports.problem import Problem, Record

TABLE = Table(
    columns=(
        "sku",
        "name",
        "category",
        "price",
        "currency",
        "image_url",
        "stores",
        "stock",
        "cost",
    ),
    required=frozenset({"sku", "name", "category"}),
    known_as={
        "id": "sku",
        "external_id": "sku",
        "product_id": "sku",
        "article": "sku",
        "title": "name",
        "categories": "category",
        "image": "image_url",
        "image_link": "image_url",
        "store": "stores",
        "quantity": "stock",
        "inventory": "stock",
        "cost_of_goods_sold": "cost",
    },
)


def read_catalog(data: bytes, form: Format | None) -> Iterator[Record | Problem]:
    """The products of `data`."""
    if form == "xml" or (form is None and looks_like_xml(data)):
        return read_merchant(data)
    if form == "csv" or (form is None and not looks_like_json(data)):
        return read_csv(data, TABLE)
    return read_json(data, form)
