from typing import Any

import pytest
import shapely

from geo.fence import Area, Circle, Fence
from geo.geojson import FenceRejected, feature_from_fence, features_of, fence_from_feature

SQUARE = [[24.94, 60.17], [24.942, 60.17], [24.942, 60.171], [24.94, 60.171], [24.94, 60.17]]
HOLE = [[24.9405, 60.1703], [24.9405, 60.1706], [24.941, 60.1706], [24.941, 60.1703], [24.9405, 60.1703]]


def feature(geometry: Any = None, **properties: Any) -> dict[str, Any]:
    if geometry is None:
        geometry = {"type": "Polygon", "coordinates": [SQUARE]}
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {"external_id": "f", "store": "s", **properties},
    }


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def point(*coordinates: Any) -> dict[str, Any]:
    return {"type": "Point", "coordinates": list(coordinates)}


def problems(value: Any) -> list[tuple[str, str]]:
    with pytest.raises(FenceRejected) as refused:
        fence_from_feature(value)
    assert all(problem.detail for problem in refused.value.problems)
    return [(problem.code, problem.field) for problem in refused.value.problems]


def test_a_polygon_becomes_a_fence() -> None:
    fence = fence_from_feature(feature(name="Kamppi", dwell_s=90))
    assert (fence.external_id, fence.store, fence.name, fence.dwell_s, fence.enabled) == (
        "f",
        "s",
        "Kamppi",
        90.0,
        True,
    )
    assert isinstance(fence.shape, Area)
    assert fence.shape.geometry.equals(shapely.Polygon(SQUARE))


def test_a_fence_dwells_after_a_minute_unless_it_says_otherwise() -> None:
    assert fence_from_feature(feature()).dwell_s == 60.0


def test_a_fence_can_be_disabled() -> None:
    assert fence_from_feature(feature(enabled=False)).enabled is False


def test_a_point_with_a_radius_becomes_a_circle() -> None:
    expected = Circle(lat_deg=60.17, lon_deg=24.94, radius_m=75.0)
    assert fence_from_feature(feature(point(24.94, 60.17), radius=75)).shape == expected
    assert fence_from_feature(feature(point(24.94, 60.17), radius=75, subType="Circle")).shape == expected
    assert fence_from_feature(feature(point(24.94, 60.17), geometryRadius=75)).shape == expected


def test_radars_circles_are_understood() -> None:
    value = feature(polygon(SQUARE), geometryRadius=75, geometryCenter=point(24.94, 60.17))
    assert fence_from_feature(value).shape == Circle(lat_deg=60.17, lon_deg=24.94, radius_m=75.0)


def test_a_default_radius_serves_points_without_one() -> None:
    shape = fence_from_feature(feature(point(24.94, 60.17)), default_radius_m=120.0).shape
    assert shape == Circle(lat_deg=60.17, lon_deg=24.94, radius_m=120.0)


def test_elevations_are_dropped() -> None:
    shape = fence_from_feature(feature(polygon([[*position, 17.0] for position in SQUARE]))).shape
    assert isinstance(shape, Area)
    assert not shape.geometry.has_z


def test_winding_does_not_matter() -> None:
    shapes = [
        fence_from_feature(feature(polygon(outer, hole))).shape
        for outer in (SQUARE, SQUARE[::-1])
        for hole in (HOLE, HOLE[::-1])
    ]
    areas = {round(shape.geometry.area, 15) for shape in shapes if isinstance(shape, Area)}
    assert len(areas) == 1


