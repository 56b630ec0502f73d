"""Point-in-fence cases of other projects."""

import json
import math
from typing import Any

import numpy as np
import pytest
import shapely

from geo.fence import Area, Circle, Fence, Shape
from geo.index import FenceSet
from tests.support import shared_data
from tests.unit.geo.shapes import cut


def holds(shape: Shape, lat: float, lon: float) -> bool:
    """By the index, one point at a time, and by the fence itself, which must agree."""
    fence = Fence(external_id="f", store="s", shape=shape)
    lon = (lon + 180) % 360 - 180
    fences = FenceSet.build([fence])
    matched = len(fences.match(np.array([lat]), np.array([lon]))[0]) == 1
    assert fence.contains(lat, lon) is matched
    assert fences.match_one(lat, lon) == [0] * matched
    return matched


def traccar_shape(fence: dict[str, Any]) -> Shape | None:
    if fence["type"] == "circle":
        return Circle(lat_deg=fence["lat"], lon_deg=fence["lon"], radius_m=fence["radius_m"])
    # Shapes across the antimeridian are not cut there: that is for the rules of GeoJSON to ask.
    wide = max(lon for _, lon in fence["points"]) - min(lon for _, lon in fence["points"]) > 180
    line = [(lon % 360 if wide else lon, lat) for lat, lon in fence["points"]]
    if fence["type"] == "polygon_latlon":
        geometry = cut(shapely.Polygon(line))
    else:  # a corridor on both sides of a line: in Vicino, a polygon
        east = math.cos(math.radians(line[0][1]))
        flat = shapely.affinity.scale(shapely.LineString(line), east, 1.0, origin=(0, 0))
        corridor = flat.buffer(fence["distance_m"] / 111_300)
        geometry = cut(shapely.affinity.scale(corridor, 1 / east, 1.0, origin=(0, 0)))
    return Area(geometry=geometry) if geometry is not None else None


def test_traccars_containment_cases_agree() -> None:
    cases = json.loads(shared_data("vectors", "events", "traccar_geofence.json").read_text())["cases"]
    judged = 0
    for case in cases:
        shape = traccar_shape(case["fence"]) if "fence" in case else None
        for lat, lon, expected in case.get("contains", []):
            assert shape is not None
            assert holds(shape, lat, lon) is expected, (case["fence"], lat, lon)
            judged += 1
    assert judged == 18


def turf_geometry(case: dict[str, Any]) -> Any:
    if "geojson" not in case:
        case = {"geojson": json.loads(shared_data("vectors", *case["file"].split("/")).read_text())}
    return case["geojson"].get("geometry", case["geojson"])


def test_turfs_point_in_polygon_cases_agree_and_boundaries_are_inside() -> None:
    suite = json.loads(shared_data("vectors", "events", "turf_point_in_polygon.json").read_text())
    shapes = {
        name: Area(geometry=shapely.geometry.shape(polygon)) for name, polygon in suite["polygons"].items()
    }
    for case in suite["boundary_cases"]:
        lon, lat = case["point"]
        if abs(lat) <= 90 and abs(lon) <= 180:
            assert holds(shapes[case["poly"]], lat, lon) is bool(case["expected"]), case
    for case in suite["cases"]:
        lon, lat = case["point"]
        if abs(lat) <= 90 and abs(lon) <= 180:
            polygon = Area(geometry=shapely.geometry.shape(turf_geometry(case)))
            assert holds(polygon, lat, lon) is case["expected"], case


@pytest.mark.parametrize("suite", ["boolean-contains", "boolean-within"])
def test_turfs_points_within_and_outside_polygons_agree(suite: str) -> None:
    root = shared_data("vectors", "turf", suite, "test")
    judged = 0
    for path in sorted(root.rglob("*.geojson")):
        geometries = [one["geometry"] for one in json.loads(path.read_text())["features"]]
        points = [one for one in geometries if one["type"] == "Point"]
        areas = [one for one in geometries if "Polygon" in one["type"]]
        if len(points) == len(areas) == 1:
            lon, lat = points[0]["coordinates"]
            # For turf the boundary is not within; for a fence it is.
            expected = "true" in path.parts or ("Boundary" in path.stem and "Inside" not in path.stem)
            assert holds(Area(geometry=shapely.geometry.shape(areas[0])), lat, lon) is expected, path.stem
            judged += 1
    assert judged >= 7


@pytest.mark.parametrize("name", ["simple-polygon", "multi-polygon", "issue_2824"])
def test_turfs_distances_to_polygons_agree(name: str) -> None:
    path = shared_data("vectors", "turf", "point-to-polygon-distance", "test_fixtures", f"{name}.geojson")
    features = json.loads(path.read_text())["features"]
    areas = [one["geometry"] for one in features if "Polygon" in one["geometry"]["type"]]
    assert len(areas) == 1
    fence = Fence(external_id="f", store="s", shape=Area(geometry=shapely.geometry.shape(areas[0])))
    for one in features:
        if "expected_distance" in one["properties"]:
            unit_m = {"meters": 1.0, "kilometers": 1000.0, "miles": 1609.344}[one["properties"]["units"]]
            lon, lat = one["geometry"]["coordinates"]
            # turf's Earth is a ball, so it is off by up to half a percent.
            expected_m = one["properties"]["expected_distance"] * unit_m
            assert fence.boundary_distance_m(lat, lon) == pytest.approx(expected_m, rel=6e-3, abs=0.01)
