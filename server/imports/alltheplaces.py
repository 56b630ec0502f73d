"""Makes stores of All The Places' features (https://www.alltheplaces.xyz, DATA_FORMAT.md; data CC0).

A store's id is its spider and the retailer's own `ref`: `dixy_ru:2`. The feature's own id is random for
spiders without refs, so a feature without a `ref` is refused: it would be a new store at every import.
"""

import datetime as dt
from typing import Any

from offers.hours import is_opening_hours
from server.imports.problem import Place, Problem, Record, problem_at

#: The OpenStreetMap keys whose values say what a place sells or is.
_CATEGORY_KEYS = ("shop", "amenity", "craft", "healthcare", "leisure", "office", "tourism")
_STREET_KEYS = (("addr:street_address",), ("addr:housenumber", "addr:street"), ("addr:street",))


def store(place: Place, feature: dict[str, Any], today: dt.date) -> Record | Problem:
    """The store of a feature; a problem where it has no stable id, or has closed for good by `today`."""
    properties: dict[str, Any] = feature["properties"]
    ref = _text(properties, "ref")
    if ref is None or not isinstance(properties["@spider"], str):
        return problem_at(place, "no_stable_id", "ref", "the feature has no `ref`")
    external_id = f"{properties['@spider']}:{ref}"
    if _is_closed(properties.get("end_date"), today):
        detail = f"it closed ({properties['end_date']!r})"
        return problem_at(place, "closed_for_good", "end_date", detail, external_id)
    hours = _text(properties, "opening_hours")
    warnings: tuple[Problem, ...] = ()
    if hours is not None and not is_opening_hours(hours):
        detail = f"left out, since it is not in OpenStreetMap's syntax: {hours[:100]!r}"
        warnings = (problem_at(place, "bad_opening_hours", "opening_hours", detail, external_id),)
        hours = None
    body = {
        "external_id": external_id,
        "name": _name(properties),
        "address": address(properties),
        "opening_hours": hours,
        "categories": categories(properties),
        **position(feature.get("geometry")),
    }
    present = {field: value for field, value in body.items() if value not in (None, [])}
    return Record(place, present, warnings=warnings)


def position(geometry: object) -> dict[str, Any]:
    """`lat` and `lon` of a GeoJSON geometry: a Point's own, else the middle of its bounding box.

    Empty where there is no geometry. Numbers that are none, or out of range, are left for the judging
    of the store.
    """
    if not isinstance(geometry, dict) or "coordinates" not in geometry:
        return {}
    positions = _positions(geometry["coordinates"])
    if not positions:
        return {"lat": None, "lon": geometry["coordinates"]}
    lons, lats = zip(*positions, strict=True)
    if len(positions) == 1:
        return {"lat": lats[0], "lon": lons[0]}
    return {"lat": (min(lats) + max(lats)) / 2, "lon": (min(lons) + max(lons)) / 2}


def address(properties: dict[str, Any]) -> str | None:
    """One line: `addr:full`, else street, postcode and city, state, country, as far as they are there."""
    full = _text(properties, "addr:full")
    if full is not None:
        return full
    street = next((joined for keys in _STREET_KEYS if (joined := _joined(properties, keys, all))), "")
    city = _joined(properties, ("addr:postcode", "addr:city"), any)
    parts = (street, city, _text(properties, "addr:state"), _text(properties, "addr:country"))
    return ", ".join(part for part in parts if part) or None


def categories(properties: dict[str, Any]) -> list[str]:
    """The values of `shop=*` and its like; `shop=yes` says no more than `shop`."""
    found: dict[str, None] = {}
    for key in _CATEGORY_KEYS:
        for value in (_text(properties, key) or "").split(";"):
            if value.strip():
                found[key if value.strip() == "yes" else value.strip()] = None
    return list(found)


def _name(properties: dict[str, Any]) -> str:
    name = next((found for key in ("name", "brand", "operator") if (found := _text(properties, key))), None)
    branch = _text(properties, "branch")
    spider = properties["@spider"]
    if branch is None or (name and branch in name):
        return name or spider
    return f"{name or spider} {branch}"


def _is_closed(end_date: object, today: dt.date) -> bool:
    """True for `yes` and for a date (a year, a month or a day) that lies wholly in the past."""
    if not isinstance(end_date, str):
        return False
    return end_date == "yes" or (end_date[:4].isdigit() and end_date < today.isoformat()[: len(end_date)])


def _text(properties: dict[str, Any], key: str) -> str | None:
    value = properties.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None


def _joined(properties: dict[str, Any], keys: tuple[str, ...], enough: Any) -> str:
    values = [_text(properties, key) for key in keys]
    return " ".join(value for value in values if value) if enough(values) else ""


def _positions(coordinates: object) -> list[tuple[float, float]]:
    """Every pair of numbers in nested GeoJSON coordinates; none at all where one is malformed."""
    found: list[tuple[float, float]] = []
    stack = [coordinates]
    while stack:
        value = stack.pop()
        if not isinstance(value, list) or not value:
            return []
        if not isinstance(value[0], list):
            pair = value[:2]
            if len(pair) < 2 or not all(type(part) in {int, float} for part in pair):
                return []
            found.append((pair[0], pair[1]))
        else:
            stack.extend(value)
    return found