def test_foreign_members_and_unknown_properties_are_ignored() -> None:
    value = feature(opening_hours="24/7", nested={"a": [1]}) | {
        "custom": True,
        "id": 7,
        "bbox": [24, 60, 25, 61],
    }
    assert fence_from_feature(value).external_id == "f"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (feature(polygon(SQUARE[:-1])), [("unclosed_ring", "geometry.coordinates[0][0]")]),
        (feature(polygon(SQUARE[:3])), [("short_ring", "geometry.coordinates[0][0]")]),
        (feature(polygon([])), [("short_ring", "geometry.coordinates[0][0]")]),
        (feature(polygon()), [("no_ring", "geometry.coordinates[0]")]),
        (feature(polygon([["24", "60"]] * 4)), [("not_a_number", "geometry.coordinates[0][0][0]")]),
        (feature(polygon([[True, False]] * 4)), [("not_a_number", "geometry.coordinates[0][0][0]")]),
        (feature(polygon([[None, 1]] * 4)), [("not_a_number", "geometry.coordinates[0][0][0]")]),
        (feature(polygon([[float("nan"), 1]] * 4)), [("not_finite", "geometry.coordinates[0][0][0]")]),
        (feature(polygon([[1e308, 1]] * 4)), [("not_finite", "geometry.coordinates[0][0][0]")]),
        (feature(polygon([[10**400, 1]] * 4)), [("not_finite", "geometry.coordinates[0][0][0]")]),
        (feature(polygon([[1, 2, 3, 4, 5]] * 4)), [("bad_position", "geometry.coordinates[0][0][0]")]),
        (feature(polygon([[24.0, 91]] * 4)), [("bad_latitude", "geometry.coordinates[0][0][0]")]),
        (feature(polygon([[540, 0]] * 4)), [("bad_longitude", "geometry.coordinates[0][0][0]")]),
        (feature(point(24.94, 60.17)), [("no_radius", "properties.radius")]),
        (feature(point(24.94, 60.17), radius=9.9), [("out_of_range", "properties.radius")]),
        (feature(point(24.94, 60.17), radius=10_001), [("out_of_range", "properties.radius")]),
        (feature(point(24.94, 60.17), radius="75"), [("not_a_number", "properties.radius")]),
        (feature(point(24.94, 60.17), radius=75, subType="Sphere"), [("bad_subtype", "properties.subType")]),
        (feature({"type": "LineString", "coordinates": SQUARE}), [("unsupported_geometry", "geometry.type")]),
        (feature({"type": "GeometryCollection"}), [("geometry_collection", "geometry.type")]),
        (feature({"type": "polygon", "coordinates": [SQUARE]}), [("unknown_type", "geometry.type")]),
        (feature({"type": {}}), [("unknown_type", "geometry.type")]),
        (feature("POINT(1 1)"), [("no_geometry", "geometry")]),
        (feature(external_id=""), [("missing_field", "properties.external_id")]),
        (feature(external_id=7), [("not_a_text", "properties.external_id")]),
        (feature(store=None), [("missing_field", "properties.store")]),
        (feature(name="a\0b"), [("bad_text", "properties.name")]),
        (feature(dwell_s=-1), [("out_of_range", "properties.dwell_s")]),
        (feature(dwell_s=True), [("not_a_number", "properties.dwell_s")]),
        (feature(enabled="no"), [("not_a_boolean", "properties.enabled")]),
        (feature() | {"id": {}}, [("bad_id", "id")]),
        (feature() | {"bbox": [1, 2, 3]}, [("bad_bbox", "bbox")]),
        (feature() | {"coordinates": None}, [("changed_semantics", "coordinates")]),
        (feature() | {"properties": []}, [
            ("bad_properties", "properties"),
            ("missing_field", "properties.external_id"),
            ("missing_field", "properties.store"),
        ]),
        (feature() | {"type": "feature"}, [("unknown_type", "type")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(value: Any, expected: list[tuple[str, str]]) -> None:
    assert problems(value) == expected


def test_all_problems_of_a_feature_are_told_at_once() -> None:
    value = feature(polygon(SQUARE[:-1], HOLE[:2]), store=3, dwell_s="long")
    assert [code for code, _ in problems(value)] == [
        "not_a_text",
        "not_a_number",
        "unclosed_ring",
        "short_ring",
    ]


@pytest.mark.parametrize("name", ["EPSG:4326", "urn:ogc:def:crs:OGC:1.3:CRS84"])
def test_a_crs_that_says_wgs84_is_harmless(name: str) -> None:
    value = feature() | {"crs": {"type": "name", "properties": {"name": name}}}
    assert fence_from_feature(value).external_id == "f"


@pytest.mark.parametrize("crs", [{"type": "name", "properties": {"name": "EPSG:3857"}}, "EPSG:4326", {}])
def test_any_other_crs_is_refused(crs: Any) -> None:
    assert problems(feature() | {"crs": crs}) == [("crs", "crs")]
    assert problems(feature(polygon(SQUARE) | {"crs": crs})) == [("crs", "geometry.crs")]


def box(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def test_an_uncut_crossing_of_the_antimeridian_is_refused_with_its_remedy() -> None:
    with pytest.raises(FenceRejected, match="cut it in two"):
        fence_from_feature(feature(polygon(box(-179.995, 0, 179.995, 0.01))))


def test_a_box_across_the_antimeridian_needs_a_shape_on_both_sides() -> None:
    bbox = [179.995, 0, -179.995, 0.01]
    whole = feature(polygon(box(179.99, 0, 180, 0.01))) | {"bbox": bbox}
    assert problems(whole) == [("antimeridian", "bbox")]
    cut = {
        "type": "MultiPolygon",
        "coordinates": [[box(179.995, 0, 180, 0.01)], [box(-180, 0, -179.995, 0.01)]],
    }
    shape = fence_from_feature(feature(cut) | {"bbox": bbox}).shape
    assert isinstance(shape, Area)
    assert shape.bounding_circle.radius_m < 1_000


def test_fences_below_2000_and_above_5_million_square_metres_are_refused() -> None:
    assert problems(feature(polygon(box(24.94, 60.17, 24.9402, 60.1701)))) == [
        ("area_too_small", "geometry.coordinates")
    ]
    assert problems(feature(polygon(box(24.9, 60.1, 25.0, 60.2)))) == [
        ("area_too_large", "geometry.coordinates")
    ]


def test_too_many_vertices_are_refused_before_anything_is_built() -> None:
    ring = [[24.94 + i * 1e-6, 60.17] for i in range(2_001)]
    assert problems(feature(polygon(ring))) == [("too_many_vertices", "geometry.coordinates")]


def test_two_thousand_vertices_are_possible() -> None:
    circle = shapely.Point(24.94, 60.17).buffer(0.002, quad_segs=499)
    ring = shapely.get_coordinates(circle).tolist()
    ring[1:1] = [[(ring[0][0] + ring[1][0]) / 2, (ring[0][1] + ring[1][1]) / 2]] * (2_000 - len(ring))
    assert len(ring) == 2_000
    assert fence_from_feature(feature(polygon(ring))).external_id == "f"


def test_deep_nesting_is_refused() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    assert problems(feature(polygon(value))) == [("too_deep", "")]


def test_a_feature_of_more_than_256_kb_is_refused() -> None:
    assert problems(feature(notes="x" * 262_144)) == [("too_large", "")]


def test_half_a_surrogate_pair_is_refused() -> None:
    assert problems(feature(notes="\ud800")) == [("bad_text", "")]


def test_a_fence_survives_the_way_to_geojson_and_back() -> None:
    fences = [
        fence_from_feature(feature(point(24.94, 60.17), radius=75, name="K", dwell_s=5, enabled=False)),
        fence_from_feature(feature(polygon(SQUARE[::-1], HOLE))),
        fence_from_feature(
            feature({"type": "MultiPolygon", "coordinates": [[SQUARE], [box(25, 60, 25.01, 60.01)]]})
        ),
    ]
    for fence in fences:
        again = fence_from_feature(feature_from_fence(fence))
        assert feature_from_fence(again) == feature_from_fence(fence)
        if isinstance(fence.shape, Area):
            assert isinstance(again.shape, Area)
            assert again.shape.geometry.equals(fence.shape.geometry)
        else:
            assert again == fence


def test_features_come_out_of_collections_features_and_bare_geometries() -> None:
    one = feature()
    assert features_of({"type": "FeatureCollection", "features": [one, one], "name": "x"}) == [one, one]
    assert features_of(one) == [one]
    assert features_of(polygon(SQUARE)) == [
        {"type": "Feature", "properties": {}, "geometry": polygon(SQUARE)}
    ]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (None, "not_an_object"),
        ([], "not_an_object"),
        ({}, "unknown_type"),
        ({"type": "FooBar"}, "unknown_type"),
        ({"type": "featurecollection", "features": []}, "unknown_type"),
        ({"type": "FeatureCollection"}, "no_features"),
        ({"type": "FeatureCollection", "features": {}}, "no_features"),
        ({"type": "FeatureCollection", "features": [None]}, "not_an_object"),
        ({"type": "FeatureCollection", "features": [], "crs": {"x": 1}}, "crs"),
        ({"type": "FeatureCollection", "features": [], "coordinates": []}, "changed_semantics"),
    ],
)
def test_a_document_that_is_no_geojson_is_refused(document: Any, code: str) -> None:
    with pytest.raises(FenceRejected) as refused:
        features_of(document)
    assert [problem.code for problem in refused.value.problems] == [code]


def test_the_distance_to_a_fence_is_zero_inside() -> None:
    fence = fence_from_feature(feature(point(24.94, 60.17), radius=75))
    assert fence.distance_m(60.17, 24.94) == 0.0
    assert fence.boundary_distance_m(60.17, 24.94) == -75.0
    assert isinstance(fence, Fence)
