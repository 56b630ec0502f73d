"""Point-in-fence cases of other projects."""

import json
from typing import Any

import numpy as np
import pytest
import shapely

from geo.fence import Area, Circle, Fence, Shape
from geo.index import FenceSet
from tests.support import shared_data


def holds(shape: Shape, lat: float, lon: float) -> bool:
    """By the index, one point at a time, and by the fence itself, which must agree."""
    fence = Fence(external_id="f", store="s", shape=shape)
    lon = (lon + 180) % 360 - 180
    matched = len(FenceSet.build([fence]).match(np.array([lat]), np.array([lon]))[0]) == 1
    assert fence.contains(lat, lon) is matched
    return matched


def traccar_shape(fence: dict[str, Any]) -> Shape | None:
    if fence["type"] == "circle":
        return Circle(lat_deg=fence["lat"], lon_deg=fence["lon"], radius_m=fence["radius_m"])
    if fence["type"] == "polygon_latlon":
        lon = [point[1] for point in fence["points"]]
        if max(lon) - min(lon) < 180:
            return Area(geometry=shapely.Polygon([(lon, lat) for lat, lon in fence["points"]]))
        # Uncut across the antimeridian: cut it, as the rules for GeoJSON ask.
        ring = [(lon % 360, lat) for lat, lon in fence["points"]]
        east = shapely.intersection(shapely.Polygon(ring), shapely.box(0, -90, 180, 90))
        west = shapely.intersection(shapely.Polygon(ring), shapely.box(180, -90, 360, 90))
        return Area(geometry=shapely.MultiPolygon([east, shapely.affinity.translate(west, -360)]))
    return None


def test_traccars_containment_cases_agree() -> None:
    cases = json.loads(shared_data("vectors", "events", "traccar_geofence.json").read_text())["cases"]
    judged = 0
    for case in cases:
        shape = traccar_shape(case["fence"]) if "fence" in case else None
        for lat, lon, expected in case.get("contains", []) if shape else []:
            assert holds(shape, lat, lon) is expected, (case["fence"], lat, lon)
            judged += 1
    assert judged >= 10


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
