"""The published world of a simulation: six shops in a row whose fences overlap, and budgets that run out."""

from typing import Any

from geo.fences.roll import Roll
from server.world import World

RETAILER = "rtl_simulated"
SECRET = b"simulated retailer's own secret."
VERSION = 1

LAT, LON = 60.1700, 24.9400
M_PER_DEGREE_LAT, M_PER_DEGREE_LON = 111_412.0, 55_600.0  #: there
SHOPS, APART_M, RADIUS_M = 6, 110.0, 70.0
SKUS = ("T-1", "B-1", "H-1")
CATEGORIES = {"T-1": "Trainers", "B-1": "Boots", "H-1": "Hats"}


def place(east_m: float, north_m: float) -> tuple[float, float]:
    """Latitude and longitude so far from the first shop."""
    return LAT + north_m / M_PER_DEGREE_LAT, LON + east_m / M_PER_DEGREE_LON


def build_town(policy: str) -> World:
    """The world at its one version."""
    return World.build(RETAILER, SECRET, VERSION, _bodies(policy), roll=Roll())


def _bodies(policy: str) -> dict[str, dict[str, Any]]:
    stores, fences = {}, {}
    for number in range(SHOPS):
        name, (lat, lon) = f"shop-{number}", place(number * APART_M, 0.0)
        stores[name] = {"external_id": name, "name": name, "lat": lat, "lon": lon}
        fences[name] = {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [lon, lat]},
            "properties": {"external_id": f"door-{number}", "store": name, "radius": RADIUS_M},
        }
    products = {
        sku: {"sku": sku, "name": name, "category": f"Shoes > {name}", "price": "50", "currency": "EUR"}
        for sku, name in CATEGORIES.items()
    }
    offers = {
        "trainers": _offer("trainers", "Trainers", {"issued": 40}),
        "boots": _offer("boots", "Boots", {"redemptions": 10, "spend": 60}),
        "hats": _offer("hats", "Hats", None),
    }
    settings = {
        "shopper_per_day": 4,
        "shopper_per_week": 20,
        "store_per_day": 60,
        "quiet_hours": {"from": "19:00", "until": "09:00"},
        "policy": policy,
        # Margins so wide that an offer is worth its push.
        "learning": {"margin": 0.8, "money": {"push_cost": 0, "lifetime_value": 1}, "store_share": 0.1},
    }
    return {
        "settings": {"settings": settings},
        "store": stores,
        "geofence": fences,
        "product": products,
        "offer": offers,
    }


def _offer(name: str, category: str, budget: dict[str, int] | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "external_id": name,
        "name": name,
        "discount": {"kind": "percent", "value": 20},
        "applies_to": {"categories": [f"Shoes > {category}"]},
        "valid": {"from": "2026-01-01T00:00:00Z", "until": "2036-01-01T00:00:00Z"},
        "message": {"en": {"title": "{discount} off {product}", "body": "{store}, {distance_m} m"}},
    }
    return body if budget is None else body | {"budget": budget}
