"""What the retailers of a run have published: one that may speak now, and one whose quiet hours it is.

Both use the same names for stores, fences, products and offers, as tenants do. The budgets are small, so that
they run out while the crowd is there.
"""

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec

from server.cli.retailer import create_retailer
from server.db import Database
from server.imports import ImportKind, import_body

LAT, LON = 60.1686, 24.9419  #: the shop's door
M_PER_DEGREE = 111_412.0  #: of latitude, there
RADIUS_M = 60.0

STORE = {"external_id": "shop", "name": "Corner Shoes", "lat": LAT, "lon": LON}
FENCE = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [LON, LAT]},
    "properties": {"external_id": "door", "store": "shop", "radius": RADIUS_M, "dwell_s": 30},
}
PRODUCTS = [
    {"sku": sku, "name": name, "category": f"Shoes > {name}", "price": price, "currency": "EUR"}
    for sku, name, price in (("T-1", "Trainers", "90"), ("B-1", "Boots", "60"), ("H-1", "Hats", "20"))
]


def _offer(name: str, category: str, discount: dict[str, Any], budget: dict[str, Any] | None) -> Any:
    offer = {
        "external_id": name,
        "name": name,
        "discount": discount,
        "applies_to": {"categories": [f"Shoes > {category}"]},
        "valid": {"from": "2026-01-01T00:00:00Z", "until": "2036-01-01T00:00:00Z"},
        "message": {"en": {"title": "{discount} off the {product}", "body": "{store}, at {distance_m} m"}},
    }
    return offer if budget is None else offer | {"budget": budget}


OFFERS = [
    _offer("trainers-15", "Trainers", {"kind": "percent", "value": 15}, {"issued": 12}),
    _offer("boots-10", "Boots", {"kind": "amount", "value": 10}, {"redemptions": 6, "spend": 55}),
    _offer("hats-20", "Hats", {"kind": "percent", "value": 20}, None),
]


PUBLISHED: dict[ImportKind, list[Any]] = {
    "stores": [STORE],
    "geofences": [FENCE],
    "catalog": PRODUCTS,
    "offers": OFFERS,
}


class Retailer(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant of the run."""

    name: str
    quiet: bool  #: it is never the hour to send anything
    retailer_id: str
    app_key: str
    server_key: str
    till_key: str


async def open_shops(database_url: str, now: datetime, *, number: int = 0) -> list[Retailer]:
    """One that may speak all day, and one whose quiet hours last the whole run; each with its shop. Their
    names end with the run's number, where several share a database.
    """
    hours = {"from": f"{now - timedelta(hours=3):%H:%M}", "until": f"{now + timedelta(hours=9):%H:%M}"}
    made = []
    async with await Database.open(database_url) as database:
        for name, quiet_hours in (("open", None), ("quiet", hours)):
            settings = {"quiet_hours": quiet_hours, "shopper_per_day": 3, "push_ttl_s": 300}
            keys = await create_retailer(database, name, settings)
            made.append(
                Retailer(name=f"{name}-{number}" if number else name, quiet=quiet_hours is not None, **keys)
            )
            for kind, bodies in PUBLISHED.items():
                body = "\n".join(json.dumps(one) for one in bodies).encode()
                now_us = round(now.timestamp() * 1e6)
                report = await import_body(database, keys["retailer_id"], kind, body, now_us=now_us)
                assert not report.problems, report.problems
    return made
