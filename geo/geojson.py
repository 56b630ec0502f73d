"""Geofences from GeoJSON (RFC 7946) and back.

A feature becomes a fence when its geometry is a Polygon, a MultiPolygon or a circle, and its properties name
it (`external_id`) and its store (`store`). GeoJSON has no circles; the conventions understood are a Point
with `radius` in metres (with Azure Maps' `subType: "Circle"` or without) and Radar's `geometryRadius` with
`geometryCenter`.

Foreign members and unknown properties are allowed, as section 6.1 wants, and ignored. What would change a
shape's meaning is refused: a `crs` other than WGS84, members of other types (section 7.1), an uncut crossing
of the antimeridian. All problems of a feature are told at once, unless it breaks a limit on size: then only
that.
"""

from typing import Any

import shapely

from geo.coordinates import (
    MAX_AREA_M2,
    MIN_AREA_M2,
    area_problems,
    crosses_uncut,
    read_polygons,
    read_position,
)
from geo.fence import DEFAULT_DWELL_S, MAX_RADIUS_M, MIN_RADIUS_M, Area, Circle, Fence, Shape
from geo.members import (
    check_members,
    check_size,
    interval,
    read_bool,
    read_interval,
    read_number,
    read_text,
)
from geo.problem import FenceRejected, Problem, wrong

__all__ = [
    "FenceRejected",
    "Problem",
    "feature_from_fence",
    "features_of",
    "fence_from_feature",
    "read_shape",
]

MAX_DWELL_S = 86_400.0
MAX_ID_LENGTH, MAX_NAME_LENGTH = 200, 500
GEOMETRY_TYPES = (
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "Polygon",
    "MultiPolygon",
    "GeometryCollection",
)


def features_of(document: Any) -> list[dict[str, Any]]:
    """The features of a FeatureCollection, a Feature or a bare geometry (as a feature without properties).

    Raises FenceRejected for a document that is none of these. The features themselves are not judged.
    """
    found: list[Problem] = []
    if not isinstance(document, dict):
        wrong(found, "not_an_object", "", "GeoJSON is an object with a `type`")
        raise FenceRejected(found)
    kind = document.get("type")
    if kind == "Feature":
        return [document]
    if isinstance(kind, str) and kind in GEOMETRY_TYPES:
        return [{"type": "Feature", "properties": {}, "geometry": document}]
    if kind != "FeatureCollection":
        wrong(
            found,
            "unknown_type",
            "type",
            _type_advice(kind, ("FeatureCollection", "Feature", *GEOMETRY_TYPES)),
        )
        raise FenceRejected(found)
    features = document.get("features")
    check_members(
        {**document, "features": None}, "", ("coordinates", "geometries", "geometry", "properties"), found
    )
    if not isinstance(features, list):
        wrong(found, "no_features", "features", "a FeatureCollection has an array `features`")
        raise FenceRejected(found)
    for place, feature in enumerate(features):
        if not isinstance(feature, dict):
            wrong(found, "not_an_object", f"features[{place}]", "a feature is an object")
    if found:
        raise FenceRejected(found)
    return features


def fence_from_feature(feature: dict[str, Any], *, default_radius_m: float | None = None) -> Fence:
    """The fence a feature describes; `default_radius_m` is for Points that have no radius.

    Raises FenceRejected with every problem of the feature.
    """
    found: list[Problem] = []
    properties = read_properties(feature, found)
    external_id = read_text(properties, "external_id", MAX_ID_LENGTH, found, required=True)
    store = read_text(properties, "store", MAX_ID_LENGTH, found, required=True)
    name = read_text(properties, "name", MAX_NAME_LENGTH, found)
    dwell_s = read_number(properties, "dwell_s", 0.0, MAX_DWELL_S, found)
    enabled = read_bool(properties, "enabled", found)
    valid_from_us, valid_until_us = read_interval(properties, "valid", found)
    shape = read_shape(feature, properties, found, default_radius_m=default_radius_m)
    if found or shape is None or external_id is None or store is None:
        raise FenceRejected(found)
    return Fence(
        external_id=external_id,
        store=store,
        shape=shape,
        name=name or "",
        dwell_s=DEFAULT_DWELL_S if dwell_s is None else dwell_s,
        enabled=enabled is not False,
        valid_from_us=valid_from_us,
        valid_until_us=valid_until_us,
    )


