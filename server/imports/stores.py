"""Reads stores: CSV, NDJSON or JSON of our own fields, and All The Places as it comes.

A store leaves here with its fields as published, save that its position may still be missing; the
importer then looks it up or refuses it.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from server.imports import alltheplaces
from server.imports.csv_reader import Table, read_csv
from server.imports.formats import Format, looks_like_json
from server.imports.json_reader import read_json
from server.imports.problem import Place, Problem, Record, problem_at

TABLE = Table(
    columns=(
        "external_id",
        "name",
        "lat",
        "lon",
        "address",
        "timezone",
        "opening_hours",
        "categories",
    ),
    required=frozenset({"external_id", "name"}),
    known_as={
        "id": "external_id",
        "store_id": "external_id",
        "business_id": "external_id",
        "ref": "external_id",
        "latitude": "lat",
        "y": "lat",
        "longitude": "lon",
        "lng": "lon",
        "long": "lon",
        "x": "lon",
        "street": "address",
        "city": "address",
        "state": "address",
        "postcode": "address",
        "postal_code": "address",
        "zip": "address",
        "country": "address",
        "hours": "opening_hours",
        "tz": "timezone",
        "time_zone": "timezone",
        "category": "categories",
        "tags": "categories",
    },
)


def read_stores(data: bytes, form: Format | None, *, today: dt.date) -> Iterator[Record | Problem]:
    """The stores of `data`; `today` tells which of All The Places' have closed for good."""
    if form == "csv" or (form is None and not looks_like_json(data)):
        yield from read_csv(data, TABLE)
        return
    for read in read_json(data, form):
        if isinstance(read, Problem) or "type" not in read.body:
            yield read
        else:
            yield _from_feature(read.place, read.body, today)


def has_position(body: dict[str, Any]) -> bool:
    """False where a store must be looked up by its address first."""
    return body.get("lat") is not None or body.get("lon") is not None


def _from_feature(place: Place, feature: dict[str, Any], today: dt.date) -> Record | Problem:
    properties = feature.get("properties")
    if feature["type"] != "Feature" or not isinstance(properties, dict):
        detail = "a GeoJSON store is a Feature with properties"
        return problem_at(place, "not_an_object", "properties", detail)
    if "@spider" in properties:
        return alltheplaces.store(place, feature, today)
    position = alltheplaces.position(feature.get("geometry"))
    return Record(place, {**properties, **position})
