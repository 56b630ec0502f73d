"""The published world of one retailer at one version: what decisions are made against.

A world never changes; publishing makes the next one. A micro-batch is judged by exactly one world, and its
journal row names the version, which is how a replay finds the same world again.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from geo.geojson import fence_from_feature
from geo.index import FenceSet
from geo.sensitive import SensitivePlace, SensitiveSet
from geo.transition import Rules
from offers.bodies import product_from_body, store_from_body
from offers.catalogue import Catalogue
from offers.offer_body import offer_from_body
from offers.settings import settings_from_body

Bodies = Mapping[str, Mapping[str, Any]]  #: kind -> external id -> published body


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Everything published, built for use."""

    retailer_id: str
    secret: bytes  #: keys coupon codes and the holdout's hash
    version: int
    catalogue: Catalogue
    fences: FenceSet
    sensitive: SensitiveSet
    rules: Rules

    @classmethod
    def build(cls, retailer_id: str, secret: bytes, version: int, bodies: Bodies) -> "World":
        """Builds the world from bodies that were validated when they were published."""
        settings = settings_from_body(bodies.get("settings", {}).get("settings", {}))
        return cls(
            retailer_id=retailer_id,
            secret=secret,
            version=version,
            catalogue=Catalogue.build(
                stores=[store_from_body(body) for body in bodies.get("store", {}).values()],
                products=[product_from_body(body) for body in bodies.get("product", {}).values()],
                offers=[offer_from_body(body) for body in bodies.get("offer", {}).values()],
                settings=settings,
                version=version,
            ),
            fences=FenceSet.build(
                (fence_from_feature(body) for body in bodies.get("geofence", {}).values()), version=version
            ),
            sensitive=SensitiveSet.build(
                SensitivePlace.from_feature(body) for body in bodies.get("sensitive", {}).values()
            ),
            rules=Rules(),
        )
