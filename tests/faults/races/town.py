"""Where it is raced: offers with small budgets, each wanted by many more shoppers than it has coupons.

Shoppers come in waves. A wave has stores and offers of its own, so that a budget's last coupon is raced for
again and again, however many attempts there are.
"""

import itertools
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from server.cli.retailer import create_retailer
from server.clock import SystemClock
from server.db import Database
from server.imports import ImportKind, import_body
from server.parts import part_of

WAVE = 400  #: shoppers of a wave, each of whom wants each of its offers
STORES = 4  #: of a wave
PRICE, SAVING = 100, 10
BUDGETS: tuple[dict[str, Any], ...] = (
    {"issued": 60},
    {"redemptions": 60},
    {"spend": 60 * SAVING + SAVING // 2},
    {"spend": 80 * SAVING, "caps": [{"per": "store", "issued": 15}]},
    {"issued": 50, "caps": [{"per": "store", "period": "month", "redemptions": 15}]},
    {"redemptions": 90, "caps": [{"period": "week", "spend": 60 * SAVING}]},
)
COUPONS = (60, 60, 60, 60, 50, 60)  #: how many coupons each of them bears, and not one more
OFFERS = len(BUDGETS)
RADIUS_M, APART_DEG = 60, 0.01
SETTINGS = {
    "policy": "rules",
    "holdout": 0.0,
    "quiet_hours": None,
    "shopper_per_day": 100,
    "shopper_per_week": 100,
    "coupon_ttl_s": 86_400,
}


def store_of(shopper: int) -> int:
    """The store that a shopper visits."""
    return shopper // WAVE * STORES + shopper % STORES


def skus_of(shopper: int) -> list[str]:
    """What she is interested in: an offer each."""
    return [f"sku-{shopper // WAVE}-{number}" for number in range(OFFERS)]


def place_of(store: int) -> tuple[float, float]:
    """Latitude and longitude: a grid of a kilometre."""
    north, east = divmod(store, 100)
    return 40.0 + APART_DEG * north, 20.0 + APART_DEG * east


@cache
def shopper_id(retailer_id: str, shopper: int, parts: int) -> str:
    """An id by which the shopper is in the part of her number."""
    names = (f"shp_{shopper}_{attempt}" for attempt in itertools.count())
    return next(name for name in names if part_of(retailer_id, name, parts) == shopper % parts)


async def open_shops(database: Database, shoppers: int) -> dict[str, str]:
    """A retailer with as many waves as so many shoppers make: its id and keys."""
    keys = await create_retailer(database, "Race", SETTINGS)
    for kind, bodies in published(-(-shoppers // WAVE)).items():
        body = "\n".join(map(json.dumps, bodies)).encode()
        report = await import_body(
            database, keys["retailer_id"], kind, body, now_us=SystemClock().now_us(), content_type=NDJSON
        )
        assert not report.problems, report.problems
    return keys


NDJSON = "application/x-ndjson"


def published(waves: int) -> dict[ImportKind, list[dict[str, Any]]]:
    """Everything there is to be published, by what it is."""
    stores = range(waves * STORES)
    return {
        "stores": [_store(store) for store in stores],
        "geofences": [_fence(store) for store in stores],
        "catalog": [_product(wave, number) for wave in range(waves) for number in range(OFFERS)],
        "offers": list(_offers(waves)),
    }


def _store(store: int) -> dict[str, Any]:
    lat, lon = place_of(store)
    return {"external_id": f"store-{store}", "name": f"Store {store}", "lat": lat, "lon": lon}


def _fence(store: int) -> dict[str, Any]:
    lat, lon = place_of(store)
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [lon, lat]},
        "properties": {"external_id": f"door-{store}", "store": f"store-{store}", "radius": RADIUS_M},
    }


def _product(wave: int, number: int) -> dict[str, Any]:
    sku = f"sku-{wave}-{number}"
    return {"sku": sku, "name": sku, "category": f"Things > {wave}", "price": f"{PRICE}", "currency": "EUR"}


def _offers(waves: int) -> Iterator[dict[str, Any]]:
    for wave in range(waves):
        for number, budget in enumerate(BUDGETS):
            yield {
                "external_id": f"offer-{wave}-{number}",
                "name": f"Offer {wave}-{number}",
                "discount": {"kind": "amount", "value": SAVING},
                "applies_to": {"skus": [f"sku-{wave}-{number}"]},
                "stores": [f"store-{wave * STORES + store}" for store in range(STORES)],
                "valid": {"from": "2026-01-01T00:00:00Z", "until": "2036-01-01T00:00:00Z"},
                "budget": budget,
                "message": {"en": {"title": "{discount} off", "body": "At {store}"}},
            }