def feature_from_fence(fence: Fence) -> dict[str, Any]:
    """A fence as a Feature that `fence_from_feature` reads back to the same fence."""
    properties: dict[str, Any] = {"external_id": fence.external_id, "store": fence.store, "name": fence.name}
    shape = fence.shape
    if isinstance(shape, Circle):
        geometry = {"type": "Point", "coordinates": [shape.lon_deg, shape.lat_deg]}
        properties["radius"] = shape.radius_m
    else:
        geometry = _geometry_of(shape.geometry)
    properties |= {"dwell_s": fence.dwell_s, "enabled": fence.enabled}
    valid = interval(fence.valid_from_us, fence.valid_until_us)
    if valid is not None:
        properties["valid"] = valid
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def read_properties(feature: dict[str, Any], found: list[Problem]) -> dict[str, Any]:
    """Checks a feature's own members and gives its properties (none when they are null).

    Raises FenceRejected at once when the feature is too large or too deep, or is no feature at all.
    """
    check_size(feature)
    if feature.get("type") != "Feature":
        wrong(found, "unknown_type", "type", _type_advice(feature.get("type"), ("Feature",)))
        raise FenceRejected(found)
    check_members(feature, "", ("coordinates", "geometries", "features"), found)
    properties = feature.get("properties")
    if properties is not None and not isinstance(properties, dict):
        wrong(found, "bad_properties", "properties", "properties are an object or null")
    return properties if isinstance(properties, dict) else {}


def read_shape(
    feature: dict[str, Any],
    properties: dict[str, Any],
    found: list[Problem],
    *,
    default_radius_m: float | None = None,
    area_m2: tuple[float, float] = (MIN_AREA_M2, MAX_AREA_M2),
) -> Shape | None:
    """The circle or area of a feature; None, with the problems in `found`, when it has none."""
    geometry = feature.get("geometry")
    if "geometryCenter" in properties and "geometryRadius" in properties:
        geometry = properties["geometryCenter"]
    if not isinstance(geometry, dict):
        wrong(found, "no_geometry", "geometry", "a geofence needs a geometry")
        return None
    check_members(geometry, "geometry.", ("geometry", "features"), found)
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind == "Point":
        return _read_circle(coordinates, properties, found, default_radius_m)
    if kind == "Polygon":
        area = read_polygons([coordinates], "geometry.coordinates", found)
    elif kind == "MultiPolygon":
        area = read_polygons(coordinates, "geometry.coordinates", found)
    else:
        area = None
        _refuse_type(kind, found)
    if area is None:
        return None
    found += area_problems(area, "geometry.coordinates", least_m2=area_m2[0], most_m2=area_m2[1])
    found += [p for bbox in (feature.get("bbox"), geometry.get("bbox")) if (p := crosses_uncut(bbox, area))]
    return Area(geometry=area)


def _read_circle(
    coordinates: Any, properties: dict[str, Any], found: list[Problem], default_radius_m: float | None
) -> Circle | None:
    centre = read_position(coordinates, "geometry.coordinates", found)
    if properties.get("subType", "Circle") != "Circle":
        wrong(found, "bad_subtype", "properties.subType", "the one subType of a Point is Circle")
    name = "geometryRadius" if "geometryRadius" in properties and "radius" not in properties else "radius"
    before = len(found)
    radius_m = read_number(properties, name, MIN_RADIUS_M, MAX_RADIUS_M, found)
    radius_m = default_radius_m if radius_m is None else radius_m
    if radius_m is None and len(found) == before:
        wrong(found, "no_radius", "properties.radius", "a Point needs a `radius` in metres")
    if centre is None or radius_m is None:
        return None
    return Circle(lat_deg=centre[1], lon_deg=centre[0], radius_m=radius_m)


def _refuse_type(kind: Any, found: list[Problem]) -> None:
    if kind == "GeometryCollection":
        detail = "a GeometryCollection is no fence: give each geometry a feature, or use a MultiPolygon"
        wrong(found, "geometry_collection", "geometry.type", detail)
    elif isinstance(kind, str) and kind in GEOMETRY_TYPES:
        detail = f"a {kind} encloses nothing: use a Polygon, a MultiPolygon, or a Point with `radius`"
        wrong(found, "unsupported_geometry", "geometry.type", detail)
    else:
        wrong(found, "unknown_type", "geometry.type", _type_advice(kind, GEOMETRY_TYPES))


def _type_advice(kind: Any, known: tuple[str, ...]) -> str:
    if not isinstance(kind, str):
        return f"`type` is missing; it is one of {', '.join(known)}"
    right = {name.lower(): name for name in known}.get(kind.lower())
    if right is not None:
        return f"write {right}: types are case-sensitive"
    return f"{kind!r:.40} is not one of {', '.join(known)}"


def _geometry_of(area: shapely.Polygon | shapely.MultiPolygon) -> dict[str, Any]:
    """RFC 7946 geometry: outer rings counter-clockwise, holes clockwise."""
    oriented = shapely.orient_polygons(area)
    polygons = [
        [shapely.get_coordinates(ring).tolist() for ring in shapely.get_rings(part)]
        for part in shapely.get_parts(oriented)
    ]
    if isinstance(area, shapely.Polygon):
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}
