"""Reads what each store has: Google Merchant's local inventory feed, as CSV, TSV, NDJSON, JSON or XML.

Names and forms of the attributes: Google's specification of local inventory. A line says of one product at
one store how many pieces there are, and nothing of any other: feeds of what has changed may come as often as
they like. It becomes a part of the product's body, `stock_at`.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from msgspec import Struct

from offers.checks import check_count
from offers.problem import Problems, shaped
from server.db import Connection
from server.imports.csv_reader import Table, read_csv
from server.imports.formats import Format, looks_like_json, looks_like_xml
from server.imports.json_reader import read_json
from server.imports.merchant import money, read_feed
from server.imports.problem import Problem, Record
from server.imports.sieve import Sieve
from server.publish import published_bodies

#: As Google lists them; `store_code`, `id`, `quantity`, `availability` and `price` are read.
_COLUMNS = (
    *("store_code", "id", "quantity", "availability", "price", "sale_price", "sale_price_effective_date"),
    *("pickup_method", "pickup_sla", "instore_product_location"),
)
TABLE = Table(
    columns=_COLUMNS,
    required=frozenset({"store_code", "id"}),
    known_as={
        "sku": "id",
        "itemid": "id",
        "item_id": "id",
        "offer_id": "id",
        "store": "store_code",
        "storecode": "store_code",
        "stock": "quantity",
        "stock_at": "quantity",
    },
)
#: How many pieces an availability says there are where no quantity does: some, or none to take along.
_PIECES = {
    "in_stock": 1,
    "limited_availability": 1,
    "on_display_to_order": 0,
    "out_of_stock": 0,
}
_PRODUCTS_AT_ONCE = 1_000


class _Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line as it comes."""

    store_code: str
    id: str
    quantity: int | None = None
    availability: str | None = None
    price: str | None = None
    sale_price: str | None = None
    sale_price_effective_date: str | None = None
    pickup_method: str | None = None
    pickup_sla: str | None = None
    instore_product_location: str | None = None


def read_inventory(data: bytes, form: Format | None) -> Iterator[Record | Problem]:
    """The lines of `data`."""
    if form == "xml" or (form is None and looks_like_xml(data)):
        return read_feed(data, _attributes)
    if form == "csv" or (form is None and not looks_like_json(data)):
        return read_csv(data, TABLE)
    return read_json(data, form)


def _attributes(item: dict[str, str]) -> dict[str, Any]:
    return {name: text for name, text in item.items() if name in _COLUMNS and text}


def inventory_body(body: Any, *, lax: bool = False) -> dict[str, Any]:
    """A line in its normal form: `sku`, `store`, `pieces` and, where it is told, `price` as a decimal text.

    `out_of_stock` counts more than a quantity, which may be an old one. Raises BodyRejected.
    """
    line, problems = shaped(body, _Line, lax=lax), Problems()
    problems.text("id", line.id)
    problems.text("store_code", line.store_code)
    check_count(problems, "quantity", line.quantity)
    stated = None if line.availability is None else line.availability.strip().lower().replace(" ", "_")
    known = stated is None or stated in _PIECES
    problems.check(known, "availability", "invalid", f"must be one of {', '.join(_PIECES)}")
    told = line.quantity is not None or stated is not None
    problems.check(told, "quantity", "missing", "is required where there is no `availability`")
    problems.raise_if_any()
    said = _PIECES.get(stated or "", 1)
    pieces = said if line.quantity is None or said == 0 else line.quantity
    price = money(line.price or "")[0]
    return {"sku": line.id, "store": line.store_code, "pieces": pieces} | ({"price": price} if price else {})


async def shelved(connection: Connection, retailer_id: str, sieve: Sieve) -> dict[str, Any]:
    """The bodies of the products that the accepted lines speak of, each with these stores' stock in it.

    Of products and stores that are published. Warns of a price that is another than the product's.
    """
    lines = list(sieve.accepted.values())
    skus = sorted({line.body["sku"] for line in lines})
    bodies: dict[str, Any] = {}
    for first in range(0, len(skus), _PRODUCTS_AT_ONCE):
        part = skus[first : first + _PRODUCTS_AT_ONCE]
        bodies |= await published_bodies(connection, retailer_id, "product", part)
    stocks: dict[str, dict[str, int]] = {sku: dict(bodies[sku].get("stock_at") or {}) for sku in skus}
    for line in lines:
        sku = line.body["sku"]
        stocks[sku][line.body["store"]] = line.body["pieces"]
        if _differs(line.body.get("price"), bodies[sku].get("price")):
            detail = (
                f"the store's price is another than the product's, {bodies[sku].get('price', 'not known')}"
            )
            sieve.warn(line, "price_by_store", "price", detail)
    return {sku: bodies[sku] | {"stock_at": dict(sorted(stocks[sku].items()))} for sku in skus}


def _differs(told: str | None, published: str | None) -> bool:
    if told is None:
        return False
    try:
        return published is None or Decimal(told) != Decimal(published)
    except ArithmeticError:
        return True
