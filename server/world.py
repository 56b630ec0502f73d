"""The published world of one retailer at one version: what decisions are made against.

A world never changes; publishing makes the next one. A micro-batch is judged by exactly one world, and its
journal row names the version, which is how a replay finds the same world again. The next world is made of the
last one and of what has changed since: moving one fence among a million leaves the others where they are. It
is the same in every answer as one built from nothing (the replay of a stored day builds that).
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from geo.fences.roll import Roll
from geo.geojson import fence_from_feature
from geo.index import FenceSet
from geo.sensitive import Override, SensitivePlace, SensitiveSet
from geo.transition import Rules
from offers.bodies import product_from_body, store_from_body
from offers.catalogue import Catalogue
from offers.offer_body import offer_from_body
from offers.settings import Settings, settings_from_body

Bodies = Mapping[str, Mapping[str, Any]]  #: kind -> external id -> published body
Changes = Bodies  #: likewise, of what differs; None in place of a body that is gone

T = TypeVar("T")


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
    def build(
        cls, retailer_id: str, secret: bytes, version: int, bodies: Bodies, *, roll: Roll | None = None
    ) -> "World":
        """Builds the world from bodies that were validated when they were published, in any order.

        `roll` may know some of the fences already.
        """
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
                _in_order(_read(bodies.get("geofence", {}), fence_from_feature)), version=version, roll=roll
            ),
            sensitive=SensitiveSet.build(
                _in_order(_read(bodies.get("sensitive", {}), SensitivePlace.from_feature)),
                _in_order(_read(bodies.get("override", {}), Override.from_body)),
            ),
            rules=rules_of(settings),
        )

    def next(self, version: int, changes: Changes) -> "World":
        """The world at a newer version, given what differs between the two."""
        catalogue = self._next_catalogue(version, changes)
        return World(
            retailer_id=self.retailer_id,
            secret=self.secret,
            version=version,
            catalogue=catalogue,
            fences=_edited(self.fences, changes.get("geofence", {}), version),
            sensitive=self._next_sensitive(changes),
            rules=rules_of(catalogue.settings),
        )

    def refenced(self, fences: FenceSet, changes: Mapping[str, Any]) -> "World":
        """The same world, its fences made of an earlier set of them and of what has changed since."""
        return msgspec.structs.replace(self, fences=_edited(fences, changes, self.version))

    def _next_catalogue(self, version: int, changes: Changes) -> Catalogue:
        settings = changes.get("settings", {})
        return self.catalogue.edited(
            version=version,
            stores=_read(changes.get("store", {}), store_from_body),
            products=_read(changes.get("product", {}), product_from_body),
            offers=_read(changes.get("offer", {}), offer_from_body),
            settings=settings_from_body(settings["settings"] or {}) if settings else self.catalogue.settings,
        )

    def _next_sensitive(self, changes: Changes) -> SensitiveSet:
        places, overrides = changes.get("sensitive", {}), changes.get("override", {})
        if not places and not overrides:
            return self.sensitive
        known = {place.external_id: place for place in self.sensitive.places}
        excused = {one.external_id: one for one in self.sensitive.overrides}
        return SensitiveSet.build(
            _in_order(known | _read(places, SensitivePlace.from_feature)),
            _in_order(excused | _read(overrides, Override.from_body)),
        )


def _edited(fences: FenceSet, changes: Mapping[str, Any], version: int) -> FenceSet:
    present = [fence_from_feature(body) for body in changes.values() if body is not None]
    gone = [external_id for external_id, body in changes.items() if body is None]
    return fences.edited(present, gone, version=version)


def rules_of(settings: Settings) -> Rules:
    """What the retailer's settings ask of the fence engine. On the server it always judges accurately."""
    return Rules(
        lateness_s=float(settings.lateness_s),
        presence_timeout_s=float(settings.presence_timeout_s),
        default_accuracy_m=settings.default_accuracy_m,
    )


def rules_of_body(settings: Mapping[str, Any]) -> Rules:
    """The same, of settings as they are published."""
    return rules_of(settings_from_body(settings))


def _read(bodies: Mapping[str, Any], read: Callable[[Any], T]) -> dict[str, T | None]:
    return {external_id: None if body is None else read(body) for external_id, body in bodies.items()}


def _in_order(by_id: Mapping[str, T | None]) -> list[T]:
    """By external id, so that the order in which bodies came makes no difference."""
    return [thing for _, thing in sorted(by_id.items(), key=lambda item: item[0]) if thing is not None]
