"""The retailer of the demo: stores, geofences, products and offers made from the map's shops. Pure.

Everything is worked out from the tables and a fixed seed, so every run publishes the same bodies, and all
but the first find nothing to change.
"""

import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from server.demo.assortment import DEPARTMENTS, Article, Department, department_of
from server.demo.helsinki import Shop

RETAILER = "Helsinki demo"
TIMEZONE = "Europe/Helsinki"
#: Without quiet hours and holdout, so that the demo has something to show at any hour and to anybody.
SETTINGS: Final[dict[str, Any]] = {
    "timezone": TIMEZONE,
    "quiet_hours": None,
    "holdout": 0.0,
    "policy": "rules",
}
#: One offer for so many stores of a department, and one for each department at least.
STORES_PER_OFFER = 8
#: The offer of the quick start: a big store that is easy to find, with trainers to look at.
SHOWCASE = ("Stadium", "Running trainers")

_SEED: Final = 24_944
_PERCENTS = (10, 15, 20, 25, 30)
_MESSAGE: Final = {
    "en": {
        "title": "{discount} off: {product}",
        "body": "{store}, {distance_m} m away, until {until}",
    },
    "fi": {
        "title": "{product}: −{discount}",
        "body": "{store}, matkaa {distance_m} m, {until} asti",
    },
}


class Outlet(msgspec.Struct, frozen=True, kw_only=True):
    """A store of the demo's retailer."""

    external_id: str
    name: str
    kind: str
    lat_deg: float
    lon_deg: float
    radius_m: int
    department: Department | None


class Bargain(msgspec.Struct, frozen=True, kw_only=True):
    """An offer of one store on one product."""

    external_id: str
    outlet: Outlet
    sku: str
    article: Article
    kind: str  #: percent | amount
    value: str


class Retail(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the retailer of the demo publishes."""

    outlets: tuple[Outlet, ...]
    bargains: tuple[Bargain, ...]

    @property
    def showcase(self) -> Bargain:
        """The offer that the quick start leads to."""
        return next(bargain for bargain in self.bargains if _is_showcase(bargain))


def found_retail(shops: Iterable[Shop]) -> Retail:
    """The retailer that owns all these shops."""
    outlets = tuple(_outlets(shops))
    return Retail(outlets=outlets, bargains=tuple(_bargains(outlets)))


def stores_document(retail: Retail) -> bytes:
    """The stores as the NDJSON of an import."""
    return _ndjson(
        {
            "external_id": outlet.external_id,
            "name": outlet.name,
            "lat": outlet.lat_deg,
            "lon": outlet.lon_deg,
            "timezone": TIMEZONE,
            "categories": [outlet.department.path if outlet.department else outlet.kind],
        }
        for outlet in retail.outlets
    )


def geofences_document(retail: Retail) -> bytes:
    """One circle around each store, as GeoJSON."""
    features = [
        {
            "type": "Feature",
            "properties": {
                "external_id": f"{outlet.external_id}-door",
                "store": outlet.external_id,
                "name": outlet.name,
                "radius": outlet.radius_m,
                "dwell_s": 30,
            },
            "geometry": {"type": "Point", "coordinates": [outlet.lon_deg, outlet.lat_deg]},
        }
        for outlet in retail.outlets
    ]
    return msgspec.json.encode({"type": "FeatureCollection", "features": features})


def catalog_document(retail: Retail) -> bytes:
    """The products of every department, each sold by all stores of its department, as NDJSON."""
    return _ndjson(
        {
            "sku": sku_of(department, article),
            "name": article.name,
            "category": department.path,
            "price": article.price,
            "currency": "EUR",
            "stores": [one.external_id for one in retail.outlets if one.department is department],
        }
        for department in DEPARTMENTS
        for article in department.articles
    )


def offers_document(retail: Retail) -> bytes:
    """The offers, as NDJSON."""
    return _ndjson(
        {
            "external_id": bargain.external_id,
            "name": f"{bargain.article.name} at {bargain.outlet.name}",
            "discount": {"kind": bargain.kind, "value": bargain.value},
            "applies_to": {"skus": [bargain.sku]},
            "stores": [bargain.outlet.external_id],
            "valid": {"from": "2024-01-01T00:00:00Z", "until": "2039-01-01T00:00:00Z"},
            "limits": {"per_shopper_per_day": 1},
            "budget": {"redemptions": 10_000, "spend": str(Decimal(bargain.article.price) * 2_000)},
            "message": _MESSAGE,
        }
        for bargain in retail.bargains
    )


def sku_of(department: Department, article: Article) -> str:
    """`leisure-sports-running-trainers`"""
    return slug(f"{department.path} {article.name}")


def slug(text: str) -> str:
    """Lower-case ASCII letters and digits with single hyphens between."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _outlets(shops: Iterable[Shop]) -> Iterable[Outlet]:
    taken: Counter[str] = Counter()
    for shop in shops:
        base = slug(shop.name) or slug(shop.kind)
        taken[base] += 1
        department = department_of(shop.kind)
        yield Outlet(
            external_id=base if taken[base] == 1 else f"{base}-{taken[base]}",
            name=shop.name,
            kind=shop.kind,
            lat_deg=shop.lat_deg,
            lon_deg=shop.lon_deg,
            radius_m=department.radius_m if department else 40,
            department=department,
        )


def _bargains(outlets: Sequence[Outlet]) -> Iterable[Bargain]:
    rng = random.Random(_SEED)  # noqa: S311 - repeatable, guards nothing
    for department in DEPARTMENTS:
        stores = [one for one in outlets if one.department is department and one.name != SHOWCASE[0]]
        count = min(len(stores), max(1, round(len(stores) / STORES_PER_OFFER)))
        articles = rng.sample(department.articles, len(department.articles))
        for place, outlet in enumerate(rng.sample(stores, count)):
            yield _bargain(outlet, articles[place % len(articles)], rng)
    for outlet in outlets:
        for article in outlet.department.articles if outlet.department else ():
            if (outlet.name, article.name) == SHOWCASE:
                yield _bargain(outlet, article, rng)


def _bargain(outlet: Outlet, article: Article, rng: random.Random) -> Bargain:
    assert outlet.department is not None, "only a store with products has offers"
    percent = rng.choice(_PERCENTS)
    # On dear things a round sum says more than a share of the price.
    euros = int(Decimal(article.price) * percent / 100 // 5 * 5)
    kind, value = ("amount", euros) if euros >= 5 and rng.random() < 0.4 else ("percent", percent)
    return Bargain(
        external_id=f"{outlet.external_id}-{slug(article.name)}",
        outlet=outlet,
        sku=sku_of(outlet.department, article),
        article=article,
        kind=kind,
        value=str(value),
    )


def _is_showcase(bargain: Bargain) -> bool:
    return (bargain.outlet.name, bargain.article.name) == SHOWCASE


def _ndjson(records: Iterable[dict[str, Any]]) -> bytes:
    return msgspec.json.Encoder().encode_lines(list(records))
