"""The published JSON bodies of stores and products: taken in, checked, and given back normalised.

`store_from_body(store_body(store)) == store`, and so for products. An importer turns a CSV row
into such a body (leaving empty cells out) and reads it with `lax=True`.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from offers.catalogue import Product, Store
from offers.category import path_from_text, text_from_path
from offers.checks import (
    Wire,
    check_categories,
    check_count,
    check_country,
    check_hours,
    check_ids,
    check_money,
    check_timezone,
    plain,
)
from offers.problem import Problems, shaped

_CURRENCY = re.compile(r"[A-Z]{3}")

#: A list, or one text with `;` between.
_Names = tuple[str, ...] | str


class StoreBody(Wire, frozen=True, kw_only=True):
    external_id: str
    name: str
    lat: float
    lon: float
    address: str | None = None
    timezone: str | None = None
    opening_hours: str | None = None
    categories: _Names = ()
    country: str | None = None
    closed_on: _Names = ()


class ProductBody(Wire, frozen=True, kw_only=True):
    sku: str
    name: str
    category: str
    price: Decimal | None = None
    currency: str | None = None
    image_url: str | None = None
    stores: _Names | None = None
    stock: int | None = None
    stock_at: dict[str, int] | None = None
    cost: Decimal | None = None


def store_from_body(body: Any, *, lax: bool = False) -> Store:
    """A store from its JSON body (or, `lax`, a row of texts). Raises BodyRejected with every problem."""
    wire = shaped(body, StoreBody, lax=lax)
    problems = Problems()
    problems.text("external_id", wire.external_id)
    problems.text("name", wire.name)
    problems.check(-90 <= wire.lat <= 90, "lat", "out_of_range", "must be from -90 to 90 degrees")
    problems.check(-180 <= wire.lon <= 180, "lon", "out_of_range", "must be from -180 to 180 degrees")
    if wire.timezone is not None:
        check_timezone(problems, "timezone", wire.timezone)
    check_hours(problems, "opening_hours", wire.opening_hours)
    categories = _names(wire.categories)
    check_categories(problems, "categories", categories)
    check_country(problems, "country", wire.country)
    closed_on = _names(wire.closed_on)
    for number, day in enumerate(closed_on):
        problems.check(_is_day(day), f"closed_on[{number}]", "bad_day", f"{day!r} is no day as 2026-12-24")
    if wire.address is not None:
        problems.check(len(wire.address) <= 500, "address", "too_long", "must have at most 500 characters")
    problems.raise_if_any()
    return Store(
        external_id=wire.external_id,
        name=wire.name,
        lat_deg=wire.lat,
        lon_deg=wire.lon,
        address=wire.address,
        timezone=wire.timezone,
        opening_hours=wire.opening_hours,
        categories=tuple(text_from_path(path_from_text(category)) for category in categories),
        country=wire.country,
        closed_on=tuple(sorted(closed_on)),
    )


def store_body(store: Store) -> dict[str, Any]:
    """The normalised JSON body of a store."""
    return plain(
        StoreBody(
            external_id=store.external_id,
            name=store.name,
            lat=store.lat_deg,
            lon=store.lon_deg,
            address=store.address,
            timezone=store.timezone,
            opening_hours=store.opening_hours,
            categories=store.categories,
            country=store.country,
            closed_on=store.closed_on,
        )
    )


def product_from_body(body: Any, *, lax: bool = False) -> Product:
    """A product from its JSON body (or, `lax`, a row of texts). Raises BodyRejected with every problem."""
    wire = shaped(body, ProductBody, lax=lax)
    problems = Problems()
    problems.text("sku", wire.sku)
    problems.text("name", wire.name)
    check_categories(problems, "category", (wire.category,))
    currency = wire.currency.upper() if wire.currency is not None else None
    if currency is not None:
        valid = _CURRENCY.fullmatch(currency) is not None
        problems.check(valid, "currency", "bad_currency", "must be three letters (ISO 4217)")
    if wire.price is not None:
        check_money(problems, "price", wire.price)
        problems.check(currency is not None, "currency", "missing", "is required beside a price")
    check_count(problems, "stock", wire.stock)
    for store, pieces in (wire.stock_at or {}).items():
        check_count(problems, f"stock_at.{store}", pieces)
    if wire.cost is not None:
        check_money(problems, "cost", wire.cost)
    if wire.image_url is not None:
        is_url = wire.image_url.startswith(("https://", "http://")) and len(wire.image_url) <= 2000
        problems.check(is_url, "image_url", "bad_url", "must be a web address of at most 2000 characters")
    stores = _names(wire.stores) if wire.stores is not None else None
    check_ids(problems, "stores", stores)
    problems.raise_if_any()
    return Product(
        sku=wire.sku,
        name=wire.name,
        category=path_from_text(wire.category),
        price=wire.price,
        currency=currency,
        image_url=wire.image_url,
        stores=stores or None,
        stock=wire.stock,
        stock_at=dict(sorted((wire.stock_at or {}).items())),
        cost=wire.cost,
    )


def product_body(product: Product) -> dict[str, Any]:
    """The normalised JSON body of a product; the price as a decimal text."""
    return plain(
        ProductBody(
            sku=product.sku,
            name=product.name,
            category=text_from_path(product.category),
            price=product.price,
            currency=product.currency,
            image_url=product.image_url,
            stores=product.stores,
            stock=product.stock,
            stock_at=product.stock_at or None,
            cost=product.cost,
        )
    )


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _names(names: _Names) -> tuple[str, ...]:
    """The names of a list, or of one text with `;` between; each once."""
    parts = names.split(";") if isinstance(names, str) else names
    return tuple(dict.fromkeys(name for part in parts if (name := part.strip())))
