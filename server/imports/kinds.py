"""What each kind of import reads and how a record of it is judged.

Whether a body is right is decided where it is used: in `offers` for stores, products and offers, in `geo` for
geofences and sensitive places. What is stored is their normal form of it, so that the same input always makes
the same body.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

from msgspec.structs import replace

import geo.problem
import offers.problem
from geo.fence import Fence
from geo.geojson import feature_from_fence, fence_from_feature
from geo.problem import FenceRejected
from geo.sensitive import SensitivePlace
from offers.bodies import product_body, product_from_body, store_body, store_from_body
from offers.linter import lint
from offers.offer_body import offer_body, offer_from_body
from offers.problem import BodyRejected
from server.imports.catalog import read_catalog
from server.imports.features import read_features
from server.imports.formats import Format
from server.imports.inventory import inventory_body, read_inventory
from server.imports.json_reader import read_json
from server.imports.judging import Accepted, Verdict
from server.imports.problem import Place, Problem, Record, problem_at
from server.imports.report import ImportKind
from server.imports.stores import has_position, read_stores

_Body: TypeAlias = dict[str, Any]
#: What is read of a feature's properties; anything else is told as ignored, up to so many of one feature.
_PROPERTIES = frozenset(
    (
        *("external_id", "store", "name", "radius", "dwell_s", "enabled", "valid", "kind"),
        *("distance_m", "subType", "geometryRadius", "geometryCenter"),
    )
)
_UNKNOWN_MOST = 20
_Found: TypeAlias = Sequence[geo.problem.Problem | offers.problem.Problem]


def reader(
    kind: ImportKind, data: bytes, form: Format | None, *, today: dt.date
) -> Iterator[Record | Problem]:
    """The records of an input of that kind."""
    if kind == "stores":
        return read_stores(data, form, today=today)
    if kind == "catalog":
        return read_catalog(data, form)
    if kind == "inventory":
        return read_inventory(data, form)
    if kind == "offers":
        return read_json(data, form)
    return read_features(data, form)


def judge(kind: ImportKind, record: Record) -> Verdict:
    """The record's body in its normal form, or every problem it has.

    A store without a position may pass if it has an address: its body lacks `lat` and `lon`, which are then
    to be looked up.
    """
    return _JUDGES[kind](record)


def _judge_store(record: Record) -> Verdict:
    def normal(body: _Body) -> _Body:
        return store_body(store_from_body(body, lax=record.texts))

    if has_position(record.body):
        return _judge_body(record, "external_id", normal)
    if not record.body.get("address"):
        detail = "it has neither `lat` and `lon` nor an address"
        return (problem_at(record.place, "missing_position", "lat", detail, record.body.get("external_id")),)

    def normal_but_position(body: _Body) -> _Body:
        somewhere = normal({**body, "lat": 0, "lon": 0})
        return {field: value for field, value in somewhere.items() if field not in {"lat", "lon"}}

    return _judge_body(record, "external_id", normal_but_position)


def _judge_product(record: Record) -> Verdict:
    return _judge_body(record, "sku", lambda body: product_body(product_from_body(body, lax=record.texts)))


def _judge_inventory(record: Record) -> Verdict:
    try:
        body = inventory_body(record.body, lax=record.texts)
    except BodyRejected as rejected:
        return _problems(record.place, rejected.problems, record.body.get("id"))
    return _accepted(record, f"{body['sku']} at {body['store']}", body, "id")


def _judge_offer(record: Record) -> Verdict:
    verdict = _judge_body(record, "external_id", lambda body: offer_body(offer_from_body(body)))
    if not isinstance(verdict, Accepted):
        return verdict
    texts = {locale: (one["title"], one["body"]) for locale, one in verdict.body["message"].items()}
    doubts = tuple(
        problem_at(record.place, one.code, one.field, one.detail, verdict.external_id) for one in lint(texts)
    )
    return replace(verdict, warnings=(*verdict.warnings, *doubts))


def _judge_body(record: Record, id_field: str, normal: Callable[[_Body], _Body]) -> Verdict:
    try:
        body = normal(record.body)
    except BodyRejected as rejected:
        return _problems(record.place, rejected.problems, record.body.get(id_field))
    return _accepted(record, body[id_field], body, id_field)


def _judge_feature(normal: Callable[[_Body], _Body], record: Record) -> Verdict:
    properties = record.body.get("properties")
    external_id = properties.get("external_id") if isinstance(properties, dict) else None
    try:
        body = normal(record.body)
    except FenceRejected as rejected:
        return _problems(record.place, rejected.problems, external_id)
    unknown = sorted(set(properties or ()) - _PROPERTIES)[:_UNKNOWN_MOST]
    detail = "is no property that is known here; it was ignored"
    ignored = tuple(
        problem_at(record.place, "unknown_property", f"properties.{name}", detail, external_id)
        for name in unknown
    )
    record = replace(record, warnings=(*record.warnings, *ignored))
    return _accepted(record, body["properties"]["external_id"], body, "properties.external_id")


def _accepted(record: Record, external_id: str, body: _Body, id_field: str) -> Verdict:
    # Two ids that look the same in a spreadsheet must not name two things.
    if external_id != external_id.strip():
        detail = "the id has white space at an end"
        return (problem_at(record.place, "bad_id", id_field, detail, external_id),)
    return Accepted(place=record.place, external_id=external_id, body=body, warnings=record.warnings)


def _problems(place: Place, found: _Found, external_id: object) -> Verdict:
    return tuple(problem_at(place, p.code, p.field, p.detail, external_id) for p in found)


def _fence(feature: _Body) -> _Body:
    return feature_from_fence(fence_from_feature(feature))


def _sensitive(feature: _Body) -> _Body:
    place = SensitivePlace.from_feature(feature)
    # Its shape is one that a fence can have, and so has that one's normal form.
    drawn = feature_from_fence(Fence(external_id=place.external_id, store="", shape=place.shape))
    kept = {name: value for name, value in drawn["properties"].items() if name in {"external_id", "radius"}}
    return drawn | {"properties": {**kept, "kind": place.kind, "distance_m": place.distance_m}}


_JUDGES: dict[ImportKind, Callable[[Record], Verdict]] = {
    "stores": _judge_store,
    "geofences": partial(_judge_feature, _fence),
    "catalog": _judge_product,
    "inventory": _judge_inventory,
    "offers": _judge_offer,
    "sensitive": partial(_judge_feature, _sensitive),
}
