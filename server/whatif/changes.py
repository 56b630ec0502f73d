"""What is to be published otherwise in a what-if: merge patches (RFC 7396) on what was, by external id.

    {"settings": {"shopper_per_day": 1},
     "offers": {"trainers-15": {"discount": {"value": 20}}, "boots-10": null},
     "geofences": {"door": {"properties": {"radius": 150}}}}

A field that is named is replaced, `null` takes it away; `null` in the place of a body takes that away, and a
body under a name that was not published is added, if it is whole. The changes hold at every moment of the
day, whatever was published in it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from geo.geojson import fence_from_feature
from geo.problem import FenceRejected
from geo.sensitive import SensitivePlace
from offers.bodies import product_from_body, store_from_body
from offers.offer_body import offer_from_body
from offers.problem import BodyRejected
from offers.settings import settings_from_body
from server.errors import BadUse
from server.publish import SETTINGS_ID, Bodies, Kind

#: As they are called outside, and as they are published.
KINDS: dict[str, Kind] = {
    "settings": "settings",
    "stores": "store",
    "geofences": "geofence",
    "catalog": "product",
    "offers": "offer",
    "sensitive": "sensitive",
}
_READ: dict[str, Callable[[Any], object]] = {
    "settings": settings_from_body,
    "stores": store_from_body,
    "geofences": fence_from_feature,
    "catalog": product_from_body,
    "offers": offer_from_body,
    "sensitive": SensitivePlace.from_feature,
}
#: Where a body has its own name.
_NAMED = {"stores": "external_id", "catalog": "sku", "offers": "external_id"}


class BadChange(BadUse):
    """A change that cannot be: the message names the field and what to do."""


class Changes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Patches by what they are of; those of bodies by external id."""

    settings: dict[str, Any] = {}
    stores: dict[str, dict[str, Any] | None] = {}
    geofences: dict[str, dict[str, Any] | None] = {}
    catalog: dict[str, dict[str, Any] | None] = {}
    offers: dict[str, dict[str, Any] | None] = {}
    sensitive: dict[str, dict[str, Any] | None] = {}

    def __bool__(self) -> bool:
        return self != Changes()

    @property
    def moves_fences(self) -> bool:
        """Whether timers may be due otherwise than they were."""
        return bool(self.geofences or self.stores or "presence_timeout_s" in self.settings)

    def edit(self, bodies: Bodies) -> Bodies:
        """What is published, changed. Raises BadChange."""
        changed = dict(bodies)
        for noun, kind in KINDS.items():
            patches = {SETTINGS_ID: self.settings} if noun == "settings" else getattr(self, noun)
            of_kind = dict(bodies.get(kind, {}))
            for name, patch in patches.items():
                if patch is None:
                    if of_kind.pop(name, None) is None:
                        raise BadChange(f"{noun}.{name}: nothing of that name was published to be taken away")
                    continue
                of_kind[name] = merged(of_kind.get(name, _empty(noun, name)), patch)
                _check(noun, name, of_kind[name])
            changed[kind] = of_kind
        return changed


def changes_from_json(text: bytes) -> Changes:
    """Raises BadChange."""
    try:
        return msgspec.json.decode(text, type=Changes)
    except msgspec.DecodeError as error:
        raise BadChange(f"changes: {error}; they are an object of {', '.join(KINDS)}") from error


def read_changes(path: Path | None, settings: Mapping[str, str]) -> Changes:
    """A file of changes, and settings as `name=value` on the command line, which win. Raises BadChange."""
    told = Changes() if path is None else changes_from_json(path.read_bytes())
    values = {name: _value(text) for name, text in settings.items()}
    return msgspec.structs.replace(told, settings=told.settings | values)


def merged(body: Any, patch: Any) -> Any:
    """The body with the patch applied (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(body) if isinstance(body, Mapping) else {}
    for field, value in patch.items():
        if value is None:
            result.pop(field, None)
        else:
            result[field] = merged(result.get(field), value)
    return result


def _value(text: str) -> Any:
    """JSON where it is that, else a text: `0.2`, `null`, `rules`."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _empty(noun: str, name: str) -> dict[str, Any]:
    if noun == "settings":
        return {}
    return (
        {_NAMED[noun]: name} if noun in _NAMED else {"type": "Feature", "properties": {"external_id": name}}
    )


def _check(noun: str, name: str, body: Any) -> None:
    where = noun if noun == "settings" else f"{noun}.{name}"
    try:
        _READ[noun](body)
    except BodyRejected as error:
        raise BadChange(f"{where}: {error}") from error
    except FenceRejected as error:
        raise BadChange(f"{where}: {error}") from error
